internal import Chrono
internal import Contracts
internal import Orders
internal import Translation
internal import Units
internal import Venue

/// An order as the oms holds it: its life, and what the life does not need to know.
struct OrderRow: Sendable {
  var lifecycle: OrderLifecycle
  let createdBy: String
  /// The instance of the execution-router that may send it on our record alone; 0, which is always safe,
  /// for none.
  let routerInstance: UInt64

  var order: Order { lifecycle.order }

  init(_ order: Order, createdBy: String, routerInstance: UInt64 = 0) {
    self.init(OrderLifecycle(order), createdBy: createdBy, routerInstance: routerInstance)
  }

  init(_ lifecycle: OrderLifecycle, createdBy: String, routerInstance: UInt64) {
    self.lifecycle = lifecycle
    self.createdBy = createdBy
    self.routerInstance = routerInstance
  }

  /// The order as the contract shows it.
  func message(_ instrument: Instrument) -> OmsV1.Order {
    let order = lifecycle.order
    var message = OmsV1.Order()
    message.orderId = order.id.description
    message.clientOrderId = order.clientOrderID
    message.account = order.account
    message.strategyId = order.strategy
    message.venue = instrument.venue.name
    message.symbol = instrument.symbol
    message.side = TypeV1.Side(order.side)
    message.type = TypeV1.OrderType(order.type)
    message.timeInForce = TypeV1.TimeInForce(order.timeInForce)
    message.price = lifecycle.terms.price.map { instrument.wire($0) }
    message.quantity = instrument.wire(lifecycle.terms.quantity)
    message.status = TypeV1.OrderStatus(lifecycle.status)
    message.filledQuantity = instrument.wire(lifecycle.filledQuantity)
    message.filledNotional = wire(lifecycle.filledNotional, instrument)
    if let average = lifecycle.averagePrice(
      priceScale: instrument.priceScale, scale: min(18, instrument.priceScale + 8))
    {
      message.averagePrice = TypeV1.Decimal(average)
    }
    switch lifecycle.closing {
    case .rejected(let reason, let text):
      message.rejectReason = TypeV1.RejectReason(reason)
      message.rejectText = text
    case .cancelled(let text): message.rejectText = text
    case .filled, .expired, nil: break
    }
    message.createdAt = .init(order.createdTime)
    message.updatedAt = .init(lifecycle.updatedTime)
    message.version = lifecycle.sequence
    let open = lifecycle.isTerminal ? .zero : lifecycle.openQuantity
    if open > .zero { message.openQuantity = instrument.wire(open) }
    message.createdBy = createdBy
    return message
  }

  /// A quantity is at most 2^63 and so is a price: their sum over one order may not fit, and then
  /// the field is left out rather than wrong.
  private func wire(_ notional: Notional, _ instrument: Instrument) -> TypeV1.Decimal? {
    do { return try instrument.wire(notional) } catch { return nil }
  }
}
