/// Why an exchange does not do what an account asks; each dialect has its own words for it.
enum Refusal: Error, Hashable {
  case lotSize
  case priceFilter
  /// Too far from the market.
  case priceBand
  case notional
  case marketClosed
  case duplicateOrder
  case wouldTake
  case insufficientBalance
  case unknownOrder
  /// An amendment that would leave nothing open, or that changes nothing.
  case invalidAmendment
  /// The last trade has reached the trigger of a stop already.
  case wouldTrigger
  /// An iceberg that shows more than there is of it.
  case displayTooLarge
  /// An iceberg of too many parts, or of parts that no lot divides.
  case displayTooSmall
  /// The market cannot have a stop or an iceberg: a recording does not say what it would have done.
  case recordedMarket
}

extension Refusal {
  var binance: DialectError {
    switch self {
    case .lotSize: .filter("LOT_SIZE")
    case .priceFilter: .filter("PRICE_FILTER")
    case .priceBand: .filter("PERCENT_PRICE_BY_SIDE")
    case .notional: .filter("NOTIONAL")
    case .marketClosed: .marketClosed
    case .duplicateOrder: .duplicateOrder
    case .wouldTake: .wouldTake
    case .insufficientBalance: .insufficientBalance
    case .unknownOrder: .unknownOrder
    case .invalidAmendment: DialectError(-2038, "Order amend rejected.")
    case .wouldTrigger: .rejected("Order would trigger immediately.")
    case .displayTooLarge: .rejected("IcebergQty exceeds QTY.")
    case .displayTooSmall: .filter("ICEBERG_PARTS")
    case .recordedMarket: .unsupportedCombination
    }
  }
}
