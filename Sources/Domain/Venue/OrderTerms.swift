package enum OrderType: UInt8, Sendable, Hashable, CaseIterable {
  case market = 1
  case limit = 2
}

package enum TimeInForce: UInt8, Sendable, Hashable, CaseIterable {
  /// Good till cancelled.
  case gtc = 1
  /// Immediate or cancel: what does not fill at once is cancelled.
  case ioc = 2
  /// Fill or kill: all at once or nothing.
  case fok = 3
  /// Good till cancelled, and refused if it would take liquidity (Binance LIMIT_MAKER).
  case postOnly = 4
}

/// Why an order was refused: the taxonomy of every room from gate to venue.
package enum RejectReason: UInt8, Error, Sendable, Hashable, CaseIterable {
  case insufficientBalance = 1
  case invalidSymbol = 2
  case pricePrecision = 3
  case sizePrecision = 4
  case minSize = 5
  case maxSize = 6
  case rateLimit = 7
  case marketClosed = 8
  case priceBands = 9
  case duplicateOrder = 10
  case venuePolicy = 11
  case positionLimit = 12
  case maxNotional = 13
  case dailyLoss = 14
  case killSwitch = 15
  case riskTimeout = 16
  case venueUnavailable = 17
  case wouldTakeLiquidity = 18
  case reconciling = 19
  case unknownOrder = 20
  case minNotional = 21
  case invalidOrder = 22
  case noReferencePrice = 23
  case overloaded = 24

  /// Upper snake case, as in JSON and in metrics: `POSITION_LIMIT`.
  package var name: String {
    switch self {
    case .insufficientBalance: "INSUFFICIENT_BALANCE"
    case .invalidSymbol: "INVALID_SYMBOL"
    case .pricePrecision: "PRICE_PRECISION"
    case .sizePrecision: "SIZE_PRECISION"
    case .minSize: "MIN_SIZE"
    case .maxSize: "MAX_SIZE"
    case .rateLimit: "RATE_LIMIT"
    case .marketClosed: "MARKET_CLOSED"
    case .priceBands: "PRICE_BANDS"
    case .duplicateOrder: "DUPLICATE_ORDER"
    case .venuePolicy: "VENUE_POLICY"
    case .positionLimit: "POSITION_LIMIT"
    case .maxNotional: "MAX_NOTIONAL"
    case .dailyLoss: "DAILY_LOSS"
    case .killSwitch: "KILL_SWITCH"
    case .riskTimeout: "RISK_TIMEOUT"
    case .venueUnavailable: "VENUE_UNAVAILABLE"
    case .wouldTakeLiquidity: "WOULD_TAKE_LIQUIDITY"
    case .reconciling: "RECONCILING"
    case .unknownOrder: "UNKNOWN_ORDER"
    case .minNotional: "MIN_NOTIONAL"
    case .invalidOrder: "INVALID_ORDER"
    case .noReferencePrice: "NO_REFERENCE_PRICE"
    case .overloaded: "OVERLOADED"
    }
  }
}
