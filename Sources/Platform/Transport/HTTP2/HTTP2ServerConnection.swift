internal import Calls
internal import Chrono
internal import Loop

/// One HTTP/2 connection of a server: its session, its streams, its output. Confined to its loop.
final class HTTP2ServerConnection: ConnectionDriver, HTTP2SessionOwner {
  let connection: Connection
  let shared: ServerShared
  let loop: EventLoop
  let session: HTTP2Session
  private let tasks: HandlerTasks
  /// Who is at the other end, as far as the connection proves it.
  let identity: Identity
  let isEncrypted: Bool
  /// The request whose fields arrive now; they never interleave (RFC 9113, section 4.3).
  let head = RequestHead()
  @exclusivity(unchecked) private var trace = TraceIdentity()
  /// Open streams, each at its `place`. The session refers to them without holding them.
  @exclusivity(unchecked) private var streams: [ServerStream] = []
  /// The stream that the last frame was about; the next one is likely to be, too.
  private var recent: (id: Int32, stream: Unmanaged<ServerStream>?) = (0, nil)
  /// Streams that are answered while the client is still sending.
  private var answeredEarly: Set<Int32> = []
  private var arrivedBytes = 0
  private var headIsOfRequest = false
  private var flushScheduled = false
  private var isDraining = false
  private var isClosed = false
  private let headerBytesMax: Int
  private let ended: (HTTP2ServerConnection) -> Void

  /// Output that waits in our memory for a slow reader before streams are no longer asked for more.
  private static let unsentMax = 256 * 1024
  /// Time for our first GOAWAY to reach a client that is just opening a stream.
  private static let drainGrace = Duration.milliseconds(50)

  init(
    _ connection: Connection, _ shared: ServerShared, _ tasks: HandlerTasks,
    ended: @escaping (HTTP2ServerConnection) -> Void
  ) {
    self.connection = connection
    self.shared = shared
    self.tasks = tasks
    self.ended = ended
    loop = connection.loop
    identity = Identity(service: connection.peer.serviceName)
    isEncrypted = connection.peer.isEncrypted
    headerBytesMax = Int(shared.limits.http2.headerListBytesMax)
    session = HTTP2Session(isServer: true, settings: shared.limits.http2)
    session.attach(self)
  }

  // MARK: Connection

  func connected() { flushSoon() }

  func received(_ bytes: UnsafeRawBufferPointer) {
    let isSound = session.receive(bytes)
    if arrivedBytes > 0 { session.arrived(arrivedBytes) }
    arrivedBytes = 0
    if isSound {
      flushSoon()
    } else {
      flush()
      connection.closeAfterFlush()
    }
  }

  func drained() { flush() }

  func closed(_ reason: CloseReason) {
    guard !isClosed else { return }
    isClosed = true
    let open = streams
    streams = []
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
    var mayHaveMore = true
    while mayHaveMore, !isClosed {
      while !isClosed, connection.unsent < Self.unsentMax, let output = session.nextOutput() {
        connection.send(output)
      }
      mayHaveMore = connection.unsent >= Self.unsentMax
      connection.flush()
      // What the socket did not take is followed by `drained`.
      if connection.unsent > 0 { mayHaveMore = false }
    }
    if !isClosed, session.isOver, connection.unsent == 0 { connection.closeAfterFlush() }
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

  func headersBegan(_ stream: Int32, opens: Bool) {
    headIsOfRequest = opens
    if opens { head.reset() }
  }

  func header(
    _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) {
    // Trailers of a request mean nothing to us.
    if headIsOfRequest { head.add(name, value, max: headerBytesMax) }
  }

  func headersEnded(_ stream: Int32, endsStream: Bool) {
    if headIsOfRequest {
      open(stream).begin(head, endsStream: endsStream)
    } else if endsStream {
      withStream(stream) { $0.dataEnded() }
    }
  }

  private func open(_ id: Int32) -> ServerStream {
    let stream = ServerStream(id, self)
    stream.place = streams.count
    streams.append(stream)
    session.place(Unmanaged.passUnretained(stream).toOpaque(), at: id)
    recent = (id, Unmanaged.passUnretained(stream))
    return stream
  }

  /// The pointer is good: a stream is in `streams` until nghttp2 has closed it, and after the
  /// connection is closed nobody looks.
  private func withStream(_ id: Int32, _ body: (ServerStream) -> Void) {
    guard !isClosed else { return }
    if recent.id == id {
      recent.stream?._withUnsafeGuaranteedRef(body)
    } else if let object = session.object(at: id) {
      recent = (id, Unmanaged<ServerStream>.fromOpaque(object))
      recent.stream?._withUnsafeGuaranteedRef(body)
    }
  }

  func data(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
    arrivedBytes += bytes.count
    withStream(stream) { $0.data(bytes) }
  }

  func dataEnded(_ stream: Int32) { withStream(stream) { $0.dataEnded() } }

  func requestSent(_ stream: Int32) {}

  func streamClosed(_ stream: Int32, code: UInt32) {
    if recent.id == stream { recent = (0, nil) }
    if !answeredEarly.isEmpty { answeredEarly.remove(stream) }
    guard !isClosed, let object = session.object(at: stream) else { return }
    let closed = Unmanaged<ServerStream>.fromOpaque(object).takeUnretainedValue()
    let last = streams.removeLast()
    if last !== closed {
      streams[closed.place] = last
      last.place = closed.place
    }
    closed.closed(code: code)
  }

  func goAwayReceived(lastStream: Int32, code: UInt32) {}

  /// A client that is still sending is asked to stop behind the answer (RFC 9113, section 8.1): a
  /// reset that is submitted before the answer has left would take its place.
  func asksToStop(_ stream: Int32) { answeredEarly.insert(stream) }

  /// A frame that ends its stream on our side has left. On a PING or SETTINGS the same bit means ACK.
  func endSent(_ stream: Int32) {
    guard !answeredEarly.isEmpty, answeredEarly.remove(stream) != nil else { return }
    session.reset(stream, code: HTTP2Code.noError)
  }

  /// Its handler begins when nghttp2 has returned; one that is reset meanwhile never does.
  func isReady(_ stream: ServerStream) { tasks.run(stream) }

  func newTrace(continuing header: UnsafeBufferPointer<UInt8>) -> TraceHop {
    trace.hop(continuing: header)
  }
}
