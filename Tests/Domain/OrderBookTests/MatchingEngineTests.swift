import OrderBook
import Testing
import Units
import Venue

@Suite struct `Matching engine` {
  private let engine = MatchingEngine(ordersMax: 100)

  private func place(_ request: OrderRequest) -> [MatchEvent] {
    var events: [MatchEvent] = []
    engine.place(request, into: &events)
    return events
  }

  private func trades(_ events: [MatchEvent]) -> [[Int64]] {
    events.compactMap {
      guard case .trade(let match) = $0 else { return nil }
      return [Int64(match.makerOrderID), match.price.raw, match.quantity.raw]
    }
  }

  @Test func `OB-08 better prices fill first and earlier orders before later ones`() {
    _ = place(limit(1, .sell, 101, 5))
    _ = place(limit(2, .sell, 100, 5))
    _ = place(limit(3, .sell, 100, 5))

    let events = place(limit(4, .buy, 101, 12))

    #expect(trades(events) == [[2, 100, 5], [3, 100, 5], [1, 101, 2]])
    #expect(
      events.filter { if case .trade = $0 { false } else { true } } == [
        .accepted(orderID: 4, owner: 9), .level(.sell, level(100, 0)), .level(.sell, level(101, 3)),
        .top(bid: nil, ask: level(101, 3)),
      ])
    #expect(engine.order(1)?.remaining == Quantity(3))
    #expect(engine.order(4) == nil && engine.orderCount == 1)
  }

  @Test func `OB-08 what a limit order does not fill waits behind its price`() {
    _ = place(limit(1, .sell, 100, 5))

    let events = place(limit(2, .buy, 100, 8))

    #expect(
      events.suffix(3) == [
        .level(.sell, level(100, 0)), .level(.buy, level(100, 3)),
        .top(bid: level(100, 3), ask: nil),
      ])
    #expect(engine.levels(.buy, max: 5) == [level(100, 3)])
  }

  @Test(arguments: [
    (TimeInForce.gtc, OrderType.limit, 5, MatchEvent?.none),
    (.ioc, .limit, 5, .expired(orderID: 2, owner: 9, remaining: Quantity(3), .immediateOrCancel)),
    (.ioc, .market, 5, .expired(orderID: 2, owner: 9, remaining: Quantity(3), .immediateOrCancel)),
    (.fok, .limit, 0, .expired(orderID: 2, owner: 9, remaining: Quantity(8), .fillOrKill)),
    (.fok, .market, 0, .expired(orderID: 2, owner: 9, remaining: Quantity(8), .fillOrKill)),
    (.postOnly, .limit, 0, .rejected(orderID: 2, owner: 9, .wouldTakeLiquidity)),
  ])
  func `OB-09 each time in force does with a remainder what its name says`(
    timeInForce: TimeInForce, type: OrderType, filled: Int, ending: MatchEvent?
  ) {
    _ = place(limit(1, .sell, 100, 5))

    let events = place(
      OrderRequest(
        orderID: 2, owner: 9, side: .buy, type: type, timeInForce: timeInForce,
        price: type == .limit ? Price(100) : nil, quantity: Quantity(8), selfTradePrevention: .none)
    )

    #expect(trades(events).reduce(0) { $0 + $1[2] } == Int64(filled))
    if let ending { #expect(events.contains(ending)) }
    #expect((engine.order(2) != nil) == (ending == nil))
  }

  @Test func `OB-08 a fill or kill order that fits fills whole over several levels`() {
    _ = place(limit(1, .sell, 100, 5))
    _ = place(limit(2, .sell, 101, 5))

    let events = place(limit(3, .buy, 101, 10, .fok))

    #expect(trades(events) == [[1, 100, 5], [2, 101, 5]])
  }

  @Test(arguments: [
    (SelfTradePrevention.none, [[Int64(1), 100, 5], [2, 100, 3]], Int64(0), Int64(0), Int64(2)),
    (.newest, [], 5, 0, 5),
    (.oldest, [[2, 100, 5]], 0, 3, 0),
    (.both, [], 0, 0, 5),
    (.decrement, [[2, 100, 3]], 0, 0, 2),
  ])
  func `OB-10 an order that meets its owner's own does what its mode says`(
    mode: SelfTradePrevention, expected: [[Int64]], ownLeft: Int64, takerLeft: Int64,
    otherLeft: Int64
  ) {
    _ = place(limit(1, .sell, 100, 5, owner: 7))
    _ = place(limit(2, .sell, 100, 5, owner: 8))
    var taker = limit(3, .buy, 100, 8, owner: 7)
    taker.selfTradePrevention = mode

    let events = place(taker)

    #expect(trades(events) == expected)
    #expect(engine.order(1)?.remaining.raw ?? 0 == ownLeft)
    #expect(engine.order(2)?.remaining.raw ?? 0 == otherLeft)
    #expect(engine.order(3)?.remaining.raw ?? 0 == takerLeft)
  }

  @Test func `OB-08 only the owner cancels and a smaller order keeps its place`() {
    _ = place(limit(1, .buy, 100, 5, owner: 7))
    _ = place(limit(2, .buy, 100, 5, owner: 8))
    var events: [MatchEvent] = []

    #expect(!engine.cancel(orderID: 1, owner: 8, into: &events) && events.isEmpty)
    #expect(engine.amend(orderID: 1, owner: 7, remaining: Quantity(2), into: &events) == nil)
    #expect(
      events == [
        .reduced(orderID: 1, owner: 7, remaining: Quantity(2)), .level(.buy, level(100, 7)),
        .top(bid: level(100, 7), ask: nil),
      ])
    #expect(trades(place(limit(3, .sell, 100, 3))) == [[1, 100, 2], [2, 100, 1]])
    #expect(engine.cancelAll(owner: 8, into: &events) == 1)
    #expect(engine.orderCount == 0 && engine.best(.buy) == nil)
  }

  @Test func `OB-08 what cannot be an order is rejected with its reason`() {
    _ = place(limit(1, .buy, 100, 5))
    func reason(_ request: OrderRequest) -> RejectReason? {
      guard case .rejected(_, _, let reason) = place(request).first else { return nil }
      return reason
    }

    #expect(reason(limit(1, .buy, 100, 5)) == .duplicateOrder)
    #expect(reason(limit(2, .buy, 100, 0)) == .invalidOrder)
    #expect(reason(limit(2, .buy, -1, 5)) == .pricePrecision)
    #expect(reason(limit(2, .buy, 100, .max)) == .maxSize)
    let full = MatchingEngine(ordersMax: 1)
    var events: [MatchEvent] = []
    full.place(limit(1, .buy, 100, 5), into: &events)
    events = []
    full.place(limit(2, .buy, 100, 5), into: &events)
    #expect(events == [.rejected(orderID: 2, owner: 9, .overloaded)])
  }
}
