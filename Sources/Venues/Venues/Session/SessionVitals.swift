/// How a session is doing, as of now: what its counters do not tell.
package struct SessionVitals: Sendable, Hashable {
  /// Every limit that is counted, by the names of the registry.
  package var limits: [LimitUse]
  package var breaker: BreakerReport
  /// The clock offset is at most this far off; nil before the venue told its time.
  package var clockUncertainty: Duration?
  /// The venue has told us to stop, and orders are held back for so long.
  package var blockedFor: Duration

  package init(
    limits: [LimitUse] = [], breaker: BreakerReport = BreakerReport(),
    clockUncertainty: Duration? = nil, blockedFor: Duration = .zero
  ) {
    self.limits = limits
    self.breaker = breaker
    self.clockUncertainty = clockUncertainty
    self.blockedFor = blockedFor
  }
}

/// One limit and what is taken of it.
package struct LimitUse: Sendable, Hashable {
  package var name: String
  package var max: Int
  package var used: Int

  package init(_ name: String, max: Int, used: Int) {
    self.name = name
    self.max = max
    self.used = used
  }

  package var remaining: Int { Swift.max(0, max - used) }
}

package struct BreakerReport: Sendable, Hashable {
  package var state: CircuitBreaker.State
  package var consecutiveFailures: Int
  package var openings: UInt64
  /// What opened it last; empty before.
  package var reason: String
  /// Until requests are tried again; zero unless it is open.
  package var wait: Duration

  package init(
    state: CircuitBreaker.State = .closed, consecutiveFailures: Int = 0, openings: UInt64 = 0,
    reason: String = "", wait: Duration = .zero
  ) {
    self.state = state
    self.consecutiveFailures = consecutiveFailures
    self.openings = openings
    self.reason = reason
    self.wait = wait
  }
}
