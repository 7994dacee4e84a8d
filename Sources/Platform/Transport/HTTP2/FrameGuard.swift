internal import Chrono

/// Reads along with nghttp2: sees every frame that a peer sends, also those that nghttp2 drops
/// without a word, and finds what it lets pass. Confined to its connection's loop.
struct FrameGuard {
  /// What somebody who knows the session has to decide.
  enum Finding {
    /// The peer has passed this limit.
    case passed(TransportLimit)
    /// HEADERS or DATA on a stream that may be closed; the frame's head begins at `start`.
    case onOldStream(Int32, start: Int)
  }

  private var scanner: FrameScanner
  var ledger: FrameLedger
  var history: StreamHistory
  private let isServer: Bool
  private var newest = FrameHead(length: 0, type: 0, flags: 0, stream: 0)
  /// The highest stream before the bytes in hand.
  private var lastBefore: Int32 = 0
  /// A frame among the bytes in hand has closed a stream, of which nghttp2 knows nothing yet.
  private(set) var isBehind = false
  /// The peer changed its windows by SETTINGS last, and not by WINDOW_UPDATE.
  private(set) var settingsAreNewer = false
  /// Heads of fields begun; says whether two looks saw the same one.
  private(set) var blocks = 0

  private static let clientPreface = 24

  init(isServer: Bool, settings: HTTP2Settings, now: Uptime) {
    self.isServer = isServer
    scanner = FrameScanner(skipping: isServer ? Self.clientPreface : 0)
    ledger = FrameLedger(settings.floods, now: now)
    history = StreamHistory(resetsKept: Int(settings.streamsMax))
  }

  /// Before the first `next` for these bytes.
  @inline(__always)
  mutating func begin() {
    lastBefore = history.last
    isBehind = false
  }

  /// nghttp2 has been given the bytes before the frame that was asked about.
  mutating func caughtUp() {
    lastBefore = history.last
    isBehind = false
  }

  /// Nil when all of the bytes may be given to nghttp2.
  mutating func next(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, now: () -> Uptime
  ) -> Finding? {
    while let frame = scanner.next(bytes, &offset) {
      newest = frame
      if let limit = ledger.received(frame, now: now) { return .passed(limit) }
      switch frame.type {
      case FrameHead.Kind.headers:
        blocks &+= 1
        guard isServer, frame.stream > 0 else { continue }
        if frame.stream > history.last {
          history.opened(frame.stream)
          continue
        }
        if frame.stream > lastBefore { isBehind = true }
      case FrameHead.Kind.data:
        guard isServer, frame.stream <= lastBefore || isBehind, frame.stream > 0 else { continue }
      case FrameHead.Kind.reset:
        isBehind = true
        continue
      case FrameHead.Kind.settings:
        settingsAreNewer = true
        continue
      case FrameHead.Kind.windowUpdate:
        settingsAreNewer = false
        continue
      default: continue
      }
      // A head that was cut began before these bytes; nothing is open to doubt before them.
      return .onOldStream(frame.stream, start: max(0, offset - FrameHead.size))
    }
    return nil
  }

  /// A block of header fields has begun and not ended.
  var isInHeaders: Bool {
    guard newest.type == FrameHead.Kind.headers || newest.type == FrameHead.Kind.continuation
    else { return false }
    return !newest.has(FrameHead.Flag.endHeaders) || scanner.isInside
  }
}
