import Chrono
import Loop
import Security
import Transport

/// An HTTP/1.1 server on a loop of its own, for tests.
final class EdgeServer: HTTPResponder, @unchecked Sendable {
  typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

  let loop = EventLoop(name: "edge-test")
  private(set) var port = 0
  private let handler: Handler
  private let limits: HTTP1Limits
  private let webSocketLimits: WebSocketLimits
  private let tls: TLSContext?
  private var thread: LoopThread?
  private var listener: Listener?
  private var sessions: [HTTP1Session] = []

  init(
    limits: HTTP1Limits = .standard, webSocketLimits: WebSocketLimits = .standard,
    tls: TLSContext? = nil, _ handler: @escaping Handler
  ) async throws {
    self.handler = handler
    self.limits = limits
    self.webSocketLimits = webSocketLimits
    self.tls = tls
    thread = loop.start()
    let result = await withCheckedContinuation { continuation in
      loop.execute { continuation.resume(returning: Result { try self.listen() }) }
    }
    port = try result.get()
  }

  private func listen() throws -> Int {
    let listener = try Listener(.tcp(host: "127.0.0.1", port: 0), loop: loop) {
      [unowned self] connection in
      let session = HTTP1Session(
        connection, responder: self, limits: limits, webSocketLimits: webSocketLimits)
      connection.driver = tls.map { StartingTLS(connection, session, $0) } ?? session
      sessions.append(session)
    }
    self.listener = listener
    guard case .tcp(_, let port) = listener.address else { return 0 }
    return port
  }

  func respond(to request: HTTPRequest) async -> HTTPResponse { await handler(request) }

  func drain() async {
    await withCheckedContinuation { continuation in
      loop.execute {
        for session in self.sessions { session.drain() }
        continuation.resume()
      }
    }
  }

  func stop() {
    loop.stop()
    thread?.join()
  }

  /// Connects, sends, and gathers what comes until the server closes or `until` is in it.
  func exchange(_ text: String, until: String? = nil) async throws -> String {
    try await RawClient.exchange(Array(text.utf8), port: port, loop: loop, until: until)
  }
}

/// Begins TLS with the first bytes, as a server that sniffs does.
private final class StartingTLS: ConnectionDriver {
  private let connection: Connection
  private let session: HTTP1Session
  private let tls: TLSContext

  init(_ connection: Connection, _ session: HTTP1Session, _ tls: TLSContext) {
    self.connection = connection
    self.session = session
    self.tls = tls
  }

  func connected() {}
  func drained() {}
  func closed(_ reason: CloseReason) { session.closed(reason) }
  func received(_ bytes: UnsafeRawBufferPointer) {
    connection.driver = session
    connection.startTLS(tls, received: bytes)
  }
}

/// A client that knows no protocol.
final class RawClient: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private let until: [UInt8]?
  private var received: [UInt8] = []
  private var waiter: CheckedContinuation<[UInt8], Never>?

  private init(_ connection: Connection, until: String?) {
    self.connection = connection
    self.until = until.map { Array($0.utf8) }
  }

  static func exchange(
    _ bytes: [UInt8], port: Int, loop: EventLoop, until: String? = nil
  ) async throws -> String {
    String(
      decoding: try await self.bytes(bytes, port: port, loop: loop, until: until), as: UTF8.self)
  }

  /// Connects and sends, and never reads.
  static func deaf(_ bytes: [UInt8], port: Int, loop: EventLoop) async throws -> RawClient {
    try await withTaskExecutorPreference(loop) {
      let connection = try await Connector.connect(
        .tcp(host: "127.0.0.1", port: port), tls: nil, loop: loop,
        deadline: loop.uptime + .seconds(5))
      let client = RawClient(connection, until: nil)
      connection.driver = client
      connection.send(bytes)
      return client
    }
  }

  func close() { connection.loop.execute { self.connection.abort() } }

  static func bytes(
    _ bytes: [UInt8], port: Int, loop: EventLoop, until: String? = nil
  ) async throws -> [UInt8] {
    try await withTaskExecutorPreference(loop) {
      let connection = try await Connector.connect(
        .tcp(host: "127.0.0.1", port: port), tls: nil, loop: loop,
        deadline: loop.uptime + .seconds(5))
      let client = RawClient(connection, until: until)
      return await withCheckedContinuation { continuation in
        client.waiter = continuation
        connection.driver = client
        connection.resumeReading()
        connection.send(bytes)
      }
    }
  }

  func connected() {}
  func drained() {}
  func received(_ bytes: UnsafeRawBufferPointer) {
    received.append(contentsOf: bytes)
    if let until, received.count >= until.count,
      String(decoding: received, as: UTF8.self).contains(String(decoding: until, as: UTF8.self))
    {
      connection.abort()
    }
  }

  func closed(_ reason: CloseReason) {
    waiter?.resume(returning: received)
    waiter = nil
  }
}
