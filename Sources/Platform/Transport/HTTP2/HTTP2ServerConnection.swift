internal import Calls
internal import Loop

/// One HTTP/2 connection of a server: its session, its streams, its output. Confined to its loop.
final class HTTP2ServerConnection: ConnectionDriver, HTTP2SessionOwner {
  let connection: Connection
  let shared: ServerShared
  private(set) var session: HTTP2Session!
  private(set) var trace = TraceIdentity()
  private var streams: [Int32: ServerStream] = [:]
  /// Streams whose handlers begin when nghttp2 has returned; those reset meanwhile never do.
  private var ready: [ServerStream] = []
  private var flushScheduled = false
  private var isDraining = false
  private var isClosed = false
  private let ended: (HTTP2ServerConnection) -> Void

  /// Output that waits in our memory for a slow reader before streams are no longer asked for more.
  private static let unsentMax = 256 * 1024
  /// Time for our first GOAWAY to reach a client that is just opening a stream.
  private static let drainGrace = Duration.milliseconds(50)

  init(
    _ connection: Connection, _ shared: ServerShared,
    ended: @escaping (HTTP2ServerConnection) -> Void
  ) {
    self.connection = connection
    self.shared = shared
    self.ended = ended
    session = HTTP2Session(self, isServer: true, settings: shared.limits.http2)
  }

  var loop: EventLoop { connection.loop }

  // MARK: Connection

  func connected() { flushSoon() }

  func received(_ bytes: UnsafeRawBufferPointer) {
    let isSound = session.receive(bytes)
    startReady()
    if isSound {
      flushSoon()
    } else {
      flush()
      connection.closeAfterFlush()
    }
  }

  private func startReady() {
    guard !ready.isEmpty else { return }
    let starting = ready
    ready.removeAll(keepingCapacity: true)
    for stream in starting where !stream.isClosed { stream.start() }
  }

  func drained() { flush() }

  func closed(_ reason: CloseReason) {
    guard !isClosed else { return }
    isClosed = true
    let open = streams.values
    streams = [:]
    for stream in open { stream.closed(code: HTTP2Code.cancel) }
    ended(self)
  }

  func flushSoon() {
    guard !flushScheduled, !isClosed else { return }
    flushScheduled = true
    loop.atTickEnd { self.flush() }
  }

  private func flush() {
    flushScheduled = false
    guard !isClosed else { return }
    var mayHaveMore = true
    while mayHaveMore, !isClosed {
      while connection.unsent < Self.unsentMax, let output = session.nextOutput() {
        connection.send(output)
      }
      mayHaveMore = connection.unsent >= Self.unsentMax
      connection.flush()
      // What the socket did not take is followed by `drained`.
      if connection.unsent > 0 { mayHaveMore = false }
    }
    if session.isOver, connection.unsent == 0 { connection.closeAfterFlush() }
  }

  // MARK: Draining

  /// Lets the client finish what it has begun, then closes.
  func drain() {
    guard !isDraining, !isClosed else { return }
    isDraining = true
    session.announceShutdown()
    flushSoon()
    loop.schedule(after: Self.drainGrace) { [weak self] in
      guard let self, !self.isClosed else { return }
      self.session.goAway()
      self.flushSoon()
    }
  }

  // MARK: Session

  func headersBegan(_ stream: Int32) {
    if let known = streams[stream] {
      known.trailersBegan()
    } else {
      streams[stream] = ServerStream(stream, self)
    }
  }

  func header(
    _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) {
    streams[stream]?.header(name, value)
  }

  func headersEnded(_ stream: Int32, endsStream: Bool) {
    guard let known = streams[stream] else { return }
    known.headersEnded(endsStream: endsStream)
  }

  func data(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) { streams[stream]?.data(bytes) }

  func dataEnded(_ stream: Int32) { streams[stream]?.dataEnded() }

  func requestSent(_ stream: Int32) {}

  func streamClosed(_ stream: Int32, code: UInt32) {
    streams.removeValue(forKey: stream)?.closed(code: code)
  }

  func goAwayReceived(lastStream: Int32, code: UInt32) {}

  func pull(_ stream: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    streams[stream]?.pull(buffer) ?? .end(0, trailers: false)
  }

  func isReady(_ stream: ServerStream) { ready.append(stream) }

  func newTrace(continuing header: String?) -> (traceID: String, spanID: String) {
    (header.flatMap(TraceIdentity.traceID) ?? trace.newTraceID(), trace.newSpanID())
  }
}
