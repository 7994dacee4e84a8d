package import Chrono
package import Units
package import Venue

/// What was ordered, by whom and when. It never changes; what became of it is an `OrderLifecycle`.
package struct Order: Sendable, Hashable {
  package var id: OrderID
  /// The sender's own name, unique per account: the same key twice is the same order.
  package var clientOrderID: String
  package var account: String
  /// The strategy that asked; empty for a person.
  package var strategy: String
  package var instrument: InstrumentID
  package var side: Side
  package var type: OrderType
  package var timeInForce: TimeInForce
  /// Nil for a market order.
  package var price: Price?
  package var quantity: Quantity
  package var createdTime: Instant

  package init(
    id: OrderID, clientOrderID: String, account: String, strategy: String,
    instrument: InstrumentID, side: Side, type: OrderType, timeInForce: TimeInForce,
    price: Price?, quantity: Quantity, createdTime: Instant
  ) {
    self.id = id
    self.clientOrderID = clientOrderID
    self.account = account
    self.strategy = strategy
    self.instrument = instrument
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.price = price
    self.quantity = quantity
    self.createdTime = createdTime
  }

  /// Whether a second order under the same client order id asks for the very same thing; if not, it
  /// is a conflict and not a retry.
  package func asksTheSame(as other: Order) -> Bool {
    account == other.account && clientOrderID == other.clientOrderID
      && strategy == other.strategy && instrument == other.instrument && side == other.side
      && type == other.type && timeInForce == other.timeInForce && price == other.price
      && quantity == other.quantity
  }
}
