package import Chrono
internal import Venue

/// Kraken's limits, counted on our side: one counter of calls a key, and one of orders a pair.
///
/// Both are counters that requests raise and time lowers. Costs and limits are in hundredths, as
/// the counters fall by fractions a second. (docs.kraken.com/api/docs/guides/spot-rest-ratelimits
/// and spot-ratelimits; the standard is the tier "Intermediate".)
package struct KrakenLimits: Sendable {
  package struct Settings: Sendable, Hashable {
    /// Most calls, and by how much their counter falls a second.
    package var callsMax = 20_00
    package var callsDecay = 50
    package var ordersMax = 125_00
    package var ordersDecay = 2_34

    package init() {}

    /// Where ours are given, they are in calls and orders.
    init(_ own: OwnLimits) {
      if let most = own.requestWeightMax { callsMax = most * 100 }
      if let most = own.orderRateMax { ordersMax = most * 100 }
    }
  }

  /// What is done to an order; its age decides what that costs.
  package enum Change: Sendable, Hashable {
    case add
    case amend(age: Duration?)
    case cancel(age: Duration?)

    /// Hundredths. An order of unknown age counts as old, as it was not placed by us of late.
    package var cost: Int {
      switch self {
      case .add: 1_00
      case .amend(let age):
        1_00 + Self.step(age, [(5, 3_00), (10, 2_00), (15, 1_00)])
      case .cancel(let age):
        Self.step(
          age, [(5, 8_00), (10, 6_00), (15, 5_00), (45, 4_00), (90, 2_00), (300, 1_00)])
      }
    }

    private static func step(_ age: Duration?, _ steps: [(seconds: Int, cost: Int)]) -> Int {
      guard let age else { return 0 }
      return steps.first { age < .seconds($0.seconds) }?.cost ?? 0
    }
  }

  /// What an account of the standard tier has, for the registry.
  static var registered: [RequestLimit] { limits(Settings()) }

  /// By the names of the registry.
  static func limits(_ settings: Settings) -> [RequestLimit] {
    [
      RequestLimit(callsName, max: settings.callsMax, .decay(perSecond: settings.callsDecay)),
      RequestLimit(ordersName, max: settings.ordersMax, .decay(perSecond: settings.ordersDecay)),
    ]
  }

  /// How many new orders are taken, each of which costs a hundred.
  static func orderLimits(_ settings: Settings) -> [OrderLimit] {
    limits(settings).filter { $0.name == ordersName }
      .map { OrderLimit($0, unit: Change.add.cost, isPerInstrument: true) }
  }

  /// What is taken of both now, by the registry's names; of the pairs the one with the least left.
  package mutating func uses(at now: Instant) -> [LimitUse] {
    var fullest = 0
    for pair in Array(orderBudgets.keys) {
      fullest = max(fullest, orderBudgets[pair]?.uses(at: now).first?.used ?? 0)
    }
    let calls = callBudget.uses(at: now).first?.used ?? 0
    return [
      LimitUse(Self.callsName, max: settings.callsMax, used: calls),
      LimitUse(Self.ordersName, max: settings.ordersMax, used: fullest),
    ]
  }

  private static let callsName = "calls, hundredths"
  private static let ordersName = "orders of the pair, hundredths"

  private static let calls = "calls"
  private static let orders = "orders of the pair"

  private let settings: Settings
  private var callBudget: RequestBudget
  private var orderBudgets: [String: RequestBudget] = [:]
  /// Until then nothing at all is let in.
  private var lockedUntil = Instant.epoch
  /// When our orders of the last minutes were placed or amended.
  private var births: [String: Instant] = [:]

  /// After this long an order's age costs nothing.
  private static let ageMax = Duration.seconds(300)
  /// More births than this are swept of the old ones.
  private static let birthsMax = 4_096

  package init(_ settings: Settings = Settings()) {
    self.settings = settings
    callBudget = RequestBudget([
      RequestLimit(
        Self.calls, max: settings.callsMax, .decay(perSecond: settings.callsDecay))
    ])
  }

  /// A call that costs so many hundredths.
  package mutating func takeCall(_ cost: Int, at now: Instant) -> RequestBudget.Answer {
    callBudget.take([RequestBudget.Cost(Self.calls, cost)], at: now)
  }

  /// Calls that are counted have to wait; orders have a counter of their own.
  package mutating func block(for time: Duration, at now: Instant) {
    callBudget.block(for: time, at: now)
  }

  /// The venue has locked us out: whoever goes on prolongs it.
  package mutating func lock(for time: Duration, at now: Instant) {
    lockedUntil = max(lockedUntil, now + time)
    callBudget.block(for: time, at: now)
  }

  /// How long nothing is let in still; nil when we are not locked out.
  package func lockout(at now: Instant) -> Duration? {
    now < lockedUntil ? lockedUntil - now : nil
  }

  package mutating func takeOrder(
    _ clientOrderID: String, _ change: Change, of pair: String, at now: Instant
  ) -> RequestBudget.Answer {
    let cost = change.cost
    var budget = orderBudgets[pair] ?? newBudget()
    var answer = budget.take([RequestBudget.Cost(Self.orders, cost)], at: now)
    if case .cancel = change, answer != .granted {
      // A cancel is never held back: it takes what is left, and the counter tells of it.
      budget.observe(settings.ordersMax, of: Self.orders, at: now)
      answer = .granted
    }
    orderBudgets[pair] = budget
    if case .cancel = change {
      births[clientOrderID] = nil
    } else if answer == .granted {
      born(clientOrderID, at: now)
    }
    return answer
  }

  /// How old an order of ours is; nil when it is not one of the last minutes.
  package func age(of clientOrderID: String, at now: Instant) -> Duration? {
    births[clientOrderID].map { now - $0 }
  }

  private mutating func born(_ clientOrderID: String, at now: Instant) {
    births[clientOrderID] = now
    guard births.count > Self.birthsMax else { return }
    births = births.filter { now - $0.value < Self.ageMax }
  }

  private func newBudget() -> RequestBudget {
    RequestBudget([
      RequestLimit(
        Self.orders, max: settings.ordersMax, .decay(perSecond: settings.ordersDecay))
    ])
  }
}
