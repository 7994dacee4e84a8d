import OrderBook
import Testing
import Units
import Venue

/// The consolidated book written the obvious way: everything looked at, each time, in 128 bits.
private struct NaiveConsolidated {
  var books: [NaiveBook]
  var live: [Bool]
  let priceFactors: [Int128]
  let quantityFactors: [Int128]

  func levels(_ side: Side, step: Int128 = 1) -> [(price: Int128, shares: [(Int, Int128)])] {
    var found: [Int128: [Int: Int128]] = [:]
    for index in books.indices where live[index] {
      for level in books[index].levels(side) {
        let raw = Int128(level.price.raw) * priceFactors[index]
        let down = raw - (raw % step)
        let price = side == .buy || down == raw ? down : down + step
        found[price, default: [:]][index, default: 0] +=
          Int128(level.quantity.raw) * quantityFactors[index]
      }
    }
    let prices = side == .buy ? found.keys.sorted(by: >) : found.keys.sorted(by: <)
    return prices.map { price in
      (price, found[price]!.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    }
  }
}

@Suite struct `Consolidated book` {
  private func listing(_ name: String, _ scales: (UInt8, UInt8)) -> BookListing {
    BookListing(
      venue: VenueID(name), book: PriceLevelBook(), priceScale: scales.0, quantityScale: scales.1)
  }

  private func share(_ listing: Int, _ quantity: Int64) -> VenueShare {
    VenueShare(listing: listing, quantity: Quantity(quantity))
  }

  private func isEqual(
    _ levels: [ConsolidatedLevel], _ naive: [(price: Int128, shares: [(Int, Int128)])]
  ) -> Bool {
    levels.count == naive.count
      && zip(levels, naive).allSatisfy { level, expected in
        Int128(level.price.raw) == expected.price
          && level.venues.map(\.listing) == expected.shares.map(\.0)
          && level.venues.map { Int128($0.quantity.raw) } == expected.shares.map(\.1)
          && Int128(level.quantity.raw) == expected.shares.reduce(0) { $0 + $1.1 }
      }
  }

  @Test(arguments: [1, 2, 3, 4])
  func `MD-08 a seeded market of five venues is equal to the naive twin, best prices and depth`(
    seed: UInt64
  ) throws {
    print("MD-08 seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let scales: [(UInt8, UInt8)] = [(2, 5), (1, 8), (0, 3), (2, 0), (1, 5)]
    let factors: [Int64] = [1, 10, 100, 1, 10]
    let listings = scales.enumerated().map { listing("venue-\($0.offset)", $0.element) }
    let book = try #require(ConsolidatedBook(listings))
    var naive = NaiveConsolidated(
      books: scales.map { _ in NaiveBook() }, live: scales.map { _ in false },
      priceFactors: factors.map { Int128($0) },
      quantityFactors: [1_000, 1, 100_000, 100_000_000, 1_000])
    #expect(book.priceScale == 2 && book.quantityScale == 8)

    for step in 1...20_000 {
      let venue = random.below(scales.count)
      if random.chance(3) {
        naive.live[venue] = false
        book.leave(venue)
      } else {
        let side: Side = random.chance(50) ? .buy : .sell
        // Few prices, so that venues often meet at one.
        let price = Price((1_000 + Int64(random.below(8))) * 100 / factors[venue])
        let quantity = Quantity(random.chance(40) ? 0 : Int64(random.below(9) + 1))
        listings[venue].book.set(side, price, to: quantity)
        naive.books[venue].set(side, price, to: quantity)
        naive.live[venue] = true
        try book.refresh(venue)
      }
      let what: Comment = "seed \(seed) step \(step)"
      for side in Side.allCases {
        let expected = naive.levels(side)
        #expect(isEqual(book.bestLevel(side).map { [$0] } ?? [], Array(expected.prefix(1))), what)
        guard step % 40 == 0 else { continue }
        #expect(isEqual(book.levels(side, max: .max), expected), what)
        #expect(isEqual(book.levels(side, max: 3), Array(expected.prefix(3))), what)
        #expect(
          isEqual(
            book.levels(side, max: 2, step: Price(300)),
            Array(naive.levels(side, step: 300).prefix(2))), what)
      }
    }
  }

  @Test func `MD-08 the best price across two venues of different scales, with sizes by venue`()
    throws
  {
    let binance = listing("binance", (2, 5))
    let kraken = listing("kraken", (1, 8))
    let book = try #require(ConsolidatedBook([binance, kraken]))
    try book.update(0, bid: level(10_000_10, 200_000), ask: level(10_000_20, 100_000))
    try book.update(1, bid: level(10_000_1, 50_000_000), ask: level(10_000_3, 1))

    #expect(
      book.bestLevel(.buy)
        == ConsolidatedLevel(
          price: Price(10_000_10), quantity: Quantity(250_000_000),
          venues: [share(0, 200_000_000), share(1, 50_000_000)]))
    #expect(book.bestLevel(.sell)?.venues == [share(0, 100_000_000)])
  }

  @Test func `MD-08 a stale venue leaves at once and comes back with its next update`() throws {
    let book = try #require(ConsolidatedBook([listing("a", (0, 0)), listing("b", (0, 0))]))
    #expect(try book.update(0, bid: level(100, 1), ask: level(103, 1)))
    #expect(try !book.update(1, bid: level(99, 2), ask: level(104, 2)))

    #expect(book.leave(0))
    #expect(!book.isLive(0) && book.liveCount == 1)
    #expect(book.best(.buy) == level(99, 2))
    #expect(book.best(.sell) == level(104, 2))
    #expect(try book.update(0, bid: level(99, 3), ask: nil))
    #expect(book.bestLevel(.buy)?.venues == [share(0, 3), share(1, 2)])
    #expect(book.best(.sell) == level(104, 2))
    book.leave(0)
    book.leave(1)
    #expect(book.best(.buy) == nil && book.best(.sell) == nil)
  }

  @Test func `a price that does not fit the common scale takes its venue out by name`() throws {
    let book = try #require(ConsolidatedBook([listing("wide", (0, 0)), listing("fine", (18, 0))]))
    try book.update(0, bid: level(9, 1), ask: nil)
    #expect(throws: ConsolidatedOverflow.self) {
      try book.update(0, bid: level(10, 1), ask: nil)
    }
    #expect(!book.isLive(0) && book.best(.buy) == nil)
    #expect(ConsolidatedBook([]) == nil)
    #expect(ConsolidatedBook([listing("a", (0, 0)), listing("b", (19, 0))]) == nil)
  }

  @Test func `sizes beyond 64 bits stay at the greatest and come apart again`() throws {
    let book = try #require(ConsolidatedBook([listing("a", (0, 0)), listing("b", (0, 0))]))
    try book.update(0, bid: level(5, .max), ask: nil)
    try book.update(1, bid: level(5, 7), ask: nil)
    #expect(book.best(.buy) == level(5, .max))
    book.leave(0)
    #expect(book.best(.buy) == level(5, 7))
  }
}
