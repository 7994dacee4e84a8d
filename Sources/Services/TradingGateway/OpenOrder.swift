internal import Contracts
internal import Orders
internal import Signals
internal import Translation
internal import Units
internal import Venue

/// What the gate and the strategies need of an order that is not done.
struct OpenOrder: Sendable {
  let id: OrderID
  let clientOrderID: String
  let strategy: String
  let instrument: InstrumentID
  let side: Side
  let price: Price?
  let quantity: Quantity
  let filled: Quantity
  let status: TypeV1.OrderStatus
  let version: UInt32
  /// What may still fill in the worst case, as the oms has it.
  private let openMax: Quantity?

  init?(_ wire: OmsV1.Order, _ instrument: Instrument) throws {
    guard let id = OrderID(parsing: wire.orderId) else { return nil }
    self.id = id
    clientOrderID = wire.clientOrderId
    strategy = wire.strategyId
    self.instrument = instrument.id
    side = try Side(wire.side, field: "side")
    price = try instrument.raw(wire.price, scale: instrument.priceScale).map(Price.init)
    quantity = Quantity(try instrument.raw(wire.quantity, scale: instrument.quantityScale) ?? 0)
    filled = Quantity(try instrument.raw(wire.filledQuantity, scale: instrument.quantityScale) ?? 0)
    status = wire.status
    version = wire.version
    openMax = try instrument.raw(wire.openQuantity, scale: instrument.quantityScale)
      .map(Quantity.init)
  }

  var isDone: Bool {
    switch status {
    case .filled, .cancelled, .rejected, .expired: true
    default: false
    }
  }

  /// What may still fill: while a replacement is unanswered, of the larger terms.
  var open: Quantity { isDone ? .zero : openMax ?? quantity - filled }

  var quote: OwnQuote? {
    guard !isDone, let price else { return nil }
    return OwnQuote(
      orderID: id, side: side, price: price, openQuantity: open, filledQuantity: filled,
      isPending: status != .new && status != .partiallyFilled)
  }
}
