package import Units

/// The limits of one account, as people write them. A gate turns them into raw units once, in
/// `apply`.
package struct RiskLimits: Sendable, Hashable {
  /// What every instrument of the gate is quoted in, and the unit of all money here.
  package var currency: String
  package var account: AccountLimits
  /// For symbols that have none of their own.
  package var standard: SymbolLimits
  package var symbols: [String: SymbolLimits]

  package init(
    currency: String, account: AccountLimits, standard: SymbolLimits,
    symbols: [String: SymbolLimits]
  ) {
    self.currency = currency
    self.account = account
    self.standard = standard
    self.symbols = symbols
  }

  /// Source document 000: 100 orders a second, 1000 a minute, 10 lots, 1M USDT an order, 100k USDT
  /// a day.
  package static let standard = RiskLimits(
    currency: "USDT", account: .standard, standard: .standard, symbols: [:])

  package func limits(of symbol: String) -> SymbolLimits { symbols[symbol] ?? standard }
}

package struct AccountLimits: Sendable, Hashable {
  package var ordersPerSecond: Int
  package var ordersPerMinute: Int
  /// Refuse once today's profit, realised and unrealised, is at or below minus this.
  package var maxDailyLoss: Decimal
  /// Worst-case |position| at the reference price, over all symbols; nil: not limited.
  package var maxGrossExposure: Decimal?
  /// An older reference price is none.
  package var referenceAgeMax: Duration

  package init(
    ordersPerSecond: Int, ordersPerMinute: Int, maxDailyLoss: Decimal, maxGrossExposure: Decimal?,
    referenceAgeMax: Duration
  ) {
    self.ordersPerSecond = ordersPerSecond
    self.ordersPerMinute = ordersPerMinute
    self.maxDailyLoss = maxDailyLoss
    self.maxGrossExposure = maxGrossExposure
    self.referenceAgeMax = referenceAgeMax
  }

  package static let standard = AccountLimits(
    ordersPerSecond: 100, ordersPerMinute: 1_000, maxDailyLoss: Decimal(units: 100_000, scale: 0),
    maxGrossExposure: nil, referenceAgeMax: .seconds(60))
}

/// Sizes are in lots. A lot is `lot` of the base asset, one whole unit unless said otherwise: an
/// instrument's quantity step is far smaller, ten of them would be cents.
package struct SymbolLimits: Sendable, Hashable {
  package var lot: Decimal
  package var maxOrderSize: Decimal
  package var maxLongPosition: Decimal
  package var maxShortPosition: Decimal
  /// Of one order, in the currency.
  package var maxNotional: Decimal
  /// How far from the reference a limit price may be, as a fraction (0.05 is 5%); nil: not checked.
  package var priceBand: Decimal?

  package init(
    lot: Decimal, maxOrderSize: Decimal, maxLongPosition: Decimal, maxShortPosition: Decimal,
    maxNotional: Decimal, priceBand: Decimal?
  ) {
    self.lot = lot
    self.maxOrderSize = maxOrderSize
    self.maxLongPosition = maxLongPosition
    self.maxShortPosition = maxShortPosition
    self.maxNotional = maxNotional
    self.priceBand = priceBand
  }

  package static let standard = SymbolLimits(
    lot: Decimal(units: 1, scale: 0), maxOrderSize: Decimal(units: 10, scale: 0),
    maxLongPosition: Decimal(units: 10, scale: 0), maxShortPosition: Decimal(units: 10, scale: 0),
    maxNotional: Decimal(units: 1_000_000, scale: 0), priceBand: nil)
}

/// Limits that no gate can keep; the old ones stay in force.
package enum RiskLimitFault: Error, Sendable, Hashable {
  case negative(String)
  case outOfRange(String, ClosedRange<Int>)
  /// A band is a fraction: at most 1.
  case bandAboveOne(Decimal)
  /// One gate has one currency.
  case foreignQuote(symbol: String, quote: String, currency: String)
  case duplicateInstrument(String)

  package var problem: String {
    switch self {
    case .negative(let name): "\(name) must not be negative"
    case .outOfRange(let name, let range):
      "\(name) must be \(range.lowerBound) to \(range.upperBound)"
    case .bandAboveOne(let band): "price_band is a fraction: \(band) is more than 1"
    case .foreignQuote(let symbol, let quote, let currency):
      "\(symbol) is quoted in \(quote), this gate keeps its limits in \(currency)"
    case .duplicateInstrument(let symbol): "\(symbol) has the number of another instrument"
    }
  }
}

extension RiskLimits {
  package static let ordersMax = 0...1_000_000

  /// Checks the limits whole.
  package func validate() throws(RiskLimitFault) {
    guard Self.ordersMax.contains(account.ordersPerSecond) else {
      throw .outOfRange("orders_per_second", Self.ordersMax)
    }
    guard Self.ordersMax.contains(account.ordersPerMinute) else {
      throw .outOfRange("orders_per_minute", Self.ordersMax)
    }
    guard !account.maxDailyLoss.isNegative else { throw .negative("max_daily_loss") }
    if let gross = account.maxGrossExposure, gross.isNegative {
      throw .negative("max_gross_exposure")
    }
    guard account.referenceAgeMax >= .zero else { throw .negative("reference_age_max") }
    try standard.validate()
    for limits in symbols.values { try limits.validate() }
  }
}

extension SymbolLimits {
  package func validate() throws(RiskLimitFault) {
    guard !lot.isNegative else { throw .negative("lot") }
    guard !maxOrderSize.isNegative else { throw .negative("max_order_size") }
    guard !maxLongPosition.isNegative else { throw .negative("max_long_position") }
    guard !maxShortPosition.isNegative else { throw .negative("max_short_position") }
    guard !maxNotional.isNegative else { throw .negative("max_notional") }
    guard let band = priceBand else { return }
    guard !band.isNegative else { throw .negative("price_band") }
    guard band <= Decimal(units: 1, scale: 0) else { throw .bandAboveOne(band) }
  }
}
