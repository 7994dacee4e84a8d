import Chrono
import OrderBook
import Testing
import Units
import Venue

@Suite struct `Playback book` {
  private let book = PlaybackBook(ordersMax: 100)

  init() {
    var events: [MatchEvent] = []
    book.play(
      snapshot(
        10, bids: [level(99, 10), level(98, 20)], asks: [level(101, 10), level(102, 20)]),
      into: &events)
  }

  private func place(
    _ orderID: UInt64, _ side: Side, _ price: Int64?, _ quantity: Int64,
    _ timeInForce: TimeInForce = .gtc
  ) -> [MatchEvent] {
    var events: [MatchEvent] = []
    book.place(ours(orderID, side, price, quantity, timeInForce), into: &events)
    return events
  }

  private func play(_ event: MarketEvent) -> [[Int64]] {
    var events: [MatchEvent] = []
    book.play(event, into: &events)
    return fills(events)
  }

  @Test func `OB-08 a marketable order takes recorded levels once until they change`() {
    #expect(fills(place(1, .buy, 101, 4)) == [[1, 101, 4]])
    #expect(fills(place(2, .buy, nil, 10, .ioc)) == [[2, 101, 6], [2, 102, 4]])
    #expect(fills(place(3, .buy, 101, 1, .ioc)) == [])
    #expect(book.market.levels(.sell, max: 9) == [level(101, 10), level(102, 20)])

    _ = play(.delta(delta(11...11, asks: [level(102, 20)])))
    #expect(fills(place(4, .buy, 101, 1, .ioc)) == [])
    _ = play(.delta(delta(12...12, asks: [level(101, 7)])))

    #expect(fills(place(5, .buy, 102, 30, .ioc)) == [[5, 101, 7], [5, 102, 16]])
  }

  @Test func `OB-09 fill or kill and post only look at what is left of the recording`() {
    #expect(fills(place(1, .buy, 102, 31, .fok)) == [])
    #expect(fills(place(2, .buy, 102, 30, .fok)) == [[2, 101, 10], [2, 102, 20]])
    #expect(
      place(3, .sell, 99, 1, .postOnly)
        == [.rejected(orderID: 3, owner: 1, .wouldTakeLiquidity)])
    #expect(place(4, .buy, 101, 1, .postOnly) == [.accepted(orderID: 4, owner: 1)])
  }

  @Test func `OB-08 a resting order fills after the queue ahead of it has traded`() {
    _ = place(1, .buy, 99, 5)
    _ = place(2, .buy, 99, 5)
    #expect(book.quantityAhead(of: 1) == Quantity(10))

    #expect(play(print(99, 8, .sell)) == [])
    #expect(book.quantityAhead(of: 1) == Quantity(2))
    #expect(play(print(99, 4, .buy)) == [])
    #expect(play(print(99, 4, .sell)) == [[1, 99, 2]])
    #expect(play(print(99, 20, .sell)) == [[1, 99, 3], [2, 99, 5]])
    #expect(book.orderCount == 0)
  }

  @Test func `OB-08 a print through the price fills up to what it traded`() {
    _ = place(1, .buy, 99, 5)
    _ = place(2, .buy, 98, 5)

    #expect(play(print(97, 3, .sell)) == [[1, 99, 3]])
    #expect(book.quantityAhead(of: 2) == .zero)
    #expect(play(print(98, 3, .sell)) == [[1, 99, 2], [2, 98, 1]])
  }

  @Test func `OB-08 cancels ahead shrink the queue in proportion and trades count once`() {
    _ = place(1, .buy, 98, 5)
    _ = play(.delta(delta(11...11, bids: [level(98, 40)])))
    #expect(book.quantityAhead(of: 1) == Quantity(20))

    // 40 waiting, 20 of them ahead: of 10 cancelled 5 were ahead.
    _ = play(.delta(delta(12...12, bids: [level(98, 30)])))
    #expect(book.quantityAhead(of: 1) == Quantity(15))

    // The 6 traded are part of the fall to 24: nobody cancelled.
    _ = play(print(98, 6, .sell))
    _ = play(.delta(delta(13...13, bids: [level(98, 24)])))
    #expect(book.quantityAhead(of: 1) == Quantity(9))
    _ = play(.delta(delta(14...14, bids: [level(98, 12)])))
    #expect(book.quantityAhead(of: 1) == Quantity(5))
    _ = play(.delta(delta(15...15, bids: [level(98, 0)])))
    #expect(book.quantityAhead(of: 1) == .zero)
  }

  @Test func `OB-08 a resting order fills when the recorded other side reaches it`() {
    _ = place(1, .buy, 99, 5)

    let reached = delta(11...11, bids: [level(99, 0)], asks: [level(99, 3)])
    #expect(play(.delta(reached)) == [[1, 99, 3]])
    #expect(play(.delta(delta(12...12, asks: [level(103, 1)]))) == [])
    #expect(play(.delta(delta(13...13, asks: [level(98, 9)]))) == [[1, 99, 2]])
  }

  @Test func `OB-08 a delta older than the snapshot changes nothing`() {
    _ = play(.delta(delta(9...10, bids: [level(99, 1)])))

    #expect(book.market.bestBid == level(99, 10))
  }

  @Test func `OB-08 an order is cancelled by its owner and its number`() {
    var request = ours(1, .buy, 99, 5, .gtc)
    var events: [MatchEvent] = []
    book.place(request, into: &events)
    book.place(request, into: &events)

    #expect(events.last == .rejected(orderID: 1, owner: 1, .duplicateOrder))
    request.orderID = 2
    request.isAllOrNone = true
    book.place(request, into: &events)
    #expect(events.last == .rejected(orderID: 2, owner: 1, .invalidOrder))
    #expect(!book.cancel(orderID: 1, owner: 2, into: &events))
    #expect(book.cancel(orderID: 1, owner: 1, into: &events))
    #expect(events.last == .cancelled(orderID: 1, owner: 1, remaining: Quantity(5)))
    #expect(book.orderCount == 0)
  }

  @Test(arguments: 1...5)
  func `MD-22 our orders leave the recording as it was and the same input gives the same fills`(
    seed: UInt64
  ) {
    let first = Session(seed: seed)
    let second = Session(seed: seed)
    first.run(steps: 4_000)
    second.run(steps: 4_000)

    #expect(first.events == second.events, "seed \(seed)")
    #expect(first.book.stateHash == second.book.stateHash, "seed \(seed)")
    #expect(first.book.market.stateHash == first.reference.stateHash, "seed \(seed)")
    #expect(first.makerFills > 0 && first.takerFills > 0, "seed \(seed)")
  }
}

