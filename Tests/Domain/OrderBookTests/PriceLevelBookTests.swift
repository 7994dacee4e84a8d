import Chrono
import OrderBook
import Testing
import Units
import Venue

@Suite struct `Price level book` {
  @Test func `OB-02 a million seeded deltas leave the book equal to its naive twin`() {
    let changes = 1_000_000
    let seed: UInt64 = 20_240_808
    print("OB-02 seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let book = PriceLevelBook()
    var naive = NaiveBook()
    var center: Int64 = 1_000_000

    for step in 0..<changes {
      if step % 1_000 == 0 { center += Int64(random.below(401)) - 200 }
      let side: Side = random.chance(50) ? .buy : .sell
      // Mostly near the touch, sometimes far, as a real book changes.
      let spread = random.chance(80) ? 300 : 20_000
      let price = Price(center - side.sign * Int64(random.below(spread) + 1))
      let quantity = Quantity(random.chance(45) ? 0 : Int64(random.below(1_000_000)))
      book.set(side, price, to: quantity)
      naive.set(side, price, to: quantity)
      if step % (changes / 20) == 0 { expectEqual(book, naive, "seed \(seed) step \(step)") }
    }
    expectEqual(book, naive, "seed \(seed) end")
  }

  private func expectEqual(_ book: PriceLevelBook, _ naive: NaiveBook, _ what: Comment) {
    for side in Side.allCases {
      let expected = naive.levels(side)
      let isEqual = book.allLevels(side) == expected
      #expect(isEqual, what)
      #expect(book.best(side) == expected.first, what)
      #expect(book.levelCount(side) == expected.count, what)
      if let some = expected.last {
        #expect(book.quantity(side, at: some.price) == some.quantity, what)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5])
  func `OB-02 growing and draining a side keeps every level`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let book = PriceLevelBook()
    var prices = (1...3_000).map { Int64($0) * 7 }
    prices.shuffle(using: &random)

    for price in prices { book.set(.sell, Price(price), to: Quantity(price)) }
    #expect(book.allLevels(.sell).map(\.price.raw) == prices.sorted())
    prices.shuffle(using: &random)
    while prices.count > 500 {
      let price = prices.removeLast()
      #expect(book.set(.sell, Price(price), to: .zero) == Quantity(price))
    }
    #expect(book.allLevels(.sell).map(\.price.raw) == prices.sorted())
    for price in prices { book.set(.sell, Price(price), to: .zero) }
    #expect(book.isEmpty && book.bestAsk == nil)
  }

  @Test func `OB-03 the best levels are those nearest the touch whatever is removed`() {
    let book = PriceLevelBook()
    book.apply(
      snapshot(1, bids: [level(99, 5), level(98, 6)], asks: [level(101, 7), level(102, 8)]))

    #expect(book.bestBid == level(99, 5))
    #expect(book.bestAsk == level(101, 7))
    #expect(book.spread == Price(2))
    book.apply(delta(2...2, bids: [level(99, 0)], asks: [level(100, 1)]))
    #expect(book.bestBid == level(98, 6))
    #expect(book.bestAsk == level(100, 1))
    #expect(!book.isCrossed)
    book.set(.buy, Price(100), to: Quantity(1))
    #expect(book.isCrossed)
  }

  @Test func `OB-04 grouped levels sum to the levels in them and never look better`() {
    let book = PriceLevelBook()
    book.apply(
      snapshot(
        1, bids: [level(109, 1), level(105, 2), level(100, 4), level(99, 8)],
        asks: [level(110, 1), level(111, 2), level(120, 4), level(121, 8)]))

    #expect(book.grouped(.buy, step: Price(10), max: 9) == [level(100, 7), level(90, 8)])
    #expect(
      book.grouped(.sell, step: Price(10), max: 9) == [level(110, 1), level(120, 6), level(130, 8)])
    #expect(book.grouped(.sell, step: Price(10), max: 2) == [level(110, 1), level(120, 6)])
    #expect(book.cumulative(.buy, max: 3).map(\.cumulative.raw) == [1, 3, 7])
    #expect(book.quantity(.sell, levels: 2) == Quantity(3))
    #expect(book.imbalance(levels: 2) == 0)
    #expect(PriceLevelBook().imbalance(levels: 2) == nil)
  }

  @Test func `a sweep takes the opposite levels up to its limit`() {
    let book = PriceLevelBook()
    book.apply(snapshot(1, bids: [level(99, 5)], asks: [level(100, 2), level(101, 3)]))

    let whole = book.sweep(.buy, Quantity(4))
    let limited = book.sweep(.buy, Quantity(4), limit: Price(100))

    #expect(whole == Sweep(filled: Quantity(4), notional: Notional(402), worstPrice: Price(101)))
    #expect(limited == Sweep(filled: Quantity(2), notional: Notional(200), worstPrice: Price(100)))
  }

  @Test func `the level farthest from the touch gives way at the limit`() {
    let book = PriceLevelBook(levelsMax: 3)
    for price in [100, 103, 101, 102, 99] { book.set(.buy, Price(Int64(price)), to: Quantity(1)) }

    #expect(book.allLevels(.buy).map(\.price.raw) == [103, 102, 101])
    book.truncate(levels: 2)
    #expect(book.allLevels(.buy).map(\.price.raw) == [103, 102])
  }

  @Test(arguments: [11, 12, 13])
  func `OB-05 a snapshot plus the deltas after it replays to the same hash`(seed: UInt64) {
    print("OB-05 seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let live = PriceLevelBook()
    var taken: BookSnapshot?
    var after: [BookDelta] = []

    for id in UInt64(1)...2_000 {
      let change = delta(
        id...id, bids: [level(1_000 - Int64(random.below(200)), Int64(random.below(3)))],
        asks: [level(1_001 + Int64(random.below(200)), Int64(random.below(3)))])
      live.apply(change)
      if taken != nil { after.append(change) }
      if id == 700 {
        taken = live.snapshot(
          instrument: InstrumentID(0), updateID: id, exchangeTime: .epoch, receivedTime: .epoch)
      }
    }
    let replayed = PriceLevelBook()
    replayed.apply(taken!)
    #expect(replayed.stateHash != live.stateHash)
    for change in after { replayed.apply(change) }

    #expect(taken!.updateID == 700 && after.count == 1_300)
    #expect(replayed.stateHash == live.stateHash, "seed \(seed)")
    replayed.set(.buy, Price(1), to: Quantity(1))
    #expect(replayed.stateHash != live.stateHash)
  }
}
