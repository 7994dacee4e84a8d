import CAllocationCount
import OrderBook
import Testing
import Units
import Venue

@Suite struct `Matching duel` {
  /// 20 seeds of 50,000 operations: a million.
  @Test(arguments: 1...20)
  func `OB-08 OB-09 OB-10 a million random operations give what the naive twin gives`(
    seed: UInt64
  ) {
    var flow = MatchingFlow(seed: seed, reach: 40)
    let engine = MatchingEngine(ordersMax: 24)
    var naive = NaiveMatcher(ordersMax: 24)
    var events: [MatchEvent] = []

    for step in 0..<50_000 {
      events.removeAll(keepingCapacity: true)
      let expected: [MatchEvent]
      switch flow.next() {
      case .place(let request):
        engine.place(request, into: &events)
        expected = naive.place(request)
      case .cancel(let orderID, let owner):
        engine.cancel(orderID: orderID, owner: owner, into: &events)
        expected = naive.cancel(orderID, owner: owner)
      case .amend(let orderID, let owner, let price, let remaining):
        let reason = engine.amend(
          orderID: orderID, owner: owner, price: price, remaining: remaining, into: &events)
        let amended = naive.amend(orderID, owner: owner, price: price, remaining: remaining)
        expected = amended.1
        #expect(reason == amended.0, "seed \(seed) step \(step)")
      }
      guard events == expected else {
        Issue.record("seed \(seed) step \(step): \(events) is not \(expected)")
        return
      }
    }
    for side in Side.allCases {
      #expect(orders(of: engine, side) == naive.resting(side), "seed \(seed)")
    }
    #expect(engine.orderCount == naive.count, "seed \(seed)")
  }

  @Test(arguments: [21, 22, 23, 24])
  func `OB-06 OB-08 both feeds reproduce the book, and every unit is filled, ended or waiting`(
    seed: UInt64
  ) {
    var flow = MatchingFlow(seed: seed)
    let engine = MatchingEngine(ordersMax: 500)
    var events: [MatchEvent] = []
    var open: [UInt64: Int64] = [:]
    var feed = NaiveBook()

    for _ in 0..<50_000 {
      let command = flow.next()
      events.removeAll(keepingCapacity: true)
      MatchingFlow.run(command, on: engine, into: &events)
      for event in events {
        account(for: event, command, &open)
        if case .level(let side, let level) = event {
          feed.set(side, level.price, to: level.quantity)
        }
      }
      if let bid = engine.best(.buy), let ask = engine.best(.sell), bid.price >= ask.price {
        Issue.record("seed \(seed): crossed")
        return
      }
    }

    var waiting: [UInt64: Int64] = [:]
    for side in Side.allCases {
      for order in orders(of: engine, side) { waiting[order.orderID] = order.remaining.raw }
      #expect(feed.levels(side) == engine.levels(side, max: .max), "seed \(seed)")
    }
    #expect(open.filter { $0.value != 0 } == waiting, "seed \(seed)")
  }

  /// What one event does to the open quantities, and what it must not be.
  private func account(
    for event: MatchEvent, _ command: MatchingFlow.Command, _ open: inout [UInt64: Int64]
  ) {
    switch event {
    case .rejected, .top, .level, .triggered: break
    case .accepted(let id, _):
      guard case .place(let request) = command else { return }
      open[id] = request.quantity.raw
    case .trade(let match):
      open[match.makerOrderID]! -= match.quantity.raw
      open[match.takerOrderID]! -= match.quantity.raw
      #expect(open[match.makerOrderID] == match.makerRemaining.raw)
      #expect(open[match.takerOrderID] == match.takerRemaining.raw)
      if case .place(let request) = command, request.orderID == match.takerOrderID,
        request.selfTradePrevention != .none
      {
        #expect(match.makerOwner != match.takerOwner)
      }
    case .prevented(let maker, let taker, _, let quantity):
      open[maker]! -= quantity.raw
      open[taker]! -= quantity.raw
    case .cancelled(let id, _, let left), .expired(let id, _, let left, _):
      #expect(open[id] == left.raw)
      open[id] = 0
    case .reduced(let id, _, let left), .replaced(let id, _, _, let left): open[id] = left.raw
    }
  }

  @Test func `MD-22 the same commands give the same events and the same state`() {
    func run(seed: UInt64) -> (UInt64, [MatchEvent]) {
      var flow = MatchingFlow(seed: seed)
      let engine = MatchingEngine(ordersMax: 500)
      var events: [MatchEvent] = []
      for _ in 0..<5_000 { MatchingFlow.run(flow.next(), on: engine, into: &events) }
      return (engine.stateHash, events)
    }

    let first = run(seed: 5)
    let second = run(seed: 5)

    #expect(first.0 == second.0 && first.1 == second.1)
    #expect(first.0 != run(seed: 6).0)
  }

  @Test(.enabled(if: allocation_count() >= 0))
  func `once a market has been at its largest, placing, trading and cancelling allocate nothing`() {
    let engine = MatchingEngine(ordersMax: 1_000)
    var random = SeededGenerator(seed: 3)
    var events: [MatchEvent] = []
    events.reserveCapacity(4_096)
    var nextID: UInt64 = 0
    func step() {
      nextID += 1
      let side: Side = random.chance(50) ? .buy : .sell
      let price = 1_000 - side.sign * (Int64(random.below(60)) - 2)
      events.removeAll(keepingCapacity: true)
      // Written out: the builder of the tables allocates without optimisation.
      engine.place(
        OrderRequest(
          orderID: nextID, owner: 9, side: side, type: .limit, timeInForce: .gtc,
          price: Price(price), quantity: Quantity(1 + Int64(random.below(9))),
          selfTradePrevention: .none), into: &events)
      guard nextID > 900 else { return }
      engine.cancel(orderID: nextID - 900, owner: 9, into: &events)
    }
    for _ in 0..<20_000 { step() }
    let trades = engine.nextTradeID

    let before = allocation_count()
    for _ in 0..<20_000 { step() }
    let allocated = allocation_count() - before

    #expect(allocated == 0)
    #expect(engine.nextTradeID > trades + 1_000)
  }
}

/// Shown orders, all-or-none orders and stops of a side, each in the order of its turn.
private func orders(of engine: MatchingEngine, _ side: Side) -> [RestingOrder] {
  var found: [RestingOrder] = []
  let collect: (RestingOrder) -> Bool = {
    found.append($0)
    return true
  }
  engine.forEachOrder(side, collect)
  engine.forEachAllOrNone(side, collect)
  engine.forEachStop(side, collect)
  return found
}
