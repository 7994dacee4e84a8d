import OrderBook
import Testing
import Units
import Venue

@Suite struct `Book depth` {
  @Test(arguments: [21, 22, 23])
  func `OB-04 groups of any step sum to the levels in them, quantity by quantity`(seed: UInt64) {
    print("OB-04 seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let book = PriceLevelBook()
    var naive = NaiveBook()
    for _ in 0..<3_000 {
      let side: Side = random.chance(50) ? .buy : .sell
      let price = Price(50_000 - side.sign * Int64(random.below(4_000) + 1))
      let quantity = Quantity(Int64(random.below(1_000)))
      book.set(side, price, to: quantity)
      naive.set(side, price, to: quantity)
    }
    for step in [Int64(1), 7, 10, 250, 100_000] {
      for side in Side.allCases {
        let groups = book.grouped(side, step: Price(step), max: .max)
        var expected: [Int64: Int64] = [:]
        for level in naive.levels(side) {
          let down = level.price.raw / step * step
          let isDown = side == .buy || down == level.price.raw
          expected[isDown ? down : down + step, default: 0] += level.quantity.raw
        }
        let prices = side == .buy ? expected.keys.sorted(by: >) : expected.keys.sorted()
        #expect(groups == prices.map { level($0, expected[$0]!) }, "seed \(seed) step \(step)")
        #expect(
          groups.reduce(0) { $0 + $1.quantity.raw }
            == naive.levels(side).reduce(0) { $0 + $1.quantity.raw })
        #expect(book.grouped(side, step: Price(step), max: 3) == Array(groups.prefix(3)))
        #expect(
          book.cumulative(side, max: .max).last?.cumulative == book.quantity(side, levels: .max))
      }
    }
  }

  @Test func `OB-07 what a reader was given is its own: changing it does not change the book`() {
    let book = PriceLevelBook()
    book.apply(snapshot(1, bids: [level(99, 5)], asks: [level(101, 7)]))
    let hash = book.stateHash
    var given = book.levels(.buy, max: 10)
    given[0].quantity = .zero
    var whole = snapshot(1, bids: given, asks: [])
    whole.bids.removeAll()
    #expect(book.stateHash == hash && book.bestBid == level(99, 5))
  }

  @Test func `a quiet book takes little, and a busy one what its levels need`() {
    let quiet = PriceLevelBook()
    #expect(quiet.memoryBytes < 8_192)
    let busy = PriceLevelBook()
    for offset in Int64(1)...1_000 {
      busy.set(.buy, Price(10_000 - offset), to: Quantity(1))
      busy.set(.sell, Price(10_000 + offset), to: Quantity(1))
    }
    let levels = 2_000 * 16
    #expect(busy.memoryBytes >= levels && busy.memoryBytes <= levels * 5)
  }
}
