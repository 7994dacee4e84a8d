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
    (.expireTaker, [], 5, 0, 5),
    (.expireMaker, [[2, 100, 5]], 0, 3, 0),
    (.expireBoth, [], 0, 0, 5),
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

  @Test func `OB-08 only the owner cancels and reducing keeps the place`() {
    _ = place(limit(1, .buy, 100, 5, owner: 7, name: "mine"))
    _ = place(limit(2, .buy, 100, 5, owner: 8, name: "mine"))
    var events: [MatchEvent] = []

    #expect(!engine.cancel(orderID: 1, owner: 8, into: &events) && events.isEmpty)
    #expect(engine.order(clientOrderID: "mine", owner: 8)?.orderID == 2)
    #expect(engine.reduce(orderID: 1, owner: 7, to: Quantity(2), into: &events))
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
    _ = place(limit(1, .buy, 100, 5, name: "a"))
    func reason(_ request: OrderRequest) -> RejectReason? {
      guard case .rejected(_, _, let reason) = place(request).first else { return nil }
      return reason
    }

    #expect(reason(limit(1, .buy, 100, 5)) == .duplicateOrder)
    #expect(reason(limit(2, .buy, 100, 5, name: "a")) == .duplicateOrder)
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

  @Test(arguments: 1...6)
  func `OB-08 a seeded duel with the naive twin gives the same events`(seed: UInt64) {
    var flow = RandomFlow(seed: seed)
    let engine = MatchingEngine(ordersMax: 60)
    var naive = NaiveMatcher(ordersMax: 60)
    var events: [MatchEvent] = []

    for step in 0..<1_500 {
      events.removeAll(keepingCapacity: true)
      let expected: [MatchEvent]
      switch flow.next() {
      case .place(let request):
        engine.place(request, into: &events)
        expected = naive.place(request)
      case .cancel(let orderID, let owner):
        engine.cancel(orderID: orderID, owner: owner, into: &events)
        expected = naive.cancel(orderID, owner: owner)
      }
      guard events == expected else {
        Issue.record("seed \(seed) step \(step): \(events) is not \(expected)")
        return
      }
    }
    for side in Side.allCases {
      var ids: [UInt64] = []
      engine.forEachOrder(side) { order in
        ids.append(order.orderID)
        return true
      }
      #expect(ids == naive.queue(side).map(\.request.orderID), "seed \(seed)")
    }
  }

  @Test(arguments: [21, 22, 23])
  func `OB-06 OB-08 both feeds reproduce the book, and every unit is filled, ended or waiting`(
    seed: UInt64
  ) {
    var flow = RandomFlow(seed: seed)
    let engine = MatchingEngine(ordersMax: 500)
    var events: [MatchEvent] = []
    var open: [UInt64: Int64] = [:]
    var feed = NaiveBook()

    for _ in 0..<20_000 {
      let command = flow.next()
      events.removeAll(keepingCapacity: true)
      flow.run(command, on: engine, into: &events)
      for event in events {
        switch event {
        case .rejected, .top: break
        case .accepted(let id, _):
          guard case .place(let request) = command else { continue }
          open[id] = request.quantity.raw
        case .trade(let match):
          open[match.makerOrderID]! -= match.quantity.raw
          open[match.takerOrderID]! -= match.quantity.raw
          #expect(open[match.makerOrderID] == match.makerRemaining.raw)
          #expect(open[match.takerOrderID] == match.takerRemaining.raw)
        case .prevented(let maker, let taker, _, let quantity):
          open[maker]! -= quantity.raw
          open[taker]! -= quantity.raw
        case .cancelled(let id, _, let left), .expired(let id, _, let left, _):
          #expect(open[id] == left.raw)
          open[id] = 0
        case .reduced(let id, _, let left): open[id] = left.raw
        case .level(let side, let level): feed.set(side, level.price, to: level.quantity)
        }
      }
    }

    var waiting: [UInt64: Int64] = [:]
    for side in Side.allCases {
      engine.forEachOrder(side) { order in
        waiting[order.orderID] = order.remaining.raw
        return true
      }
      #expect(feed.levels(side) == engine.levels(side, max: .max), "seed \(seed)")
    }
    #expect(open.filter { $0.value != 0 } == waiting, "seed \(seed)")
    if let bid = engine.best(.buy), let ask = engine.best(.sell) { #expect(bid.price < ask.price) }
  }

  @Test func `MD-22 the same commands give the same events and the same state`() {
    func run(seed: UInt64) -> (UInt64, [MatchEvent]) {
      var flow = RandomFlow(seed: seed)
      let engine = MatchingEngine(ordersMax: 500)
      var events: [MatchEvent] = []
      for _ in 0..<5_000 { flow.run(flow.next(), on: engine, into: &events) }
      return (engine.stateHash, events)
    }

    let first = run(seed: 5)
    let second = run(seed: 5)

    #expect(first.0 == second.0 && first.1 == second.1)
    #expect(first.0 != run(seed: 6).0)
  }
}

private func limit(
  _ orderID: UInt64, _ side: Side, _ price: Int64, _ quantity: Int64,
  _ timeInForce: TimeInForce = .gtc, owner: UInt32 = 9, name: String = ""
) -> OrderRequest {
  OrderRequest(
    orderID: orderID, owner: owner, clientOrderID: name, side: side, type: .limit,
    timeInForce: timeInForce, price: Price(price), quantity: Quantity(quantity),
    selfTradePrevention: .none)
}

/// Seeded commands of every kind, valid and not, around a price that stays put.
private struct RandomFlow {
  enum Command {
    case place(OrderRequest)
    case cancel(orderID: UInt64, owner: UInt32)
  }

  private var random: SeededGenerator
  private var orderID: UInt64 = 0

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func next() -> Command {
    if random.chance(30), orderID > 0 {
      let id = orderID - UInt64(random.below(Int(min(orderID, 80))))
      return .cancel(orderID: id, owner: UInt32(id % 3) + (random.chance(5) ? 1 : 0))
    }
    // Sometimes the number of an order that may still wait: a duplicate.
    let isRepeat = random.chance(2)
    orderID += 1
    let owner = UInt32(orderID % 3)
    let isMarket = random.chance(10)
    let hasName = random.chance(30)
    return .place(
      OrderRequest(
        orderID: isRepeat ? orderID - UInt64(random.below(20)) % orderID : orderID, owner: owner,
        clientOrderID: hasName ? "order-\(random.below(200))" : "",
        side: random.chance(50) ? .buy : .sell, type: isMarket ? .market : .limit,
        timeInForce: random.chance(60) ? .gtc : TimeInForce.allCases[random.below(4)],
        price: isMarket && !random.chance(3) ? nil : Price(1_000 + Int64(random.below(21)) - 10),
        quantity: Quantity(Int64(random.below(50))),
        selfTradePrevention: SelfTradePrevention.allCases[random.below(5)]))
  }

  func run(_ command: Command, on engine: MatchingEngine, into events: inout [MatchEvent]) {
    switch command {
    case .place(let request): engine.place(request, into: &events)
    case .cancel(let orderID, let owner):
      engine.cancel(orderID: orderID, owner: owner, into: &events)
    }
  }
}
