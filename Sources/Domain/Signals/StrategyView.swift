package import Chrono
package import Orders
package import Units
package import Venue

/// What a strategy may know when it decides: nothing else enters, so that the same view gives the
/// same decision, live and in replay.
package struct StrategyView: Sendable, Hashable {
  package var instrument: Instrument
  /// Nil when the book is not to be trusted.
  package var top: TopOfBook?
  /// Positive long, negative short.
  package var position: Quantity
  /// Our own orders that are not done.
  package var quotes: [OwnQuote]
  package var now: Instant

  package init(
    instrument: Instrument, top: TopOfBook?, position: Quantity, quotes: [OwnQuote], now: Instant
  ) {
    self.instrument = instrument
    self.top = top
    self.position = position
    self.quotes = quotes
    self.now = now
  }
}

/// One of the strategy's own orders.
package struct OwnQuote: Sendable, Hashable {
  package var orderID: OrderID
  package var side: Side
  package var price: Price
  package var openQuantity: Quantity
  package var filledQuantity: Quantity
  /// A request for it is unanswered: it is left alone, and may still trade at its old terms.
  package var isPending: Bool

  package init(
    orderID: OrderID, side: Side, price: Price, openQuantity: Quantity, filledQuantity: Quantity,
    isPending: Bool
  ) {
    self.orderID = orderID
    self.side = side
    self.price = price
    self.openQuantity = openQuantity
    self.filledQuantity = filledQuantity
    self.isPending = isPending
  }
}

extension OwnQuote {
  /// The quote that an order's life describes; nil once it is done or if it has no price.
  package init?(_ lifecycle: OrderLifecycle) {
    guard !lifecycle.isTerminal, let price = lifecycle.terms.price else { return nil }
    let status = lifecycle.status
    self.init(
      orderID: lifecycle.order.id, side: lifecycle.order.side, price: price,
      openQuantity: lifecycle.openQuantity, filledQuantity: lifecycle.filledQuantity,
      isPending: status != .new && status != .partiallyFilled)
  }
}

/// What a strategy wants done. Orders are limits that only add liquidity, and pass the risk gate
/// like everybody's.
package enum StrategyAction: Sendable, Hashable {
  case place(Side, Price, Quantity)
  /// `quantity` is the new total, fills included.
  case replace(OrderID, Price, quantity: Quantity)
  case cancel(OrderID)
}
