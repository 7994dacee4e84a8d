/// What is remembered of a peer's streams that are no longer open, to tell a frame that was under
/// way when we reset its stream from one that should never have been sent (RFC 9113, section 5.1).
struct StreamHistory: Sendable {
  /// The highest stream that the peer has opened.
  private(set) var last: Int32 = 0
  /// Streams that were passed over; they count as closed and were never open.
  private var gaps: [Range<Int32>] = []
  /// The last streams that we reset, a ring.
  private var resetByUs: [Int32] = []
  private var place = 0
  private let resetsKept: Int
  /// After GOAWAY, streams above this are ignored with all their frames.
  var ignoredAbove = Int32.max

  private static let gapsKept = 16

  init(resetsKept: Int) { self.resetsKept = max(1, resetsKept) }

  /// `stream` is above `last`.
  @inline(__always)
  mutating func opened(_ stream: Int32) {
    if stream - last > 2 { skipped(to: stream) }
    last = stream
  }

  private mutating func skipped(to stream: Int32) {
    if gaps.count == Self.gapsKept { gaps.removeFirst() }
    gaps.append((last == 0 ? 1 : last + 2)..<stream)
  }

  mutating func wasReset(_ stream: Int32) {
    if resetByUs.count < resetsKept {
      resetByUs.append(stream)
    } else {
      resetByUs[place] = stream
      place = (place + 1) % resetsKept
    }
  }

  /// The error of HEADERS or DATA on a stream that is not open, though `last` is not below it; nil
  /// where the peer may not know yet that the stream is closed.
  func error(onClosed stream: Int32) -> UInt32? {
    if stream > ignoredAbove || resetByUs.contains(stream) { return nil }
    if gaps.contains(where: { $0.contains(stream) }) { return HTTP2Code.protocolError }
    return HTTP2Code.streamClosed
  }
}