private func ours(
  _ orderID: UInt64, _ side: Side, _ price: Int64?, _ quantity: Int64, _ timeInForce: TimeInForce
) -> OrderRequest {
  OrderRequest(
    orderID: orderID, owner: 1, side: side, type: price == nil ? .market : .limit,
    timeInForce: timeInForce, price: price.map { Price($0) }, quantity: Quantity(quantity),
    selfTradePrevention: .none)
}

private func print(_ price: Int64, _ quantity: Int64, _ aggressor: Side) -> MarketEvent {
  .trade(
    Trade(
      instrument: InstrumentID(0), tradeID: 1, price: Price(price), quantity: Quantity(quantity),
      aggressor: aggressor, exchangeTime: .epoch, receivedTime: .epoch))
}

/// Our order, price and quantity of every trade.
private func fills(_ events: [MatchEvent]) -> [[Int64]] {
  events.compactMap {
    guard case .trade(let match) = $0 else { return nil }
    return [
      Int64(match.makerOrderID + match.takerOrderID), match.price.raw, match.quantity.raw,
    ]
  }
}

/// A seeded recording with orders of ours in between, checked at every step.
private final class Session {
  let book = PlaybackBook(ordersMax: 40)
  let reference = PriceLevelBook()
  var events: [MatchEvent] = []
  var makerFills = 0
  var takerFills = 0
  private var random: SeededGenerator
  private var left: [UInt64: Int64] = [:]
  private var updateID: UInt64 = 0
  private var orderID: UInt64 = 0

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  func run(steps: Int) {
    for _ in 0..<steps {
      let start = events.count
      switch random.below(10) {
      case 0..<5: changeLevels()
      case 5..<7:
        let quantity = Int64(random.below(30) + 1)
        book.play(
          print(price(), quantity, random.chance(50) ? .buy : .sell), into: &events)
        let filled = events[start...].reduce(Int64(0)) { sum, event in
          guard case .trade(let match) = event else { return sum }
          return sum + match.quantity.raw
        }
        #expect(filled <= quantity)
      case 7..<9: order()
      default:
        book.cancel(
          orderID: orderID - UInt64(random.below(10)) % (orderID + 1), owner: 1, into: &events)
      }
      check(events[start...])
    }
    let waiting = left.filter { $0.value > 0 }.keys
    #expect(waiting.count == book.orderCount)
    #expect(waiting.allSatisfy { book.order($0)?.remaining.raw == left[$0] })
  }

  private func price() -> Int64 { 1_000 + Int64(random.below(21)) - 10 }

  private func changeLevels() {
    updateID += 1
    let middle = price()
    var bids = [level(middle - 1 - Int64(random.below(10)), Int64(random.below(30)))]
    var asks = [level(middle + Int64(random.below(10)), Int64(random.below(30)))]
    // The recording is never crossed: what the middle passed is gone.
    reference.forEachLevel(.buy) { bid in
      if bid.price.raw >= middle { bids.append(level(bid.price.raw, 0)) }
      return bid.price.raw >= middle
    }
    reference.forEachLevel(.sell) { ask in
      if ask.price.raw < middle { asks.append(level(ask.price.raw, 0)) }
      return ask.price.raw < middle
    }
    let change = delta(updateID...updateID, bids: bids, asks: asks)
    reference.apply(change)
    book.play(change, into: &events)
    #expect(!reference.isCrossed)
  }

  private func order() {
    orderID += 1
    let side: Side = random.chance(50) ? .buy : .sell
    let isMarket = random.chance(10)
    let timeInForce: TimeInForce =
      isMarket || random.chance(60) ? .gtc : TimeInForce.allCases[random.below(4)]
    let request = ours(
      orderID, side, isMarket ? nil : price(), Int64(random.below(40) + 1), timeInForce)
    let shown = reference.sweep(side, request.quantity, limit: request.price)
    let start = events.count
    book.place(request, into: &events)
    left[orderID] = request.quantity.raw
    let taken = fills(Array(events[start...])).reduce(0) { $0 + $1[2] }
    #expect(taken <= shown.filled.raw)
  }

  private func check(_ new: ArraySlice<MatchEvent>) {
    for event in new {
      switch event {
      case .trade(let match):
        let id = match.makerOrderID + match.takerOrderID
        left[id]! -= match.quantity.raw
        #expect(match.quantity.raw > 0)
        #expect(left[id] == (match.makerRemaining + match.takerRemaining).raw)
        if match.makerOrderID == 0 { takerFills += 1 } else { makerFills += 1 }
      case .cancelled(let id, _, let remaining), .expired(let id, _, let remaining, _):
        #expect(left[id] == remaining.raw)
        left[id] = 0
      case .rejected(let id, _, _): left[id] = 0
      case .accepted: break
      case .prevented, .reduced, .replaced, .triggered, .level, .top:
        Issue.record("unexpected \(event)")
      }
    }
  }
}
