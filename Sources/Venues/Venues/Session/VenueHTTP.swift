internal import Chrono
internal import Loop
private import Synchronization
internal import Telemetry
internal import Transport
internal import Venue

/// What a request is for, as far as the circuit breaker wants to know.
enum RequestPurpose: Sendable, Hashable {
  /// It may make exposure.
  case order
  case cancel
  /// About our own orders, fills, balances and the stream that tells of them.
  case account
  /// Public, and can wait.
  case data

  /// It passes while the breaker is open.
  var isEssential: Bool { self == .cancel || self == .account }
}

/// What an answer says of the venue's health.
enum AnswerVerdict: Sendable, Hashable {
  case good
  /// Too many requests.
  case limited
  /// The venue does not know itself, or says that it cannot: why.
  case failed(String)

  init(_ failure: VenueFailure) {
    switch failure {
    case .unknown(let text): self = .failed(text)
    case .definite(.rateLimit, _): self = .limited
    case .definite: self = .good
    }
  }
}

/// The one door to a venue's REST API: every request is counted, timed, and held back while the
/// circuit breaker is open.
final class VenueHTTP: Sendable {
  let counters: VenueCounters
  private let client: HTTPClient
  /// Cancels have connections of their own: they wait behind no orders.
  private let cancels: HTTPClient
  private let loop: EventLoop
  private let log: Log
  private let breaker: Mutex<CircuitBreaker>
  private let hold: OrderHold

  /// A connection carries one request at a time: 24 are 240 orders a second at a venue 100 ms away. What
  /// waits for one longer than a request may take is in doubt, and costs a question besides.
  static let connectionsMax = 24
  private static let cancelConnectionsMax = 4

  init(_ settings: VenueSettings, loop: EventLoop, log: Log, counters: VenueCounters) {
    client = HTTPClient(
      loop: loop, trust: settings.trust, connectionsMax: Self.connectionsMax)
    cancels = HTTPClient(
      loop: loop, trust: settings.trust, connectionsMax: Self.cancelConnectionsMax)
    self.loop = loop
    self.log = log
    self.counters = counters
    breaker = Mutex(CircuitBreaker(settings.breaker))
    hold = settings.hold
  }

  /// An answer of any status. `judge` says what it means for the venue's health.
  func send(
    _ request: HTTPClientRequest, _ purpose: RequestPurpose,
    judge: (HTTPClientResponse) -> AnswerVerdict
  ) async throws(VenueFailure) -> HTTPClientResponse {
    var request = request
    if purpose == .order {
      guard !hold.isClosed(at: loop.uptime) else { throw Self.held }
      request.objection = { [hold, loop] in
        hold.isClosed(at: loop.uptime) ? OrderHold.reason : nil
      }
    }
    let ticket = try admit(purpose)
    counters.requests.increment()
    let began = loop.uptime
    do throws(HTTPClientError) {
      let response = try await (purpose == .cancel ? cancels : client).send(request)
      counters.answerTime.observe(loop.uptime - began)
      switch judge(response) {
      case .good: ended(ticket, .answered)
      case .limited:
        counters.throttled.increment()
        ended(ticket, .answered)
      case .failed(let text):
        counters.failures.increment()
        ended(ticket, .failed(text))
      }
      return response
    } catch {
      guard error.kind != .withheld else {
        ended(ticket, .unjudged)
        throw Self.held
      }
      counters.failures.increment()
      let isOurs = Self.isOurs(error, after: loop.uptime - began, of: request.timeout)
      ended(ticket, isOurs ? .unjudged : .failed(error.description))
      // Only a promise that nothing was sent makes silence a refusal.
      throw error.mayHaveReachedPeer
        ? .unknown(error.description)
        : .definite(.venueUnavailable, text: error.description)
    }
  }

  private static let held = VenueFailure.definite(.killSwitch, text: OrderHold.reason)

  /// The time was over in our own queue, or was looked at late, or nobody waits any longer: then the venue
  /// may well have answered.
  private static func isOurs(
    _ error: HTTPClientError, after elapsed: Duration, of timeout: Duration
  ) -> Bool {
    error.kind == .queued || error.kind == .cancelled
      || (error.kind == .timeout && elapsed > timeout + latenessMax)
  }

  /// A loop that is later than this was stopped, by the machine or by work.
  private static let latenessMax = Duration.milliseconds(250)

  private func admit(_ purpose: RequestPurpose) throws(VenueFailure) -> CircuitBreaker.Ticket {
    let now = loop.uptime
    switch breaker.withLock({ $0.admit(isEssential: purpose.isEssential, at: now) }) {
    case .admitted(let ticket): return ticket
    case .refused(let wait, let reason):
      counters.breakerRefusals.increment()
      throw .definite(
        .venueUnavailable,
        text: wait > .zero
          ? "the circuit breaker is open for another \(wait): \(reason)"
          : "the circuit breaker is half-open, and its probes are under way: \(reason)")
    }
  }

  private func ended(_ ticket: CircuitBreaker.Ticket, _ outcome: CircuitBreaker.Outcome) {
    let now = loop.uptime
    let opened = breaker.withLock { $0.ended(ticket, outcome, at: now) }
    guard opened else { return }
    counters.breakerOpenings.increment()
    log.error(
      "the venue's circuit breaker has opened",
      ["reason": .text(breaker.withLock { $0.reason })])
  }

  var isHalfOpen: Bool {
    let now = loop.uptime
    return breaker.withLock { $0.state(at: now) == .halfOpen }
  }

  var breakerReport: BreakerReport {
    let now = loop.uptime
    return breaker.withLock { breaker in
      let state = breaker.state(at: now)
      return BreakerReport(
        state: state, consecutiveFailures: breaker.consecutiveFailures,
        openings: breaker.openings, reason: breaker.reason,
        wait: { if case .open(let until) = state { until - now } else { .zero } }())
    }
  }
}
