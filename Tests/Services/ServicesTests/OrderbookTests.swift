import Chrono
import OrderBook
import Testing
import Units
import Venue

@testable import OrderbookService

@Suite struct `The venue's top against the book` {
  private func level(_ price: Int64, _ quantity: Int64 = 1) -> PriceLevel {
    PriceLevel(price: Price(price), quantity: Quantity(quantity))
  }

  private func top(_ updateID: UInt64, bid: Int64, ask: Int64) -> TopOfBook {
    TopOfBook(
      instrument: InstrumentID(0), updateID: updateID, bid: level(bid), ask: level(ask),
      receivedTime: Instant(nanoseconds: 0))
  }

  private func book(bid: Int64, ask: Int64) -> PriceLevelBook {
    let book = PriceLevelBook(levelsMax: 100)
    book.set(.buy, Price(bid), to: Quantity(1))
    book.set(.sell, Price(ask), to: Quantity(1))
    return book
  }

  @Test func `a top of the book's own update is compared at once`() {
    var check = TopCheck()
    #expect(check.take(top(5, bid: 99, ask: 101), book(bid: 99, ask: 101), at: 5) == .equal)
    #expect(check.take(top(5, bid: 98, ask: 101), book(bid: 99, ask: 101), at: 5) == .different)
  }

  @Test func `a top ahead of the book waits for it, one behind is let go`() {
    var check = TopCheck()
    let now = book(bid: 99, ask: 101)
    #expect(check.take(top(4, bid: 99, ask: 101), now, at: 5) == nil)
    #expect(check.take(top(7, bid: 98, ask: 101), now, at: 5) == nil)
    #expect(check.take(top(8, bid: 97, ask: 101), now, at: 5) == nil)

    #expect(check.advance(now, to: 6) == [])
    #expect(check.advance(book(bid: 98, ask: 101), to: 7) == [.equal])
    #expect(check.advance(book(bid: 98, ask: 101), to: 8) == [.different])
    #expect(check.advance(book(bid: 98, ask: 101), to: 9) == [])
  }

  @Test func `a top whose update the book has skipped is not compared`() {
    var check = TopCheck()
    _ = check.take(top(6, bid: 98, ask: 101), book(bid: 99, ask: 101), at: 5)
    #expect(check.advance(book(bid: 99, ask: 101), to: 8) == [])
  }

  @Test func `imbalance is cut to four decimals and is nil without levels`() {
    #expect(BookState.imbalance([], []) == nil)
    #expect(BookState.imbalance([level(1, 5)], [])?.description == "1.0000")
    #expect(BookState.imbalance([], [level(1, 5)])?.description == "-1.0000")
    #expect(BookState.imbalance([level(1, 2)], [level(2, 1)])?.description == "0.3333")
    #expect(BookState.imbalance([level(1, 1)], [level(2, 2)])?.description == "-0.3333")
    #expect(
      BookState.imbalance([level(1, .max), level(0, .max)], [level(2, .max)])?.description
        == "0.3333")
  }
}
