internal import Chrono

/// How often something may happen: so many at once, and so many per second after that.
package struct RateLimit: Sendable, Hashable {
  package var burst: Int
  package var perSecond: Int

  package init(burst: Int, perSecond: Int) {
    self.burst = burst
    self.perSecond = perSecond
  }
}

/// How much of what is legal one by one an HTTP/2 peer may do before it is sent away with
/// ENHANCE_YOUR_CALM. Ordinary clients stay far below all of these.
package struct FloodLimits: Sendable, Hashable {
  /// RST_STREAM (CVE-2023-44487, "rapid reset").
  package var resets = RateLimit(burst: 1_000, perSecond: 100)
  /// Streams that we reset because of what the peer sent (CVE-2025-8671, "made you reset").
  package var provokedResets = RateLimit(burst: 1_000, perSecond: 100)
  /// PING without ACK, also when answers are sent in between (CVE-2019-9512).
  package var pings = RateLimit(burst: 1_000, perSecond: 100)
  /// SETTINGS without ACK; one counts for each 256 bytes begun (CVE-2019-9515).
  package var settings = RateLimit(burst: 100, perSecond: 10)
  /// WINDOW_UPDATE beyond two for each DATA frame that we have sent.
  package var windowUpdates = RateLimit(burst: 10_000, perSecond: 1_000)
  /// Empty DATA that does not end its stream, PRIORITY and frames of unknown types, beyond four for
  /// each request (CVE-2019-9518).
  package var emptyFrames = RateLimit(burst: 1_000, perSecond: 100)
  /// CONTINUATION frames of one header block, empty ones too (CVE-2024-27316).
  package var continuationsMax = 8
  /// Between two pings while nothing is sent to the peer; more often is a strike. gRPC's clients
  /// ping every 10 s at most, give or take.
  package var pingIntervalMin = Duration.seconds(5)
  /// Strikes that are forgiven; the next one is `too_many_pings` (gRFC A8).
  package var pingStrikesMax = 2

  package init() {}
}

/// What is left of a `RateLimit`. The clock is read only when the burst is used up.
struct RateBudget: Sendable {
  private let limit: RateLimit
  private var left: Int
  private var filledAt: Uptime

  init(_ limit: RateLimit, now: Uptime) {
    self.limit = limit
    left = limit.burst
    filledAt = now
  }

  /// False when the burst is used up; `refill` has the last word then.
  @inline(__always)
  mutating func spend(_ cost: Int = 1) -> Bool {
    left -= cost
    return left >= 0
  }

  /// Adds what the time and the peer have earned; false when that is not enough.
  mutating func refill(_ earned: Int = 0, at now: Uptime) -> Bool {
    let passed = (now - filledAt).wholeNanoseconds
    let (due, overflows) = Int(passed / 1_000).multipliedReportingOverflow(by: limit.perSecond)
    let gained = overflows ? limit.burst : due / 1_000_000
    // A fraction that is not given out now counts the next time.
    if gained > 0 { filledAt = now }
    let whole = gained.addingReportingOverflow(earned)
    left = min(limit.burst, whole.overflow ? limit.burst : left + whole.partialValue)
    return left >= 0
  }
}
