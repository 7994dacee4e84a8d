internal import Calls
internal import Loop

/// One HTTP/2 connection of a channel. Confined to its loop.
final class HTTP2ClientConnection: ConnectionDriver, HTTP2SessionOwner, PickedPlace {
  enum Event {
    /// The server has sent its SETTINGS: its limits are known.
    case opened
    /// A call may begin again after there were as many as the server allows.
    case room
    /// The server takes no new streams here; those that it has seen go on.
    case goingAway
    case closed(CloseReason)
  }

  private let loop: EventLoop
  private let changed: (HTTP2ClientConnection, Event) -> Void
  private var connection: Connection?
  private let session: HTTP2Session
  @exclusivity(unchecked) private var calls: [Int32: ClientCall] = [:]
  /// The call that the last frames were about; the next ones are likely to be, too.
  private var recent: (stream: Int32, call: ClientCall?) = (0, nil)
  /// Streams whose request has not left for the wire; nobody has seen them.
  @exclusivity(unchecked) private var unsent: Set<Int32> = []
  private var flushScheduled = false
  /// What the server has done.
  @exclusivity(unchecked) private var guards: FrameGuard
  private var headerBytes = 0
  private var heard: UInt64 = 0
  private var watch: ConnectionWatch
  private let watchLimits: ConnectionWatch.Limits
  private let keepsIdleAlive: Bool
  private var looks: TimerToken?
  private(set) var isGoingAway = false
  /// The server went away because of our pings (gRFC A8).
  private(set) var wasPingedTooOften = false
  private var isOpened = false
  /// Calls that the server lets us have open at once.
  private var callsMax = 0
  /// Where it leads, for the channel's books.
  var place = 0
  private(set) var isClosed = false

  private static let unsentBytesMax = 256 * 1024
  /// What a header block may inflate to before the connection is given up.
  private static let headerBombBytesMax = 256 * 1024

  init(
    _ loop: EventLoop, _ options: ChannelOptions,
    changed: @escaping (HTTP2ClientConnection, Event) -> Void
  ) {
    self.loop = loop
    self.changed = changed
    var settings = options.http2
    // A server may ping as often as it likes, within the budget.
    settings.floods.pingStrikesMax = .max
    guards = FrameGuard(isServer: false, settings: settings, now: loop.uptime)
    watchLimits = options.watch
    keepsIdleAlive = options.keepaliveWithoutCalls
    watch = ConnectionWatch(watchLimits, now: loop.uptime)
    session = HTTP2Session(isServer: false, settings: settings)
    session.attach(self)
  }

  /// The connection that `self` drives.
  func attach(_ connection: Connection) { self.connection = connection }

  func isOn(_ connection: Connection) -> Bool { self.connection === connection }

  var openCalls: Int { calls.count }

  var hasRoom: Bool { calls.count < callsMax && !isGoingAway && !isClosed }

  // MARK: Connection

  func connected() {
    if let peer = connection?.peer, peer.isEncrypted, peer.alpn != "h2" {
      connection?.abort(.failed("the server does not speak HTTP/2"))
      return
    }
    flushSoon()
    if keepsIdleAlive { lookLater() }
  }

  func received(_ bytes: UnsafeRawBufferPointer) {
    heard &+= 1
    var offset = 0
    guards.begin()
    if case .passed(let limit) = guards.next(bytes, &offset, now: { loop.uptime }) {
      session.sendAway(limit)
      flush()
      connection?.abort(.failed("the server passed the limit \(limit.rawValue)"))
      return
    }
    let isSound = session.receive(bytes)
    if isSound {
      flushSoon()
    } else {
      flush()
      connection?.abort(.failed("the server broke the HTTP/2 protocol"))
    }
  }

  func drained() { flush() }

  func closed(_ reason: CloseReason) {
    guard !isClosed else { return }
    isClosed = true
    if let looks { loop.cancel(looks) }
    looks = nil
    let (open, never) = (calls, unsent)
    calls = [:]
    unsent = []
    recent = (0, nil)
    connection = nil
    changed(self, .closed(reason))
    for (stream, call) in open {
      call.connectionLost(reason, wasSent: !never.contains(stream))
    }
  }

  func flushSoon() {
    guard !flushScheduled, !isClosed else { return }
    flushScheduled = true
    loop.atTickEnd { self.flush() }
  }

  private func flush() {
    flushScheduled = false
    guard !isClosed, let connection else { return }
    var mayHaveMore = true
    while mayHaveMore, !isClosed {
      while !isClosed, connection.unsent < Self.unsentBytesMax, let output = session.nextOutput() {
        connection.send(output)
      }
      mayHaveMore = connection.unsent >= Self.unsentBytesMax
      connection.flush()
      // What the socket did not take is followed by `drained`.
      if connection.unsent > 0 { mayHaveMore = false }
    }
    if session.isOver, connection.unsent == 0 { connection.closeAfterFlush() }
  }

