internal import Chrono

/// What a client of Kraken may do in which time: counters that requests raise and time lowers.
///
/// Numbers are hundredths, as counters fall by fractions a second.
package struct KrakenTier: Sendable, Hashable {
  /// The private REST counter of an account.
  package var callsMax: Int64
  package var callsDecay: Int64
  /// The trading engine's counter of an account and pair.
  package var ordersMax: Int64
  package var ordersDecay: Int64
  /// Open orders of an account and pair, not in hundredths.
  package var openOrdersMax: Int

  /// docs.kraken.com/api/docs/guides/spot-rest-ratelimits and spot-ratelimits.
  package static let starter = KrakenTier(
    callsMax: 15_00, callsDecay: 33, ordersMax: 60_00, ordersDecay: 1_00, openOrdersMax: 60)
  package static let intermediate = KrakenTier(
    callsMax: 20_00, callsDecay: 50, ordersMax: 125_00, ordersDecay: 2_34, openOrdersMax: 80)
  package static let pro = KrakenTier(
    callsMax: 20_00, callsDecay: 1_00, ordersMax: 180_00, ordersDecay: 3_75, openOrdersMax: 225)

  /// So many times as much.
  func times(_ factor: Int) -> KrakenTier {
    let many = Int64(factor)
    return KrakenTier(
      callsMax: callsMax * many, callsDecay: callsDecay * many, ordersMax: ordersMax * many,
      ordersDecay: ordersDecay * many, openOrdersMax: openOrdersMax * factor)
  }
}

/// What is done to an order, and what that costs; its age decides.
enum KrakenTransaction {
  case add
  case amend(age: Duration)
  case edit(age: Duration)
  case cancel(age: Duration)

  /// The part that is counted whatever becomes of the request, and the part of the order's age, in
  /// hundredths.
  var cost: (fixed: Int64, aged: Int64) {
    switch self {
    case .add: (1_00, 0)
    case .amend(let age): (1_00, Self.step(age, [(5, 3), (10, 2), (15, 1)]))
    case .edit(let age):
      (1_00, Self.step(age, [(5, 6), (10, 5), (15, 4), (45, 2), (90, 1)]))
    case .cancel(let age):
      (0, Self.step(age, [(5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)]))
    }
  }

  private static func step(_ age: Duration, _ steps: [(seconds: Int, cost: Int64)]) -> Int64 {
    (steps.first { age < .seconds($0.seconds) }?.cost ?? 0) * 100
  }
}

/// The counters of all accounts.
struct KrakenCounters {
  private struct Counter {
    /// Hundred-thousandths: hundredths of a count and thousandths of a second.
    var used: Int64 = 0
    var since: Instant

    mutating func fall(by decay: Int64, to now: Instant) {
      // A day empties every counter.
      let passed = min(86_400_000, max(0, now.milliseconds - since.milliseconds))
      used = max(0, used - decay * passed)
      since = max(since, now)
    }
  }

  private struct Pair: Hashable {
    let account: Int
    let market: Int
  }

  /// Calls that the trading engine's counter is for.
  static let engineCalls: Set<String> = ["AddOrder", "AmendOrder", "EditOrder", "CancelOrder"]

  private let tier: KrakenTier
  private var calls: [Int: Counter] = [:]
  private var orders: [Pair: Counter] = [:]

  init(_ tier: KrakenTier) { self.tier = tier }

  /// A private call: 2 for ledgers and histories of trades, 1 for others, none for orders.
  mutating func call(_ name: String, account: Int, now: Instant) throws(KrakenError) {
    let cost: Int64 =
      ["TradesHistory", "Ledgers", "QueryTrades", "QueryLedgers"].contains(name)
      ? 2_00 : 1_00
    var counter = calls[account] ?? Counter(since: now)
    counter.fall(by: tier.callsDecay, to: now)
    defer { calls[account] = counter }
    guard counter.used + cost * 1_000 <= tier.callsMax * 1_000 else {
      throw .tooManyCalls
    }
    counter.used += cost * 1_000
  }

  /// Refused where the threshold would be passed; the fixed part counts all the same. A cancel is
  /// never refused, it only counts.
  mutating func transact(
    _ transaction: KrakenTransaction, account: Int, market: Int, open: Int, now: Instant
  ) throws(KrakenError) {
    let cost = transaction.cost
    let pair = Pair(account: account, market: market)
    var counter = orders[pair] ?? Counter(since: now)
    counter.fall(by: tier.ordersDecay, to: now)
    defer { orders[pair] = counter }
    if case .cancel = transaction {
      counter.used += cost.aged * 1_000
      return
    }
    guard counter.used + (cost.fixed + cost.aged) * 1_000 <= tier.ordersMax * 1_000 else {
      counter.used = min(counter.used + cost.fixed * 1_000, tier.ordersMax * 1_000)
      throw KrakenError("EOrder:Rate limit exceeded")
    }
    if case .add = transaction, open >= tier.openOrdersMax {
      counter.used += cost.fixed * 1_000
      throw KrakenError("EOrder:Orders limit exceeded")
    }
    counter.used += (cost.fixed + cost.aged) * 1_000
  }
}

/// What REST and WebSocket do with orders alike: counted, then done.
extension SimulatedVenue {
  mutating func krakenCount(
    _ transaction: KrakenTransaction, _ order: PrivateOrder, now: Instant
  ) throws(KrakenError) {
    try krakenCounters.transact(
      transaction, account: order.account, market: order.market, open: 0, now: now)
  }

  mutating func krakenPlace(
    _ form: KrakenOrderForm, _ account: Int, now: Instant
  ) throws(KrakenError) -> PrivateOrder {
    let market = try exchange.krakenMarket(form.pair)
    let open = exchange.ledger.openOrders(account: account, market: market).count
    try krakenCounters.transact(.add, account: account, market: market, open: open, now: now)
    return try exchange.krakenPlace(form, account).order
  }

  mutating func krakenCancel(_ order: PrivateOrder, now: Instant) throws(KrakenError) {
    try krakenCount(.cancel(age: now - order.since), order, now: now)
    beforeCancel(order)
    try exchange.krakenCancel(order)
  }

  mutating func krakenCancelAll(_ account: Int, now: Instant) throws(KrakenError) -> Int {
    let open = exchange.ledger.openOrders(account: account, market: nil)
    for order in open {
      try krakenCount(.cancel(age: now - order.since), order, now: now)
      try exchange.krakenCancel(order)
    }
    return open.count
  }
}
