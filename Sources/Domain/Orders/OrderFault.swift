package import Units

/// An event that this order cannot take. The order is unchanged. Mostly the venue's fault, or a
/// user's request that came too late; never ours to hide.
package enum OrderFault: Error, Sendable, Hashable {
  case illegal(OrderEventKind, in: OrderStatus)
  /// The venue filled more than was open.
  case overfill(Quantity, open: Quantity)
  /// A price or quantity that is not positive.
  case malformedFill(executionID: String)
  /// A fill after the end which no cumulative quantity of the venue explains.
  case unexplainedFill(executionID: String, in: OrderStatus)
  /// The venue's words do not fit each other.
  case contradiction(VenueContradiction)
  /// New terms that are not positive, or not above what has filled.
  case invalidTerms(OrderTerms, filled: Quantity)
  case sequenceGap(expected: UInt32, found: UInt32)

  package var problem: String {
    switch self {
    case .illegal(let kind, let status): "an order that is \(status.name) cannot take '\(kind)'"
    case .overfill(let quantity, let open):
      "a fill of \(quantity.raw) raw units exceeds the open \(open.raw)"
    case .malformedFill(let id): "fill \(id) has a price or quantity that is not positive"
    case .unexplainedFill(let id, let status):
      "fill \(id) came when the order was \(status.name) and the venue's total does not cover it"
    case .contradiction(let what): what.problem
    case .invalidTerms(let terms, let filled):
      "new quantity \(terms.quantity.raw) must exceed the filled \(filled.raw), "
        + "and a price be positive"
    case .sequenceGap(let expected, let found): "event \(expected) is missing, found \(found)"
    }
  }
}

package enum VenueContradiction: Sendable, Hashable {
  case venueOrderIDChanged(from: String, to: String)
  /// The venue's total is below what it has already reported in fills.
  case totalBelowFills(total: Quantity, filled: Quantity)
  /// It says FILLED, and its total is not the order's quantity.
  case totalIsNotQuantity(total: Quantity, quantity: Quantity)
  /// It denies an order that it acknowledged.
  case deniedAfterAcknowledgement
  /// It says OPEN of an order that it had ended: exposure that nobody counts.
  case openAfterEnd(OrderStatus)
  /// It says that an order filled which it had rejected.
  case filledAfterRejection(filled: Quantity)
  /// It denies an order that has fills.
  case deniedAfterFills(filled: Quantity)
  /// It refused to replace, yet filled more than the old terms allow.
  case replaceRejectedAfterFills(filled: Quantity, quantity: Quantity)

  package var problem: String {
    switch self {
    case .venueOrderIDChanged(let old, let new):
      "the venue's order id changed from \(old) to \(new)"
    case .totalBelowFills(let total, let filled):
      "the venue's total \(total.raw) is below the \(filled.raw) of its own fills"
    case .totalIsNotQuantity(let total, let quantity):
      "the venue says filled with \(total.raw) of \(quantity.raw)"
    case .deniedAfterAcknowledgement: "the venue denies an order that it acknowledged"
    case .openAfterEnd(let status): "the venue says open of an order that was \(status.name)"
    case .filledAfterRejection(let filled):
      "the venue rejected the order and says that it filled by \(filled.raw)"
    case .deniedAfterFills(let filled): "the venue denies an order that it filled by \(filled.raw)"
    case .replaceRejectedAfterFills(let filled, let quantity):
      "the venue refused to replace, but filled \(filled.raw) of \(quantity.raw)"
    }
  }
}
