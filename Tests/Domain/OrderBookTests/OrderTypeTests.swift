import OrderBook
import Testing
import Units
import Venue

/// A trade of a case: maker, taker, price, quantity.
private func fill(_ maker: UInt64, _ taker: UInt64, _ price: Int64, _ quantity: Int64) -> [Int64] {
  [Int64(maker), Int64(taker), price, quantity]
}

/// Orders that arrive, and the trades that must come of it.
struct CrossingCase: Sendable, CustomTestStringConvertible {
  let name: String
  let orders: [OrderRequest]
  let trades: [[Int64]]
  /// Shown to everyone at the end, price and quantity from the touch outwards.
  var bids: [[Int64]] = []
  var asks: [[Int64]] = []

  var testDescription: String { name }
}

private let crossings: [CrossingCase] = [
  CrossingCase(
    name: "a market order takes what there is and expires",
    orders: [limit(1, .sell, 100, 5), limit(2, .sell, 103, 5), market(3, .buy, 20)],
    trades: [fill(1, 3, 100, 5), fill(2, 3, 103, 5)]),
  CrossingCase(
    name: "an IOC stops at its limit",
    orders: [limit(1, .sell, 100, 5), limit(2, .sell, 101, 5), limit(3, .buy, 100, 8, .ioc)],
    trades: [fill(1, 3, 100, 5)], asks: [[101, 5]]),
  CrossingCase(
    name: "a FOK that does not fit takes nothing",
    orders: [limit(1, .sell, 100, 5), limit(2, .buy, 100, 6, .fok)], trades: [],
    asks: [[100, 5]]),
  CrossingCase(
    name: "a FOK counts what icebergs hide",
    orders: [limit(1, .sell, 100, 10, display: 2), limit(2, .buy, 100, 9, .fok)],
    trades: [
      fill(1, 2, 100, 2), fill(1, 2, 100, 2), fill(1, 2, 100, 2), fill(1, 2, 100, 2),
      fill(1, 2, 100, 1),
    ],
    asks: [[100, 1]]),
  CrossingCase(
    name: "a post-only order that would take never existed",
    orders: [limit(1, .sell, 100, 5), limit(2, .buy, 100, 5, .postOnly)], trades: [],
    asks: [[100, 5]]),
  CrossingCase(
    name: "an iceberg shows a part, and the next part stands behind the others",
    orders: [
      limit(1, .sell, 100, 9, display: 3), limit(2, .sell, 100, 4), limit(3, .buy, 100, 5),
      limit(4, .buy, 100, 4),
    ],
    trades: [fill(1, 3, 100, 3), fill(2, 3, 100, 2), fill(2, 4, 100, 2), fill(1, 4, 100, 2)],
    asks: [[100, 1]]),
  CrossingCase(
    name: "an all-or-none order waits unseen until it fills whole",
    orders: [
      limit(1, .sell, 100, 5), limit(2, .buy, 101, 8, isAllOrNone: true), limit(3, .sell, 101, 4),
    ],
    trades: [fill(1, 2, 100, 5), fill(3, 2, 101, 3)], asks: [[101, 1]]),
  CrossingCase(
    name: "an all-or-none order is no maker for a part",
    orders: [limit(1, .buy, 100, 8, isAllOrNone: true), limit(2, .sell, 100, 5)], trades: [],
    asks: [[100, 5]]),
  CrossingCase(
    name: "an all-or-none order yields to what is shown at its price and not to what is worse",
    orders: [
      limit(1, .buy, 100, 3, isAllOrNone: true), limit(2, .buy, 100, 3), limit(3, .buy, 99, 3),
      limit(4, .sell, 99, 8),
    ],
    trades: [fill(2, 4, 100, 3), fill(1, 4, 100, 3), fill(3, 4, 99, 2)], bids: [[99, 1]]),
  CrossingCase(
    name: "a stop enters at the first trade that reaches its price",
    orders: [
      limit(1, .sell, 101, 1), limit(2, .sell, 102, 5), market(3, .buy, 2, trigger: 101),
      limit(4, .buy, 101, 1),
    ],
    trades: [fill(1, 4, 101, 1), fill(2, 3, 102, 2)], asks: [[102, 3]]),
  CrossingCase(
    name: "a stop-limit that cannot trade waits at its limit",
    orders: [
      limit(1, .buy, 99, 1), limit(2, .sell, 97, 4, trigger: 99), limit(3, .buy, 90, 1),
      limit(4, .sell, 99, 1),
    ],
    trades: [fill(1, 4, 99, 1)], bids: [[90, 1]], asks: [[97, 4]]),
  CrossingCase(
    name: "a stop whose price was already reached enters at once",
    orders: [
      limit(1, .sell, 100, 2), limit(2, .buy, 100, 1), market(3, .buy, 1, trigger: 99),
    ],
    trades: [fill(1, 2, 100, 1), fill(1, 3, 100, 1)]),
  CrossingCase(
    name: "stops set each other off: those that buy first, lowest first",
    orders: [
      limit(1, .sell, 100, 1), limit(2, .sell, 101, 1), limit(3, .sell, 102, 1),
      limit(4, .sell, 103, 1), market(5, .buy, 1, trigger: 102), market(6, .buy, 1, trigger: 101),
      market(7, .buy, 1, trigger: 100), limit(8, .buy, 100, 1),
    ],
    trades: [fill(1, 8, 100, 1), fill(2, 7, 101, 1), fill(3, 6, 102, 1), fill(4, 5, 103, 1)]),
]

