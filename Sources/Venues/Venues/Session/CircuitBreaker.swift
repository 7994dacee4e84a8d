package import Chrono

/// Stops asking a venue that fails, so that what waits for its answers does not fail with it.
///
/// - closed: everything passes. `failuresMax` failures in a row open it, or a share of failures above
///   `errorMillionthsMax` among at least `requestsMin` requests of the last `window`. Requests that
///   were under way together when one of them failed are one in the row: a venue that stops for a
///   moment takes all of them with it.
/// - open: requests that can wait are refused until `coolDown` is over. Essential ones pass: a cancel
///   lessens exposure, a question about our orders proves it.
/// - half-open: so many of the others as `probes` pass at a time. That many successes close it, one
///   failure opens it again.
///
/// Until the first success it stays closed: a venue that was never reached is not one that fails, and
/// whoever connects has pauses of his own. A limit (429) is no failure: the venue answers, and the
/// request budget waits. (Nygard, Release It!, 2nd edition, chapter 5, "Circuit Breaker"; states and
/// numbers of source document 001, chapter 9.)
///
/// Pure: time is an argument.
package struct CircuitBreaker: Sendable {
  package struct Limits: Sendable, Hashable {
    package var failuresMax = 5
    package var errorMillionthsMax = 500_000
    package var requestsMin = 20
    package var window = Duration.seconds(60)
    package var coolDown = Duration.seconds(10)
    package var probes = 3

    package init() {}
  }

  package enum State: Sendable, Hashable {
    case closed
    case open(until: Uptime)
    case halfOpen
  }

  /// How a request ended, as far as the venue is to be judged by it.
  package enum Outcome: Sendable, Hashable {
    case answered
    /// Why.
    case failed(String)
    /// It says nothing of the venue.
    case unjudged
  }

  /// Given to a request that may go, and handed back at its end.
  package struct Ticket: Sendable, Hashable {
    fileprivate let epoch: Int
    fileprivate let isProbe: Bool
    fileprivate let began: Uptime
  }

  package enum Admission: Sendable, Hashable {
    case admitted(Ticket)
    /// Nothing was sent. After the time it is worth trying again.
    case refused(wait: Duration, reason: String)
  }

  package let limits: Limits
  package private(set) var consecutiveFailures = 0
  package private(set) var openings: UInt64 = 0
  /// What opened it last; empty before.
  package private(set) var reason = ""
  private var current = State.closed
  private var isReached = false
  /// When the newest failure of the row ended.
  private var lastFailure = Uptime(nanoseconds: 0)
  /// Counts changes of the state: what was asked before one says nothing of the time after it.
  private var epoch = 0
  private var probing = 0
  private var successes = 0
  private var slices = [Slice](repeating: Slice(), count: Self.sliceCount)

  /// A tenth of the window.
  private struct Slice {
    var number: UInt64 = 0
    var requests = 0
    var failures = 0
  }

  private static let sliceCount = 10

  package init(_ limits: Limits = Limits()) {
    precondition(limits.failuresMax > 0 && limits.probes > 0, "a breaker of no requests")
    self.limits = limits
  }

  package mutating func state(at now: Uptime) -> State {
    if case .open(let until) = current, now >= until { become(.halfOpen) }
    return current
  }

  package mutating func admit(isEssential: Bool, at now: Uptime) -> Admission {
    switch state(at: now) {
    case .open(let until) where !isEssential: return .refused(wait: until - now, reason: reason)
    case .halfOpen where !isEssential:
      guard probing < limits.probes else { return .refused(wait: .zero, reason: reason) }
      probing += 1
      return .admitted(Ticket(epoch: epoch, isProbe: true, began: now))
    case .closed, .open, .halfOpen:
      return .admitted(Ticket(epoch: epoch, isProbe: false, began: now))
    }
  }

  /// True when that opened it.
  package mutating func ended(_ ticket: Ticket, _ outcome: Outcome, at now: Uptime) -> Bool {
    guard ticket.epoch == epoch else { return false }
    if ticket.isProbe { probing -= 1 }
    switch (current, outcome) {
    case (.open, _), (_, .unjudged): return false
    case (.closed, .answered):
      isReached = true
      consecutiveFailures = 0
      count(failed: false, at: now)
    case (.closed, .failed(let reason)): return failed(ticket, reason, at: now)
    case (.halfOpen, .answered):
      successes += 1
      if successes >= limits.probes { become(.closed) }
    case (.halfOpen, .failed(let reason)): return open(reason, at: now)
    }
    return false
  }

  private mutating func failed(_ ticket: Ticket, _ failure: String, at now: Uptime) -> Bool {
    guard isReached else { return false }
    if consecutiveFailures == 0 || ticket.began >= lastFailure {
      consecutiveFailures += 1
      lastFailure = now
    }
    count(failed: true, at: now)
    if consecutiveFailures >= limits.failuresMax {
      return open("\(consecutiveFailures) failures in a row, the last: \(failure)", at: now)
    }
    let (requests, failures) = counts(at: now)
    guard requests >= limits.requestsMin,
      failures * 1_000_000 > requests * limits.errorMillionthsMax
    else { return false }
    return open(
      "\(failures) of \(requests) requests failed in \(limits.window), the last: \(failure)",
      at: now)
  }

  private mutating func open(_ reason: String, at now: Uptime) -> Bool {
    self.reason = reason
    openings += 1
    become(.open(until: now + limits.coolDown))
    return true
  }

  private mutating func become(_ state: State) {
    current = state
    epoch += 1
    probing = 0
    successes = 0
    if state == .closed {
      consecutiveFailures = 0
      slices = [Slice](repeating: Slice(), count: Self.sliceCount)
    }
  }

  // MARK: Window

  private func number(at now: Uptime) -> UInt64 {
    let length = max(1, limits.window.wholeNanoseconds / Int64(Self.sliceCount))
    return now.nanoseconds / UInt64(length) + 1
  }

  private mutating func count(failed: Bool, at now: Uptime) {
    let number = number(at: now)
    let index = Int(number % UInt64(Self.sliceCount))
    if slices[index].number != number { slices[index] = Slice(number: number) }
    slices[index].requests += 1
    if failed { slices[index].failures += 1 }
  }

  private func counts(at now: Uptime) -> (requests: Int, failures: Int) {
    let number = number(at: now)
    return slices.reduce(into: (0, 0)) { sum, slice in
      guard slice.number > 0, slice.number + UInt64(Self.sliceCount) > number else { return }
      sum.0 += slice.requests
      sum.1 += slice.failures
    }
  }
}
