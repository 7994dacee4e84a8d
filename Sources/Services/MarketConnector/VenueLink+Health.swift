internal import Chrono
internal import Contracts
internal import MarketQuality
internal import Telemetry
internal import Venue
internal import Venues

/// The health contract of source document 001 ("Venue Health Monitoring"), and what we know besides.
extension VenueLink {
  var health: MarketV1.VenueHealth {
    let (counters, vitals, now) = (session.counters, session.vitals, time.now)
    var health = MarketV1.VenueHealth()
    health.venue = venue
    health.time = .init(now)
    health.api = api(counters, vitals.limits)
    health.publicWs = publicStream(counters)
    health.privateWs = privateStream(counters)
    health.breaker = MarketV1.CircuitBreaker(vitals.breaker, at: now)
    health.circuitBreakerOpen = health.breaker?.state == .open
    health.gaps = counters.gaps.value
    health.checksumFailures = counters.checksums.value
    health.snapshots = counters.snapshots.value
    health.missedTrades = counters.missedTrades.value
    health.malformed = counters.malformed.value
    health.clockOffsetMs = (session.clockOffset ?? .zero).wholeNanoseconds / 1_000_000
    // Rounded up: a bound is not to be told too small.
    let uncertainty = (vitals.clockUncertainty ?? .zero).wholeNanoseconds
    health.clockUncertaintyMs = UInt64(max(0, (uncertainty + 999_999) / 1_000_000))
    let rates = QualityCounts.sum(books.map(\.monitor.counts))
    health.staleMillionths = rates.stale
    health.crossedMillionths = rates.crossed
    health.gapMillionths = rates.gaps
    return health
  }

  private func api(_ counters: VenueCounters, _ limits: [LimitUse]) -> MarketV1.ApiHealth {
    var api = MarketV1.ApiHealth()
    api.requestsPerSecond = watch.requestsPerSecond
    api.limited = counters.limited.value
    api.requests = counters.requests.value
    api.unknownOutcomes = counters.unknownOutcomes.value
    api.http429Count = counters.throttled.value
    api.errorMillionths = watch.errorMillionths
    api.averageLatencyUs = watch.averageLatencyMicroseconds
    api.windowSeconds = UInt32(clamping: watch.window.components.seconds)
    api.limits = limits.map(MarketV1.LimitUse.init)
    let tightest = limits.min {
      Double($0.remaining) / Double($0.max) < Double($1.remaining) / Double($1.max)
    }
    api.rateLimitRemaining = UInt32(clamping: tightest?.remaining ?? 0)
    return api
  }

  private func publicStream(_ counters: VenueCounters) -> MarketV1.StreamHealth {
    var stream = MarketV1.StreamHealth()
    stream.connected = counters.open.value > 0
    stream.reconnects = counters.reconnections.value
    stream.messagesPerSecond = watch.messagesPerSecond
    let last = max(lastMessage, watch.lastMessage)
    if last > .epoch { stream.lastMessage = .init(last) }
    return stream
  }

  private func privateStream(_ counters: VenueCounters) -> MarketV1.StreamHealth {
    var stream = MarketV1.StreamHealth()
    stream.connected = isPrivateConnected
    stream.reconnects = counters.privateReconnections.value
    stream.messagesPerSecond = watch.reportsPerSecond
    if lastReport > .epoch { stream.lastMessage = .init(lastReport) }
    return stream
  }
}

extension VenueLink {
  /// Why no order would reach the venue now; nil when one would, as far as is known.
  nonisolated var closure: MarketV1.VenueClosure? {
    let vitals = session.vitals
    var closure = MarketV1.VenueClosure()
    closure.venue = venue
    if vitals.blockedFor > .zero {
      closure.rejectReason = .rateLimit
      closure.reason = "the venue has told us to stop"
      closure.forMs = Self.milliseconds(vitals.blockedFor)
    } else if vitals.breaker.wait > .zero {
      closure.rejectReason = .venueUnavailable
      closure.reason = "the circuit breaker is open: \(vitals.breaker.reason)"
      closure.forMs = Self.milliseconds(vitals.breaker.wait)
    } else {
      return nil
    }
    return closure
  }

  /// Rounded up.
  private static func milliseconds(_ time: Duration) -> UInt64 {
    UInt64(max(0, (time.wholeNanoseconds + 999_999) / 1_000_000))
  }
}

extension MarketV1.LimitUse {
  init(_ use: LimitUse) {
    self.init()
    name = use.name
    max = UInt32(clamping: use.max)
    used = UInt32(clamping: use.used)
    remaining = UInt32(clamping: use.remaining)
  }
}

extension MarketV1.CircuitBreaker {
  init(_ report: BreakerReport, at now: Instant) {
    self.init()
    consecutiveFailures = UInt32(clamping: report.consecutiveFailures)
    openings = report.openings
    reason = report.reason
    switch report.state {
    case .closed: state = .closed
    case .halfOpen: state = .halfOpen
    case .open:
      state = .open
      openUntil = .init(now + report.wait)
    }
  }
}
