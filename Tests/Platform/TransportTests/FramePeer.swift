import Chrono
import Loop
import Security
import Transport

/// The other end of an HTTP/2 connection, which says exactly what a test tells it to.
///
/// `@unchecked Sendable`: touched on its loop only; tests run there.
final class FramePeer: ConnectionDriver, @unchecked Sendable {
  let connection: Connection
  private(set) var frames: [Frame] = []
  private(set) var isClosed = false
  /// Called with each frame, before the tests see it.
  var script: ((FramePeer, Frame) -> Void)?
  /// Whether DATA is kept for the tests, or only counted.
  var keepsData = true
  private(set) var dataBytes = 0
  /// Sent when the connection may be used.
  var greeting: [Frame] = []
  /// Acknowledges SETTINGS, as every peer must.
  var acknowledges = true
  private var reader = FrameReader()
  private var prefaceLeft: Int
  private var seen = 0
  private var dataSent = 0
  private var waiter: (matches: (Frame) -> Bool, resume: (Frame?) -> Void)?
  private var closeWaiters: [() -> Void] = []

  init(_ connection: Connection, skipping preface: Int = 0) {
    self.connection = connection
    prefaceLeft = preface
    connection.driver = self
    // A wait for what never comes ends as a failed expectation.
    connection.loop.schedule(after: Self.patience) { [weak connection] in connection?.abort() }
  }

  private static let patience = Duration.seconds(20)

  /// A client that has sent its preface and SETTINGS, unless told otherwise.
  static func connect(
    _ port: Int, _ loop: EventLoop, tls: TLSContext? = nil, greets: Bool = true,
    _ settings: [(UInt16, UInt32)] = []
  ) async throws -> FramePeer {
    let connection = try await Connector.connect(
      .tcp(host: "127.0.0.1", port: port), tls: tls, loop: loop,
      deadline: loop.uptime + .seconds(10))
    let peer = FramePeer(connection)
    connection.resumeReading()
    if greets {
      peer.send(Frame.preface)
      peer.send(.settings(settings))
    }
    return peer
  }

  func send(_ bytes: [UInt8]) { connection.send(bytes) }
  func send(_ frames: Frame...) { send(frames) }
  func send(_ frames: [Frame]) {
    for frame in frames where frame.type == 0 { dataSent += frame.payload.count }
    connection.send(frames.flatMap(\.bytes))
  }

  /// What may still be sent on the connection.
  var connectionWindow: Int {
    let opened = frames.filter { $0.type == 8 && $0.stream == 0 }.map { Int($0.word(at: 0)) }
    return 65_535 + opened.reduce(0, +) - dataSent
  }

  func close() { connection.abort() }

  /// The next frame that matches, of those after the last one found; nil when the other end closed.
  func next(_ matches: @escaping (Frame) -> Bool) async -> Frame? {
    while seen < frames.count {
      seen += 1
      if matches(frames[seen - 1]) { return frames[seen - 1] }
    }
    if isClosed { return nil }
    return await withCheckedContinuation { continuation in
      waiter = (matches, { continuation.resume(returning: $0) })
    }
  }

  /// What the other end has sent, in short.
  var said: String {
    frames.map { "\($0.type)/\($0.flags) on \($0.stream) \($0.payload.prefix(12))" }
      .joined(separator: ", ")
  }

  /// A PING there and back: everything before it has been seen by the other end.
  @discardableResult
  func roundTrip(_ text: String = "roundtri") async -> Bool {
    send(.ping(text))
    return await next { $0.type == 6 && $0.isAck && $0.payload == Array(text.utf8) } != nil
  }

  func untilClosed() async {
    if isClosed { return }
    await withCheckedContinuation { continuation in closeWaiters.append { continuation.resume() } }
  }

  // MARK: Connection

  func connected() { send(greeting) }
  func drained() {}

  func received(_ bytes: UnsafeRawBufferPointer) {
    let skipped = min(prefaceLeft, bytes.count)
    prefaceLeft -= skipped
    for frame in reader.take(UnsafeRawBufferPointer(rebasing: bytes[skipped...])) {
      if frame.type == 0 {
        dataBytes += frame.payload.count
        if !keepsData { continue }
      }
      frames.append(frame)
      if acknowledges, frame.type == 4, !frame.isAck { send(.settingsAck) }
      script?(self, frame)
      if let waiter, waiter.matches(frame) {
        self.waiter = nil
        seen = frames.count
        waiter.resume(frame)
      }
    }
  }

  func closed(_ reason: CloseReason) {
    isClosed = true
    waiter?.resume(nil)
    waiter = nil
    for waiter in closeWaiters { waiter() }
    closeWaiters = []
  }
}
