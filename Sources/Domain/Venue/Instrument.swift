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
  package var kind = InstrumentKind.spot
  /// Units of the base (linear) or of the quote (inverse) that one contract stands for; one for
  /// spot.
  package var contractSize = Decimal(units: 1, scale: 0)
  /// What the venue takes here.
  package var features: OrderFeatures = [.market, .limit, .ioc, .fok, .postOnly]
  /// Outside of it the venue refuses a price whatever the market does; nil when it tells none.
  package var priceRange: ClosedRange<Price>?
  /// How far from its reference a price may be; nil when the venue tells none.
  package var priceBand: PriceBand?
  /// The standard schedule; nil when the venue tells it only to account holders.
  package var fees: FeeSchedule?

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

  /// A price of ours in the places of another's, what does not fit there left out; the largest where it
  /// is beyond 64 bits.
  package func price(_ price: Price, in other: Instrument) -> Price {
    Price(Self.rescaled(price.raw, from: priceScale, to: other.priceScale))
  }

  /// The same of a quantity.
  package func quantity(_ quantity: Quantity, in other: Instrument) -> Quantity {
    Quantity(Self.rescaled(quantity.raw, from: quantityScale, to: other.quantityScale))
  }

  private static func rescaled(_ raw: Int64, from scale: UInt8, to other: UInt8) -> Int64 {
    if scale == other { return raw }
    guard let factor = powerOfTen(scale > other ? scale - other : other - scale) else {
      return scale > other ? 0 : raw.signum() * .max
    }
    if scale > other { return raw / factor }
    let (product, overflow) = raw.multipliedReportingOverflow(by: factor)
    return overflow ? raw.signum() * .max : product
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

package enum InstrumentKind: UInt8, Sendable, Hashable, CaseIterable {
  case spot = 1
  /// A future without an expiry.
  case perpetual = 2
  case future = 3
  case option = 4
}

/// The kinds of order that a venue takes in an instrument.
package struct OrderFeatures: OptionSet, Sendable, Hashable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let market = OrderFeatures(rawValue: 1 << 0)
  package static let limit = OrderFeatures(rawValue: 1 << 1)
  package static let ioc = OrderFeatures(rawValue: 1 << 2)
  package static let fok = OrderFeatures(rawValue: 1 << 3)
  package static let postOnly = OrderFeatures(rawValue: 1 << 4)
  package static let stop = OrderFeatures(rawValue: 1 << 5)
  package static let stopLimit = OrderFeatures(rawValue: 1 << 6)
  package static let iceberg = OrderFeatures(rawValue: 1 << 7)
  /// Quantity and price change in place, keeping the order's id.
  package static let amend = OrderFeatures(rawValue: 1 << 8)
  /// The quantity alone gets smaller in place.
  package static let reduce = OrderFeatures(rawValue: 1 << 9)
}

/// Bounds of a price as multiples of the venue's reference price: 0.8 and 1.2 are 20% each way.
package struct PriceBand: Sendable, Hashable {
  package var buyLowest: Decimal
  package var buyHighest: Decimal
  package var sellLowest: Decimal
  package var sellHighest: Decimal

  package init(buyLowest: Decimal, buyHighest: Decimal, sellLowest: Decimal, sellHighest: Decimal) {
    self.buyLowest = buyLowest
    self.buyHighest = buyHighest
    self.sellLowest = sellLowest
    self.sellHighest = sellHighest
  }
}

/// Fees as fractions of the notional: 0.001 is ten basis points; a rebate is negative.
package struct FeeSchedule: Sendable, Hashable {
  package var maker: Decimal
  package var taker: Decimal

  package init(maker: Decimal, taker: Decimal) {
    self.maker = maker
    self.taker = taker
  }
}
