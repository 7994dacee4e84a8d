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
  /// What the peer has done; told of what we send, too.
  @exclusivity(unchecked) var guards: FrameGuard
  @exclusivity(unchecked) private var trace = TraceIdentity()
  /// Open streams, each at its `place`. The session refers to them without holding them.
  @exclusivity(unchecked) private var streams: [ServerStream] = []
  /// The stream that the last frame was about; the next one is likely to be, too.
  @exclusivity(unchecked)
  private var recent: (id: Int32, stream: Unmanaged<ServerStream>?) = (0, nil)
  /// Streams that are answered while the client is still sending.
  @exclusivity(unchecked) private var answeredEarly: Set<Int32> = []
  private var arrivedBytes = 0
  private var headIsOfRequest = false
  /// The fields that arrive now, when they are of no request.
  private var otherHeaderBytes = 0
  /// The peer is to be sent away when nghttp2 has returned.
  private var passed: TransportLimit?
  /// Counts arrivals, for the watch.
  private(set) var heard: UInt64 = 0
  var watch: ConnectionWatch
  private var flushScheduled = false
  private var isDraining = false
  private(set) var isClosed = false
  private let headerBytesMax: Int
  private let headerBombBytesMax: Int
  private let streamsMax: Int
  private let ended: (HTTP2ServerConnection) -> Void

  /// Output that waits in our memory for a slow reader before streams are no longer asked for more.
  private static let unsentMax = 256 * 1024
  /// So many times that in one go, to a peer that reads as fast as we write; then it is the turn of
  /// the other connections.
  private static let turnsMax = 4
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
    headerBombBytesMax = shared.limits.headerBombBytesMax
    streamsMax = shared.limits.streamsMax
    let now = loop.uptime
    guards = FrameGuard(isServer: true, settings: shared.limits.http2, now: now)
    watch = ConnectionWatch(shared.limits.watch, now: now)
    session = HTTP2Session(isServer: true, settings: shared.limits.http2)
    session.attach(self)
  }

  // MARK: Connection

  func connected() {
    connection.send(session.greeting(streamsMax: shared.limits.http2.streamsMax))
    flushSoon()
  }

  func received(_ bytes: UnsafeRawBufferPointer) {
    guard !isClosed else { return }
    heard &+= 1
    let isSound = take(bytes)
    if arrivedBytes > 0 { session.arrived(arrivedBytes) }
    arrivedBytes = 0
    if isSound, passed == nil {
      flushSoon()
    } else {
      cut()
    }
  }

  /// False when the peer is to be sent away.
  private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var (offset, given) = (0, 0)
    guards.begin()
    while let finding = guards.next(bytes, &offset, now: { loop.uptime }) {
      switch finding {
      case .passed(let limit):
        passed = limit
        return false
      case .onOldStream(let stream, let start):
        if guards.isBehind, start > given {
          guard session.receive(UnsafeRawBufferPointer(rebasing: bytes[given..<start])) else {
            return false
          }
          given = start
          guards.caughtUp()
        }
        guard !session.isOpen(stream), let code = guards.history.error(onClosed: stream) else {
          continue
        }
        session.terminate(code: code)
        return false
      }
    }
    if given == 0 { return session.receive(bytes) }
    return session.receive(UnsafeRawBufferPointer(rebasing: bytes[given...]))
  }

  /// Ends the connection for the peer's fault, and with it all calls. A GOAWAY says why, to a peer
  /// that reads.
  private func cut() {
    guard !isClosed else { return }
    if let passed {
      shared.observer.defended(passed)
      session.sendAway(passed)
    }
    pump()
    endStreams()
    if connection.unsent > 0 {
      connection.abort(.failed("the peer was sent away"))
    } else {
      connection.closeAfterFlush()
    }
  }

  /// After this the session is not asked for anything.
  private func endStreams() {
    isClosed = true
    let open = streams
    streams = []
    for stream in open { stream.closed(code: HTTP2Code.cancel) }
  }

  func drained() { flush() }

  func closed(_ reason: CloseReason) {
    if !isClosed { endStreams() }
    ended(self)
  }

  func flushSoon() {
    guard !flushScheduled, !isClosed else { return }
    flushScheduled = true
    loop.atTickEnd { self.flush() }
  }

  private func flush() {
    flushScheduled = false
    pump()
    guard !isClosed else { return }
    if passed != nil {
      cut()
    } else if session.isOver, connection.unsent == 0 {
      connection.closeAfterFlush()
    }
  }

  private func pump() {
    var turns = 0
    while !isClosed {
      while !isClosed, connection.unsent < Self.unsentMax, let output = session.nextOutput() {
        connection.send(output)
      }
      let mayHaveMore = connection.unsent >= Self.unsentMax
      connection.flush()
      // What the socket did not take is followed by `drained`.
      if !mayHaveMore || connection.unsent > 0 { return }
      turns += 1
      if turns == Self.turnsMax {
        loop.schedule(after: .zero) { [weak self] in self?.flush() }
        return
      }
    }
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
      self.guards.history.ignoredAbove = self.session.lastStream
      if self.shared.drainEndsStreams { for stream in self.streams { stream.drain() } }
      self.flushSoon()
    }
  }

  // MARK: Session

  func headersBegan(_ stream: Int32, opens: Bool) {
    headIsOfRequest = opens && streams.count < streamsMax
    if headIsOfRequest {
      head.reset()
    } else if opens {
      shared.observer.defended(.streams)
      session.reset(stream, code: HTTP2Code.refusedStream)
    }
    otherHeaderBytes = 0
  }

  @inline(__always)
  func header(
    _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    guard headIsOfRequest else { return otherHeader(name.count + value.count + 32) }
    head.add(name, value, max: headerBytesMax)
    return head.countedBytes <= headerBombBytesMax || bombed()
  }

  /// Trailers of a request mean nothing to us, and are counted all the same.
  private func otherHeader(_ bytes: Int) -> Bool {
    otherHeaderBytes += bytes
    return otherHeaderBytes <= headerBombBytesMax || bombed()
  }

  private func bombed() -> Bool {
    passed = .headerBomb
    return false
  }

  func headersEnded(_ stream: Int32, endsStream: Bool) {
    if headIsOfRequest {
      if head.countedBytes > headerBytesMax { shared.observer.defended(.headerBytes) }
      open(stream).begin(head, endsStream: endsStream)
    } else if endsStream {
      withStream(stream) { $0.dataEnded() }
    }
  }

  /// Our side has reset a stream.
  func resetSent(_ stream: Int32, code: UInt32) {
    guards.history.wasReset(stream)
    guard code != HTTP2Code.noError, code != HTTP2Code.cancel else { return }
    if code == HTTP2Code.flowControlError, guards.settingsAreNewer {
      // SETTINGS that lift a window too far are an error of the connection (RFC 9113, 6.9.2).
      session.terminate(code: code)
    }
    if let limit = guards.ledger.provoked(now: { loop.uptime }) { passed = limit }
  }

  func goAwaySent(code: UInt32) {
    if code != HTTP2Code.noError, passed == nil { shared.observer.defended(.protocol) }
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

  func goAwayReceived(code: UInt32, saying words: UnsafeRawBufferPointer) {}

  /// A client that is still sending is asked to stop behind the answer (RFC 9113, section 8.1): a
  /// reset that is submitted before the answer has left would take its place.
  func asksToStop(_ stream: Int32) { answeredEarly.insert(stream) }

  /// The end of an answer has left.
  func endSent(_ stream: Int32) {
    guard !answeredEarly.isEmpty, answeredEarly.remove(stream) != nil else { return }
    session.reset(stream, code: HTTP2Code.noError)
  }

  // MARK: Time

  /// From time to time: whether the peer and its calls are alive.
  func look(_ now: Uptime) {
    guard !isClosed else { return }
    for stream in streams { stream.look(now) }
    let sample = ConnectionWatch.Sample(
      heard: heard, taken: connection.taken, unsent: connection.unsent,
      openBlock: guards.isInHeaders ? guards.blocks : nil, openStreams: streams.count,
      lastStream: guards.history.last)
    switch watch.look(sample, now: now) {
    case .nothing: break
    case .ping:
      session.ping()
      flushSoon()
    case .goAway:
      if !isDraining { shared.observer.defended(.idle) }
      drain()
    case .cut(let limit):
      shared.observer.defended(limit)
      connection.abort(.failed("the peer passed the limit \(limit.rawValue)"))
    }
  }

  /// Its handler begins when nghttp2 has returned; one that is reset meanwhile never does.
  func isReady(_ stream: ServerStream) { tasks.run(stream) }

  func newTrace(continuing header: UnsafeBufferPointer<UInt8>) -> TraceHop {
    trace.hop(continuing: header)
  }
}
