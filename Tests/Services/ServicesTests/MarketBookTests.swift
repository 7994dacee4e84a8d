import Chrono
import MarketQuality
import Testing
import Units
import Venue

@testable import MarketConnectorService

@Suite struct `What the connector passes on` {
  private static let instrument = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000_000),
    minNotional: Notional(0))

  private var book = MarketBook(Self.instrument, .standard)

  private func level(_ price: Int64, _ quantity: Int64 = 1) -> PriceLevel {
    PriceLevel(price: Price(price), quantity: Quantity(quantity))
  }

  private func snapshot(_ updateID: UInt64, _ bid: Int64, _ ask: Int64) -> MarketEvent {
    .snapshot(
      BookSnapshot(
        instrument: Self.instrument.id, updateID: updateID, exchangeTime: .epoch,
        receivedTime: Instant(milliseconds: 1), bids: [level(bid)], asks: [level(ask)]))
  }

  private func delta(_ updateID: UInt64, bids: [PriceLevel]) -> MarketEvent {
    .delta(
      BookDelta(
        instrument: Self.instrument.id, firstUpdateID: updateID, lastUpdateID: updateID,
        exchangeTime: .epoch, receivedTime: Instant(milliseconds: 1), bids: bids, asks: []))
  }

  @Test func `MD-11 a crossed book is withheld, and comes back whole`() {
    var book = book
    #expect(book.take(snapshot(1, 99_99, 100_00)).event == snapshot(1, 99_99, 100_00))

    let crossed = book.take(delta(2, bids: [level(100_01)]))
    let still = book.take(delta(3, bids: [level(100_02)]))
    let healed = book.take(delta(4, bids: [level(100_01, 0), level(100_02, 0)]))
    let next = book.take(delta(5, bids: [level(99_98)]))

    #expect(
      crossed.event == .stale(Self.instrument.id, reason: "discarded: crossed"))
    #expect(crossed.verdict.findings.count == 1)
    #expect(still.event == nil)
    guard case .snapshot(let whole) = healed.event else {
      Issue.record("\(String(describing: healed.event))")
      return
    }
    #expect(whole.updateID == 4 && whole.bids == [level(99_99)] && whole.asks == [level(100_00)])
    #expect(next.event == delta(5, bids: [level(99_98)]))
    #expect(book.staleReason == nil && book.flags.isEmpty)
  }

  @Test func `a crossed best price of the venue's own is left out, the book is not touched`() {
    var book = book
    _ = book.take(snapshot(1, 99_99, 100_00))
    let top = MarketEvent.top(
      TopOfBook(
        instrument: Self.instrument.id, updateID: 1, bid: level(101_00), ask: level(100_00),
        receivedTime: Instant(milliseconds: 2)))

    #expect(book.take(top).event == nil)
    #expect(book.staleReason == nil)
    #expect(book.take(delta(2, bids: [level(99_98)])).event != nil)
  }

  @Test func `MD-03 a feed's taint is passed on, and its snapshot lifts it`() {
    var book = book
    _ = book.take(snapshot(1, 99_99, 100_00))
    let gap = MarketEvent.stale(Self.instrument.id, reason: "gap")

    #expect(book.take(gap).event == gap && book.flags == .tainted && book.staleReason == "gap")
    #expect(book.take(snapshot(9, 99_99, 100_00)).event == snapshot(9, 99_99, 100_00))
    #expect(book.flags.isEmpty && book.staleReason == nil)
  }

  @Test func `trading status is remembered`() {
    var book = book
    let halt = MarketEvent.status(
      TradingStatus(
        instrument: Self.instrument.id, isTrading: false, text: "HALT",
        receivedTime: Instant(milliseconds: 1)))

    #expect(book.take(halt).event == halt)
    #expect(!book.instrument.isTrading)
  }
}
