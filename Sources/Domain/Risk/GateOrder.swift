package import Units
package import Venue

/// What the gate needs to know of an order: nothing that allocates.
package struct GateOrder: Sendable, Hashable {
  package let instrument: InstrumentID
  package let side: Side
  package let type: OrderType
  /// Zero when there is none; the gate refuses a limit order without one.
  package let price: Price
  package let quantity: Quantity

  package init(
    instrument: InstrumentID, side: Side, type: OrderType, price: Price?, quantity: Quantity
  ) {
    self.instrument = instrument
    self.side = side
    self.type = type
    self.price = price ?? .zero
    self.quantity = quantity
  }
}
