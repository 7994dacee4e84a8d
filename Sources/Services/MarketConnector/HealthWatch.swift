internal import Chrono
internal import Contracts
internal import MarketQuality
internal import Telemetry
internal import Venues

/// Rates of a venue, from its counters as they were and as they are: messages and requests a second
/// from one look to the next, errors and latency over a window of looks.
struct HealthWatch {
  /// The counters at one look.
  private struct Look {
    var time: Instant
    var requests: UInt64 = 0
    var errors: UInt64 = 0
    var answers: UInt64 = 0
    var answerSeconds = 0.0
    var messages: UInt64 = 0
    var reports: UInt64 = 0
  }

  let window: Duration
  /// Oldest first; the first is at or before the beginning of the window.
  private var looks: [Look] = []
  private(set) var requestsPerSecond: UInt32 = 0
  private(set) var messagesPerSecond: UInt32 = 0
  private(set) var reportsPerSecond: UInt32 = 0
  /// When the public stream said anything, heartbeats too; known to the look.
  private(set) var lastMessage = Instant.epoch

  init(window: Duration) { self.window = window }

  /// To be called about once a second.
  mutating func look(_ counters: VenueCounters, reports: UInt64, at now: Instant) {
    let look = Look(
      time: now, requests: counters.requests.value,
      errors: counters.failures.value + counters.throttled.value,
      answers: counters.answerTime.count, answerSeconds: counters.answerTime.sum,
      messages: counters.messages.value, reports: reports)
    if let last = looks.last {
      let elapsed = max(1, (now - last.time).wholeNanoseconds / 1_000_000)
      requestsPerSecond = Self.rate(look.requests - last.requests, elapsed)
      messagesPerSecond = Self.rate(look.messages - last.messages, elapsed)
      reportsPerSecond = Self.rate(look.reports - last.reports, elapsed)
    }
    if look.messages > looks.last?.messages ?? 0 { lastMessage = now }
    looks.append(look)
    while looks.count > 2, now - looks[1].time >= window { looks.removeFirst() }
  }

  /// Of the requests within the window, in millionths; 0 without any.
  var errorMillionths: UInt32 {
    guard let first = looks.first, let last = looks.last, last.requests > first.requests else {
      return 0
    }
    let errors = last.errors - first.errors
    return UInt32(clamping: min(1_000_000, errors * 1_000_000 / (last.requests - first.requests)))
  }

  /// Of the answers within the window; 0 without any.
  var averageLatencyMicroseconds: UInt32 {
    guard let first = looks.first, let last = looks.last, last.answers > first.answers else {
      return 0
    }
    let seconds = (last.answerSeconds - first.answerSeconds) / Double(last.answers - first.answers)
    return UInt32(clamping: Int64(seconds * 1_000_000))
  }

  private static func rate(_ count: UInt64, _ milliseconds: Int64) -> UInt32 {
    UInt32(clamping: count * 1_000 / UInt64(milliseconds))
  }
}

extension QualityCounts {
  /// Of several instruments together.
  static func sum(_ all: [QualityCounts]) -> (stale: UInt64, crossed: UInt64, gaps: UInt64) {
    func share(_ part: (QualityCounts) -> UInt64, _ whole: (QualityCounts) -> UInt64) -> UInt64 {
      let (parts, wholes) = (all.reduce(0) { $0 + part($1) }, all.reduce(0) { $0 + whole($1) })
      return wholes == 0 ? 0 : parts * 1_000_000 / wholes
    }
    return (
      share({ $0.failures(of: .stale) }, { $0.timed }),
      share({ $0.failures(of: .crossed) }, { $0.books }), share({ $0.gaps }, { $0.events })
    )
  }
}
