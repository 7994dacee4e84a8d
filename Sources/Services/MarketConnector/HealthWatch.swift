internal import Chrono
internal import Contracts
internal import MarketQuality
internal import Telemetry
internal import Venues

/// A venue's health, from its counters as they were a second ago and as they are.
struct HealthWatch {
  private var requests: UInt64 = 0
  private var messages: UInt64 = 0
  private var since = Instant.epoch
  private(set) var requestsPerSecond: UInt32 = 0
  private(set) var messagesPerSecond: UInt32 = 0

  /// To be called about once a second.
  mutating func look(_ counters: VenueCounters, at now: Instant) {
    let (requests, messages) = (counters.requests.value, counters.messages.value)
    let elapsed = max(1, (now - since).wholeNanoseconds / 1_000_000)
    if since > .epoch {
      requestsPerSecond = rate(requests - self.requests, elapsed)
      messagesPerSecond = rate(messages - self.messages, elapsed)
    }
    (self.requests, self.messages, since) = (requests, messages, now)
  }

  private func rate(_ count: UInt64, _ milliseconds: Int64) -> UInt32 {
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
