import Glibc
import OrderBook
import Units
import Venue

/// What does a best price of one of five venues cost, until the consolidated best is known? Venues
/// of three scales, prices within a few ticks of each other, so the best changes hands often.
func orderBookConsolidated() throws -> [Figures] {
  let factors: [Int64] = [1, 10, 1, 100, 1]
  let listings = [2, 1, 2, 0, 2].enumerated().map { index, scale in
    BookListing(
      venue: VenueID("venue-\(index)"), book: PriceLevelBook(levelsMax: 10),
      priceScale: UInt8(scale), quantityScale: 5)
  }
  guard let book = ConsolidatedBook(listings) else { throw Broken("no consolidated book") }
  var random: UInt64 = 88_172_645_463_325_252
  func next(_ bound: UInt64) -> Int64 {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return Int64(random % bound)
  }
  let updates = (0..<4_096).map { _ -> (Int, PriceLevel, PriceLevel) in
    let venue = Int(next(5))
    let bid = (6_000_000 + next(10) * 100) / factors[venue]
    let ask = (6_001_000 + next(10) * 100) / factors[venue]
    return (
      venue, PriceLevel(price: Price(bid), quantity: Quantity(next(1_000) + 1)),
      PriceLevel(price: Price(ask), quantity: Quantity(next(1_000) + 1))
    )
  }
  var sum: Int64 = 0
  var failure: ConsolidatedOverflow?
  var place = 0
  let measured = measureBatches(name: "order-book.consolidated", batch: 1_024) { _ in
    let (venue, bid, ask) = updates[place]
    place = (place &+ 1) & 4_095
    do throws(ConsolidatedOverflow) { try book.update(venue, bid: bid, ask: ask) } catch {
      failure = error
    }
    sum &+= book.best(.buy)?.price.raw ?? 0
  }
  guard failure == nil, sum != 0 else { throw Broken("an update was refused") }
  return [Figures(measured)]
}

/// Resident memory of thousands of books: idle (a few levels), and with 1,000 levels a side.
func orderBookMemory() throws -> [Figures] {
  // None is let go before the end, or the next would be given memory that is resident already.
  var all: [[PriceLevelBook]] = []
  return try [
    (name: "idle", levels: 5, books: 10_000), (name: "busy", levels: 1_000, books: 1_000),
  ].map {
    let before = try anonymousBytes()
    var books: [PriceLevelBook] = []
    for _ in 0..<$0.books {
      let book = PriceLevelBook()
      for offset in Int64(1)...Int64($0.levels) {
        book.set(.buy, Price(1_000_000 - offset), to: Quantity(offset))
        book.set(.sell, Price(1_000_000 + offset), to: Quantity(offset))
      }
      books.append(book)
    }
    let resident = try anonymousBytes() - before
    all.append(books)
    let heap = books.reduce(0) { $0 + $1.memoryBytes }
    var figures = Figures("order-book.memory.\($0.name)")
    figures.more = [
      ("levels_a_side", Double($0.levels)),
      ("resident_bytes_per_book", resident / Double(books.count)),
      ("resident_mb_per_1000", resident / Double(books.count) * 1_000 / 1_048_576),
      ("heap_bytes_per_book", Double(heap) / Double(books.count)),
    ]
    return figures
  }
}

private func anonymousBytes() throws -> Double {
  guard let resident = Process.residentKilobytes(of: getpid()) else {
    throw Broken("/proc does not tell this process's memory")
  }
  return resident.anonymous * 1_024
}
