package import Units

/// A change of a waiting order that keeps its id: nil leaves a term as it is.
package struct VenueAmendment: Sendable, Hashable {
  package var clientOrderID: String
  package var instrument: InstrumentID
  package var price: Price?
  /// The whole new quantity, what has filled included.
  package var quantity: Quantity?

  package init(
    clientOrderID: String, instrument: InstrumentID, price: Price? = nil, quantity: Quantity? = nil
  ) {
    self.clientOrderID = clientOrderID
    self.instrument = instrument
    self.price = price
    self.quantity = quantity
  }
}

/// What a venue changes of a waiting order in place; the rest takes a cancel and a new order.
package enum Amendable: UInt8, Sendable, Hashable, CaseIterable {
  case nothing = 0
  case smallerQuantity = 1
  case priceAndQuantity = 2
}

extension Instrument {
  package var amendable: Amendable {
    if features.contains(.amend) { return .priceAndQuantity }
    return features.contains(.reduce) ? .smallerQuantity : .nothing
  }
}
