package import Units

/// A venue's short name: `binance`, `kraken`, `okx`.
package struct VenueID: Sendable, Hashable, CustomStringConvertible {
  package let name: String
  package init(_ name: String) { self.name = name }
  package var description: String { name }
}

/// A small dense number for an instrument, good as an array index; given out by whoever loads the
/// instruments, valid in one process only. On the wire an instrument is its venue and symbol.
package struct InstrumentID: Sendable, Hashable, Comparable {
  package let index: Int32
  package init(_ index: Int32) { self.index = index }
  package static func < (left: InstrumentID, right: InstrumentID) -> Bool {
    left.index < right.index
  }
}

/// What can be traded at a venue, with the rules of its prices and quantities.
package struct Instrument: Sendable, Hashable {
  package var id: InstrumentID
  package var venue: VenueID
  /// Our symbol, the same at all venues: `BTCUSDT`.
  package var symbol: String
  /// The venue's own spelling: `BTCUSDT`, `XBT/USD`, `BTC-USDT`.
  package var venueSymbol: String
  package var base: String
  package var quote: String
  /// Decimal places of a raw price and of a raw quantity.
  package var priceScale: UInt8
  package var quantityScale: UInt8
  package var tickSize: Price
  /// The step of quantities; one lot.
  package var lotSize: Quantity
  package var minQuantity: Quantity
  package var maxQuantity: Quantity
  package var minNotional: Notional
  package var isTrading: Bool

  package init(
    id: InstrumentID, venue: VenueID, symbol: String, venueSymbol: String, base: String,
    quote: String, priceScale: UInt8, quantityScale: UInt8, tickSize: Price, lotSize: Quantity,
    minQuantity: Quantity, maxQuantity: Quantity, minNotional: Notional, isTrading: Bool = true
  ) {
    self.id = id
    self.venue = venue
    self.symbol = symbol
    self.venueSymbol = venueSymbol
    self.base = base
    self.quote = quote
    self.priceScale = priceScale
    self.quantityScale = quantityScale
    self.tickSize = tickSize
    self.lotSize = lotSize
    self.minQuantity = minQuantity
    self.maxQuantity = maxQuantity
    self.minNotional = minNotional
    self.isTrading = isTrading
  }

  /// Decimal places of a raw notional.
  package var notionalScale: UInt8 { priceScale + quantityScale }

  /// The price, when it is a positive whole number of ticks; else the reason.
  package func price(_ decimal: Decimal) throws(RejectReason) -> Price {
    guard let raw = decimal.units(atScale: priceScale), raw > 0, raw % tickSize.raw == 0 else {
      throw .pricePrecision
    }
    return Price(raw)
  }

  /// The quantity, when it is a positive whole number of lots; else the reason.
  package func quantity(_ decimal: Decimal) throws(RejectReason) -> Quantity {
    guard let raw = decimal.units(atScale: quantityScale), raw > 0, raw % lotSize.raw == 0 else {
      throw .sizePrecision
    }
    return Quantity(raw)
  }

  package func decimal(_ price: Price) -> Decimal {
    Decimal(units: price.raw, scale: priceScale)
  }

  package func decimal(_ quantity: Quantity) -> Decimal {
    Decimal(units: quantity.raw, scale: quantityScale)
  }

  package func decimal(_ notional: Notional) throws(DecimalError) -> Decimal {
    try Decimal(exactly: notional.raw, scale: notionalScale)
  }
}
