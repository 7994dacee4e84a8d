import OrderBook
import Units
import Venue

/// A limit order, for tables of cases.
func limit(
  _ orderID: UInt64, _ side: Side, _ price: Int64, _ quantity: Int64,
  _ timeInForce: TimeInForce = .gtc, owner: UInt32 = 9, trigger: Int64? = nil,
  display: Int64? = nil, isAllOrNone: Bool = false, mode: SelfTradePrevention = .none
) -> OrderRequest {
  OrderRequest(
    orderID: orderID, owner: owner, side: side, type: .limit, timeInForce: timeInForce,
    price: Price(price), quantity: Quantity(quantity), selfTradePrevention: mode,
    trigger: trigger.map { Price($0) }, display: display.map { Quantity($0) },
    isAllOrNone: isAllOrNone)
}

/// A market order.
func market(
  _ orderID: UInt64, _ side: Side, _ quantity: Int64, _ timeInForce: TimeInForce = .ioc,
  owner: UInt32 = 9, trigger: Int64? = nil
) -> OrderRequest {
  OrderRequest(
    orderID: orderID, owner: owner, side: side, type: .market, timeInForce: timeInForce,
    price: nil, quantity: Quantity(quantity), selfTradePrevention: .none,
    trigger: trigger.map { Price($0) })
}

/// Seeded commands of every kind, valid and not, around a price that stays put.
struct MatchingFlow {
  enum Command {
    case place(OrderRequest)
    case cancel(orderID: UInt64, owner: UInt32)
    case amend(orderID: UInt64, owner: UInt32, price: Price?, remaining: Quantity)
  }

  private var random: SeededGenerator
  private var orderID: UInt64 = 0
  /// The youngest so many are what cancels and amendments aim at.
  private let reach: UInt64

  init(seed: UInt64, reach: UInt64 = 80) {
    random = SeededGenerator(seed: seed)
    self.reach = reach
  }

  mutating func next() -> Command {
    let roll = random.below(100)
    if roll < 40, orderID > 0 {
      let id = orderID - UInt64(random.below(Int(min(orderID, reach))))
      let owner = UInt32(id % 3) + (random.chance(5) ? 1 : 0)
      if roll < 28 { return .cancel(orderID: id, owner: owner) }
      return .amend(
        orderID: id, owner: owner, price: random.chance(50) ? price() : nil,
        remaining: Quantity(Int64(random.below(50))))
    }
    // Sometimes the number of an order that may still wait: a duplicate.
    let isRepeat = random.chance(2)
    orderID += 1
    let isMarket = random.chance(10)
    var request = OrderRequest(
      orderID: isRepeat ? orderID - UInt64(random.below(20)) % orderID : orderID,
      owner: UInt32(orderID % 3), side: random.chance(50) ? .buy : .sell,
      type: isMarket ? .market : .limit,
      timeInForce: random.chance(60) ? .gtc : TimeInForce.allCases[random.below(4)],
      price: isMarket && !random.chance(3) ? nil : price(),
      quantity: Quantity(Int64(random.below(50))),
      selfTradePrevention: SelfTradePrevention.allCases[random.below(5)])
    switch random.below(10) {
    case 0: request.trigger = price()
    case 1: request.display = Quantity(Int64(random.below(12)))
    case 2: request.isAllOrNone = true
    case 3 where random.chance(20):
      request.trigger = Price(Int64(random.below(3)) - 1)
      request.isAllOrNone = true
    default: break
    }
    return .place(request)
  }

  private mutating func price() -> Price { Price(1_000 + Int64(random.below(21)) - 10) }

  static func run(_ command: Command, on engine: MatchingEngine, into events: inout [MatchEvent]) {
    switch command {
    case .place(let request): engine.place(request, into: &events)
    case .cancel(let orderID, let owner):
      engine.cancel(orderID: orderID, owner: owner, into: &events)
    case .amend(let orderID, let owner, let price, let remaining):
      _ = engine.amend(
        orderID: orderID, owner: owner, price: price, remaining: remaining, into: &events)
    }
  }
}