@Suite struct `Order types` {
  @Test(arguments: crossings)
  func `OB-09 orders that cross trade as the table says`(_ crossing: CrossingCase) {
    let engine = MatchingEngine(ordersMax: 100)
    var events: [MatchEvent] = []

    for order in crossing.orders { engine.place(order, into: &events) }

    let trades: [[Int64]] = events.compactMap {
      guard case .trade(let match) = $0 else { return nil }
      return fill(
        match.makerOrderID, match.takerOrderID, match.price.raw, match.quantity.raw)
    }
    #expect(trades == crossing.trades)
    #expect(shown(engine, .buy) == crossing.bids)
    #expect(shown(engine, .sell) == crossing.asks)
  }

  private func shown(_ engine: MatchingEngine, _ side: Side) -> [[Int64]] {
    engine.levels(side, max: .max).map { [$0.price.raw, $0.quantity.raw] }
  }

  @Test func `OB-09 a smaller order keeps its place, a larger or dearer one goes to the end`() {
    let engine = MatchingEngine(ordersMax: 100)
    var events: [MatchEvent] = []
    for id in 1...4 { engine.place(limit(UInt64(id), .buy, 100, 5), into: &events) }
    func amend(_ id: UInt64, price: Int64? = nil, _ remaining: Int64) -> RejectReason? {
      engine.amend(
        orderID: id, owner: 9, price: price.map { Price($0) }, remaining: Quantity(remaining),
        into: &events)
    }

    #expect(amend(1, 3) == nil)
    #expect(amend(2, 6) == nil)
    #expect(amend(3, price: 99, 5) == nil && amend(3, price: 100, 5) == nil)

    var ids: [UInt64] = []
    engine.forEachOrder(.buy) {
      ids.append($0.orderID)
      return true
    }
    #expect(ids == [1, 4, 2, 3])
    #expect(engine.best(.buy)?.quantity == Quantity(19))
  }

  @Test func `OB-09 an amended order that crosses trades, and a refused one is as it was`() {
    let engine = MatchingEngine(ordersMax: 100)
    var events: [MatchEvent] = []
    engine.place(limit(1, .sell, 105, 5), into: &events)
    engine.place(limit(2, .buy, 100, 5), into: &events)
    engine.place(limit(3, .buy, 99, 5, .postOnly), into: &events)
    let before = engine.stateHash
    events = []
    func amend(_ id: UInt64, _ owner: UInt32, _ price: Int64, _ left: Int64) -> RejectReason? {
      engine.amend(
        orderID: id, owner: owner, price: Price(price), remaining: Quantity(left), into: &events)
    }

    #expect(amend(3, 9, 105, 5) == .wouldTakeLiquidity)
    #expect(amend(2, 8, 105, 5) == .unknownOrder)
    #expect(amend(2, 9, 0, 5) == .pricePrecision)
    #expect(amend(2, 9, 105, 0) == .invalidOrder)
    #expect(events.isEmpty && engine.stateHash == before)
    #expect(amend(2, 9, 105, 7) == nil)

    #expect(
      events.prefix(2) == [
        .replaced(orderID: 2, owner: 9, price: Price(105), remaining: Quantity(7)),
        .level(.buy, PriceLevel(price: Price(100), quantity: .zero)),
      ])
    #expect(engine.order(2)?.remaining == Quantity(2) && engine.order(1) == nil)
  }

  @Test(arguments: [
    (limit(1, .buy, 100, 5, .postOnly, trigger: 99), RejectReason.invalidOrder),
    (limit(1, .buy, 100, 5, trigger: 0), .pricePrecision),
    (limit(1, .buy, 100, 5, .ioc, display: 2), .invalidOrder),
    (limit(1, .buy, 100, 5, display: 0), .invalidOrder),
    (limit(1, .buy, 100, 5, .fok, isAllOrNone: true), .invalidOrder),
    (limit(1, .buy, 100, 5, display: 2, isAllOrNone: true), .invalidOrder),
  ])
  func `OB-09 features that contradict each other are refused`(
    request: OrderRequest, reason: RejectReason
  ) {
    var events: [MatchEvent] = []
    MatchingEngine(ordersMax: 2).place(request, into: &events)
    #expect(events == [.rejected(orderID: 1, owner: 9, reason)])
  }

  @Test func `OB-09 stops and all-or-none orders are cancelled in silence, and by their owner`() {
    let engine = MatchingEngine(ordersMax: 10)
    var events: [MatchEvent] = []
    engine.place(market(1, .buy, 5, trigger: 110), into: &events)
    engine.place(limit(2, .sell, 105, 5, isAllOrNone: true), into: &events)
    engine.place(limit(3, .sell, 106, 5, owner: 8, trigger: 90), into: &events)
    events = []

    #expect(engine.order(1)?.trigger == Price(110) && engine.order(2)?.shown == .zero)
    #expect(engine.cancelAll(owner: 9, into: &events) == 2)

    #expect(
      events == [
        .cancelled(orderID: 2, owner: 9, remaining: Quantity(5)),
        .cancelled(orderID: 1, owner: 9, remaining: Quantity(5)),
      ])
    #expect(engine.orderCount == 1)
  }
}
