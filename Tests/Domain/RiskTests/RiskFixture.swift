import Chrono
import Risk
import Units
import Venue

/// Prices with 2 places, quantities with 3: one lot is 1000 raw.
func instrument(
  _ index: Int32 = 0, symbol: String = "BTCUSDT", quote: String = "USDT",
  venue: String = "binance", priceScale: UInt8 = 2, quantityScale: UInt8 = 3
) -> Instrument {
  Instrument(
    id: InstrumentID(index), venue: VenueID(venue), symbol: symbol, venueSymbol: symbol,
    base: "BTC", quote: quote, priceScale: priceScale, quantityScale: quantityScale,
    tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
}

func decimal(_ text: String) -> Decimal {
  do { return try Decimal(parsing: text) } catch { fatalError("\(text): \(error.problem)") }
}

func gate(_ limits: RiskLimits = .standard, _ instruments: [Instrument] = [instrument()]) throws
  -> RiskGate
{
  try RiskGate(
    account: "main", instruments: instruments, limits: limits, killSwitch: KillSwitch(),
    counters: RiskCounters())
}

/// The standard limits with some of them changed.
func limits(_ change: (inout RiskLimits) -> Void) -> RiskLimits {
  var limits = RiskLimits.standard
  change(&limits)
  return limits
}

func buy(_ quantity: Int64, at price: Int64? = 100_00, _ index: Int32 = 0) -> GateOrder {
  order(.buy, quantity, at: price, index)
}

func sell(_ quantity: Int64, at price: Int64? = 100_00, _ index: Int32 = 0) -> GateOrder {
  order(.sell, quantity, at: price, index)
}

private func order(_ side: Side, _ quantity: Int64, at price: Int64?, _ index: Int32) -> GateOrder {
  GateOrder(
    instrument: InstrumentID(index), side: side, type: price == nil ? .market : .limit,
    price: price.map { Price($0) }, quantity: Quantity(quantity))
}

func at(_ milliseconds: UInt64) -> Uptime { Uptime(nanoseconds: milliseconds * 1_000_000) }

let btc = InstrumentID(0)
