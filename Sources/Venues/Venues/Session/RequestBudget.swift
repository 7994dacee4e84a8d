package import Chrono
internal import Venue

/// One of a venue's limits on how much may be asked.
package struct RequestLimit: Sendable, Hashable {
  package enum Rule: Sendable, Hashable {
    /// So much within each window of the venue's clock (Binance, OKX).
    case window(Duration)
    /// A counter that every request raises and time lowers by so much a second (Kraken).
    case decay(perSecond: Int)
  }

  package var name: String
  package var max: Int
  package var rule: Rule
  /// So much of it is left to cancels, where they count at it like all else.
  package var keptForCancels = 0

  package init(_ name: String, max: Int, _ rule: Rule) {
    precondition(max > 0, "a limit of \(max)")
    self.name = name
    self.max = max
    self.rule = rule
  }
}

extension OrderLimit {
  /// `unit`: what one order costs of it.
  init(_ limit: RequestLimit, unit: Int, isPerInstrument: Bool) {
    self.init(
      name: limit.name, ordersMax: limit.max / unit, rule: Rule(limit.rule, unit: unit),
      isPerInstrument: isPerInstrument)
  }
}

extension OrderLimit.Rule {
  fileprivate init(_ rule: RequestLimit.Rule, unit: Int) {
    self =
      switch rule {
      case .window(let length): .window(length)
      case .decay(let perSecond): .decay(hundredthsPerSecond: perSecond * 100 / unit)
      }
  }
}

/// Keeps what we ask of a venue within its limits, before the venue has to say so.
///
/// Pure: time is an argument. Each limit has a use in thousandths, so that decay is exact.
package struct RequestBudget: Sendable {
  /// What a request costs at one limit.
  package struct Cost: Sendable, Hashable {
    package var limit: String
    package var amount: Int

    package init(_ limit: String, _ amount: Int) {
      self.limit = limit
      self.amount = amount
    }
  }

  package enum Answer: Sendable, Hashable {
    case granted
    /// Nothing was taken; after this time it will fit.
    case wait(Duration, limit: String)
  }

  fileprivate struct Use {
    let limit: RequestLimit
    var thousandths: Int64 = 0
    /// Start of the window, or the moment of the last decay.
    var since = Instant.epoch
  }

  private var uses: [Use]
  private var blockedUntil = Instant.epoch

  package init(_ limits: [RequestLimit]) { uses = limits.map { Use(limit: $0) } }

  /// All costs or none. A cost at a limit that there is not counts nothing. Cancels pass before all
  /// else.
  package mutating func take(
    _ costs: [Cost], isCancel: Bool = false, at now: Instant
  ) -> Answer {
    if now < blockedUntil { return .wait(blockedUntil - now, limit: "blocked by the venue") }
    for index in uses.indices { uses[index].advance(to: now) }
    var longest: (wait: Duration, limit: String)?
    for cost in costs {
      guard let use = uses.first(where: { $0.limit.name == cost.limit }) else { continue }
      let kept = isCancel ? 0 : Int64(use.limit.keptForCancels) * 1_000
      let wait = use.wait(for: Int64(cost.amount) * 1_000, keeping: kept, at: now)
      if wait > longest?.wait ?? .zero { longest = (wait, cost.limit) }
    }
    if let longest { return .wait(longest.wait, limit: longest.limit) }
    for cost in costs {
      guard let index = uses.firstIndex(where: { $0.limit.name == cost.limit }) else { continue }
      uses[index].thousandths += Int64(cost.amount) * 1_000
    }
    return .granted
  }

  /// The venue's own count, which knows of others behind our address.
  package mutating func observe(_ used: Int, of limit: String, at now: Instant) {
    guard let index = uses.firstIndex(where: { $0.limit.name == limit }) else { return }
    uses[index].advance(to: now)
    // A number from outside: what is beyond the limit is no more than all of it.
    let told = Int64(min(max(0, used), uses[index].limit.max)) * 1_000
    uses[index].thousandths = max(uses[index].thousandths, told)
  }

  /// Binance's longest ban; a header may say anything.
  private static let blockMax = Duration.seconds(3 * 86_400)

  /// The venue said to stop (429, 418).
  package mutating func block(for time: Duration, at now: Instant) {
    blockedUntil = max(blockedUntil, now + min(max(.zero, time), Self.blockMax))
  }

  /// For how long the venue has told us to stop.
  package func blocked(at now: Instant) -> Duration { max(.zero, blockedUntil - now) }

  /// Every limit with what is taken of it now; all of it while the venue has told us to stop.
  package mutating func uses(at now: Instant) -> [LimitUse] {
    for index in uses.indices { uses[index].advance(to: now) }
    return uses.map { use in
      let taken = min(use.limit.max, Int((use.thousandths + 999) / 1_000))
      return LimitUse(
        use.limit.name, max: use.limit.max, used: now < blockedUntil ? use.limit.max : taken)
    }
  }
}

extension RequestBudget.Use {
  fileprivate mutating func advance(to now: Instant) {
    switch limit.rule {
    case .window(let length):
      let start = now.nanoseconds - now.nanoseconds % length.wholeNanoseconds
      guard start > since.nanoseconds else { return }
      since = Instant(nanoseconds: start)
      thousandths = 0
    case .decay(let perSecond):
      guard now > since else { return }
      let elapsed = min((now - since).wholeNanoseconds, 3_600_000_000_000)
      thousandths = max(0, thousandths - elapsed / 1_000_000 * Int64(perSecond))
      // What is less than a millisecond counts the next time.
      since = elapsed == 3_600_000_000_000 ? now : since + .milliseconds(elapsed / 1_000_000)
    }
  }

  /// Zero when `more` fits now beside what is kept. More than the limit itself fits an unused one only.
  fileprivate func wait(for more: Int64, keeping kept: Int64, at now: Instant) -> Duration {
    let most = Int64(limit.max) * 1_000 - kept
    let over = thousandths == 0 ? 0 : thousandths + more - most
    guard over > 0 else { return .zero }
    switch limit.rule {
    case .window(let length): return since + length - now
    case .decay(let perSecond):
      let needed = min(over, thousandths)
      return .milliseconds((needed + Int64(perSecond) - 1) / Int64(perSecond))
    }
  }
}
