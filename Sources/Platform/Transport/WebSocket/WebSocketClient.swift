internal import Chrono
package import Loop
package import Security

/// Opens WebSockets to servers: exchanges, and our own gateway in tests.
package enum WebSocketClient {
  /// Bytes of the server's answer to the handshake.
  private static let answerMax = 16 * 1024

  /// Connects, with TLS when a context is given (the certificate must name `host`), and shakes
  /// hands. `target` is path and query: `/ws/btcusdt@depth`. Afterwards the socket lives on `loop`.
  package static func connect(
    host: String, port: Int, target: String, tls: TLSContext?, loop: EventLoop,
    headers: [HTTPHeader] = [], limits: WebSocketLimits = .standard,
    timeout: Duration = .seconds(10)
  ) async throws(WebSocketError) -> WebSocket {
    try await withTaskExecutorPreference(loop) { () async throws(WebSocketError) -> WebSocket in
      let deadline = loop.uptime + timeout
      let connection: Connection
      do throws(TransportError) {
        connection = try await Connector.connect(
          .tcp(host: host, port: port), tls: tls, expecting: tls == nil ? nil : .host(host),
          loop: loop, deadline: deadline)
      } catch {
        throw .notConnected(error.description)
      }
      let key = WebSocketHandshake.newKey()
      let name = host.contains(":") ? "[\(host)]" : host
      let authority = port == (tls == nil ? 80 : 443) ? name : "\(name):\(port)"
      connection.send(
        WebSocketHandshake.request(host: authority, target: target, key: key, headers: headers))
      let answer = WebSocketAnswer(connection, max: answerMax)
      let bytes = try await answer.bytes(deadline: deadline)
      do throws(WebSocketError) {
        let rest = try accept(bytes, key: key)
        let socket = WebSocket(connection, role: .client, limits: limits)
        socket.begin(received: rest)
        return socket
      } catch {
        connection.abort()
        throw error
      }
    }
  }

  /// Checks the server's answer; returns what follows it.
  static func accept(_ bytes: [UInt8], key: String) throws(WebSocketError) -> [UInt8] {
    let response: HTTP1ResponseHead
    do {
      response = try HTTP1ResponseHead(bytes)
    } catch {
      throw .notConnected("the server's answer is malformed: \(error.problem)")
    }
    guard response.status == 101 else {
      throw .notConnected("the server answered with status \(response.status)")
    }
    guard response.headers.list("upgrade", contains: "websocket"),
      response.headers.list("connection", contains: "upgrade"),
      response.headers.first("sec-websocket-accept") == WebSocketHandshake.accept(key),
      response.headers.first("sec-websocket-extensions") == nil,
      response.headers.first("sec-websocket-protocol") == nil
    else { throw .notConnected("the server's handshake does not fit ours") }
    return Array(bytes[response.end...])
  }
}

/// Collects the head of the server's answer. `@unchecked Sendable`: loop-confined.
private final class WebSocketAnswer: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private let max: Int
  private var received: [UInt8] = []
  private var waiter: CheckedContinuation<Result<[UInt8], WebSocketError>, Never>?
  private var timer: TimerToken?

  init(_ connection: Connection, max: Int) {
    self.connection = connection
    self.max = max
  }

  /// Everything up to and behind the empty line; reading is paused then.
  func bytes(deadline: Uptime) async throws(WebSocketError) -> [UInt8] {
    let result = await withCheckedContinuation { continuation in
      connection.loop.assertInLoop()
      waiter = continuation
      connection.driver = self
      timer = connection.loop.schedule(at: deadline) { [self] in
        connection.abort(.failed("no answer to the handshake in time"))
      }
      connection.resumeReading()
    }
    return try result.get()
  }

  func connected() {}
  func drained() {}

  func received(_ bytes: UnsafeRawBufferPointer) {
    received.append(contentsOf: bytes)
    if HTTP1ResponseHead.end(in: received) != nil {
      connection.pauseReading()
      settle(.success(received))
    } else if received.count > max {
      connection.abort(.failed("the server's answer is too long"))
    }
  }

  func closed(_ reason: CloseReason) { settle(.failure(.notConnected(reason.description))) }

  private func settle(_ result: Result<[UInt8], WebSocketError>) {
    if let timer { connection.loop.cancel(timer) }
    timer = nil
    waiter?.resume(returning: result)
    waiter = nil
  }
}
