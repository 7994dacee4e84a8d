package import Units

/// What does not fit an order: a request of ours that it cannot take, or a word of the venue that it
/// takes all the same, or sets aside. Never ours to hide.
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
    }
  }
}

package enum VenueContradiction: Sendable, Hashable {
  case venueOrderIDChanged(from: String, to: String)
  /// The venue's total is below what it has already reported in fills.
  case totalBelowFills(total: Quantity, filled: Quantity)
  /// It rejects an order that it has filled in part.
  case rejectedAfterFills(filled: Quantity)
  /// It refused to replace, yet filled more than the old terms allow.
  case replaceRejectedAfterFills(filled: Quantity, quantity: Quantity)

  package var problem: String {
    switch self {
    case .venueOrderIDChanged(let old, let new):
      "the venue's order id changed from \(old) to \(new)"
    case .totalBelowFills(let total, let filled):
      "the venue's total \(total.raw) is below the \(filled.raw) of its own fills"
    case .rejectedAfterFills(let filled):
      "the venue rejects an order that it has filled by \(filled.raw)"
    case .replaceRejectedAfterFills(let filled, let quantity):
      "the venue refused to replace, but filled \(filled.raw) of \(quantity.raw)"
    }
  }
}
