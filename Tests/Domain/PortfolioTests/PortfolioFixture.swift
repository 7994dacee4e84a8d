import Chrono
import Portfolio
import Units
import Venue

/// 2023-11-14T22:13:20Z.
let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
let midnight = Instant(nanoseconds: 1_700_006_400_000_000_000)

func instrument(
  venue: String = "binance", symbol: String = "BTCUSDT", base: String = "BTC",
  quote: String = "USDT",
  priceScale: UInt8 = 2, quantityScale: UInt8 = 5
) -> Instrument {
  Instrument(
    id: InstrumentID(0), venue: VenueID(venue), symbol: symbol, venueSymbol: symbol, base: base,
    quote: quote, priceScale: priceScale, quantityScale: quantityScale, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
}

func decimal(_ text: String) -> Decimal {
  do { return try Decimal(parsing: text) } catch { fatalError("\(text): \(error.problem)") }
}

func amount(_ text: String) -> Amount { Amount(decimal(text)) }

func trade(
  _ id: String, _ side: Side, _ quantity: String, at price: String, fee: String = "0",
  in asset: String = "USDT", of instrument: Instrument = instrument(), order: String = "O1",
  account: String = "main", time: Instant = start
) throws -> AccountFill {
  let fill = VenueFill(
    executionID: id, price: try instrument.price(decimal(price)),
    quantity: try instrument.quantity(decimal(quantity)), fee: decimal(fee), feeAsset: asset,
    isMaker: false, exchangeTime: time)
  return AccountFill(fill, orderID: order, side: side, account: account, instrument: instrument)
}
