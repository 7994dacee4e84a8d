import Testing
import Units
import Venue

/// What an order's decimals become at a venue: whole ticks and lots, counted in integers.
@Suite struct `Precision at a venue` {
  /// Tick 0.05, lot 0.01.
  private let instrument = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(5),
    lotSize: Quantity(10), minQuantity: Quantity(20), maxQuantity: Quantity(100_000),
    minNotional: Notional(5_00000))

  @Test(arguments: [("0.29", Int64(29)), ("0.57", 57), ("1.10", 110), ("0.070", 7), ("4.35", 435)])
  func `EX-07 lots are counted exactly`(quantity: String, lots: Int64) throws {
    // 0.29 / 0.01 is 28.999... in binary fractions.
    let raw = try instrument.quantity(Decimal(parsing: quantity)).raw

    #expect(raw == lots * instrument.lotSize.raw)
  }

  @Test(arguments: ["0.295", "0.2901", "0", "-1", "0.001", "92233720368547758.07"])
  func `EX-07 what is no whole number of lots is refused, never rounded`(quantity: String) {
    #expect(throws: RejectReason.sizePrecision) {
      try instrument.quantity(Decimal(parsing: quantity))
    }
  }

  @Test(arguments: ["100.01", "100.001", "0", "-100", "92233720368547758.07"])
  func `EX-07 what is no whole number of ticks is refused, never rounded`(price: String) {
    #expect(throws: RejectReason.pricePrecision) { try instrument.price(Decimal(parsing: price)) }
  }
}