  /// Ends in order: calls that run go on, then the connection closes.
  func shutDown() {
    guard !isClosed else { return }
    isGoingAway = true
    session.goAway()
    flushSoon()
  }

  func abort(_ reason: CloseReason = .local) { connection?.abort(reason) }

  // MARK: Time

  /// While there are calls, and without if asked for.
  private func lookLater() {
    watch.resume(loop.uptime)
    scheduleLook()
  }

  private func scheduleLook() {
    looks = loop.schedule(after: watchLimits.lookInterval) { [weak self] in self?.look() }
  }

  private func look() {
    looks = nil
    guard !isClosed, let connection else { return }
    let sample = ConnectionWatch.Sample(
      heard: heard, taken: connection.taken, unsent: connection.unsent,
      openBlock: guards.isInHeaders ? guards.blocks : nil, openStreams: calls.count, lastStream: 0)
    switch watch.look(sample, now: loop.uptime) {
    case .nothing, .goAway: break
    case .ping:
      session.ping()
      flushSoon()
    case .cut(let limit):
      connection.abort(.failed("the server passed the limit \(limit.rawValue)"))
      return
    }
    if keepsIdleAlive || !calls.isEmpty || connection.unsent > 0 { scheduleLook() }
  }

  // MARK: Calls

  /// Opens a stream for the call; false when this connection takes no more.
  func begin(_ call: ClientCall, _ headers: HeaderBlock) -> Bool {
    guard !isClosed, !isGoingAway else { return false }
    guard let stream = session.request(headers, endsStream: false) else {
      // Its stream ids have run out.
      retire()
      return false
    }
    calls[stream] = call
    unsent.insert(stream)
    call.began(stream, on: self)
    flushSoon()
    if looks == nil { lookLater() }
    return true
  }

  func resume(_ stream: Int32) {
    session.resume(stream)
    flushSoon()
  }

  func consumed(_ stream: Int32, _ count: Int) {
    session.consumed(stream, count)
    flushSoon()
  }

  /// Lets go of a call; its stream is reset unless both sides have ended.
  func forget(_ stream: Int32, resetting code: UInt32?) {
    let wasFull = !hasRoom
    calls[stream] = nil
    recent = (0, nil)
    unsent.remove(stream)
    if let code {
      session.reset(stream, code: code)
      flushSoon()
    }
    if wasFull, hasRoom { changed(self, .room) }
  }

  // MARK: Session

  private func call(_ stream: Int32) -> ClientCall? {
    if recent.stream != stream { recent = (stream, calls[stream]) }
    return recent.call
  }

  func headersBegan(_ stream: Int32, opens: Bool) {
    headerBytes = 0
    call(stream)?.headersBegan()
  }

  func header(
    _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    headerBytes += name.count + value.count + 32
    call(stream)?.header(name, value)
    return headerBytes <= Self.headerBombBytesMax
  }

  func headersEnded(_ stream: Int32, endsStream: Bool) {
    call(stream)?.headersEnded(endsStream: endsStream)
  }

  func data(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
    session.arrived(bytes.count)
    if let call = call(stream) {
      call.data(bytes)
    } else {
      session.consumed(stream, bytes.count)
    }
  }

  func dataEnded(_ stream: Int32) { call(stream)?.ended() }

  func requestSent(_ stream: Int32) { unsent.remove(stream) }

  func streamClosed(_ stream: Int32, code: UInt32) {
    let wasSent = unsent.remove(stream) == nil
    recent = (0, nil)
    let wasFull = !hasRoom
    calls.removeValue(forKey: stream)?.closed(code: code, wasSent: wasSent)
    if wasFull, hasRoom { changed(self, .room) }
  }

  func goAwayReceived(code: UInt32, saying words: UnsafeRawBufferPointer) {
    wasPingedTooOften =
      code == HTTP2Code.enhanceYourCalm && words.elementsEqual("too_many_pings".utf8)
    retire()
  }

  /// No new calls here; those that run go on.
  private func retire() {
    guard !isGoingAway else { return }
    isGoingAway = true
    changed(self, .goingAway)
  }

  func settingsReceived() {
    let hadRoom = hasRoom
    callsMax = session.remoteStreamsMax
    if !isOpened {
      isOpened = true
      changed(self, .opened)
    } else if !hadRoom, hasRoom {
      changed(self, .room)
    }
  }

  func pull(_ stream: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    call(stream)?.pull(buffer) ?? .end(0, trailers: false)
  }
}
