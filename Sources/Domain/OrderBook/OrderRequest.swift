package import Units
package import Venue

/// What happens when an order meets another of the same owner, decided by the order that arrives.
package enum SelfTradePrevention: UInt8, Sendable, Hashable, CaseIterable {
  /// They trade.
  case none = 0
  /// The arriving order expires.
  case expireTaker = 1
  /// The resting order expires and the arriving one goes on.
  case expireMaker = 2
  case expireBoth = 3
  /// Both lose the quantity that would have traded; the smaller expires.
  case decrement = 4
}

/// An order as a matcher takes it.
package struct OrderRequest: Sendable, Hashable {
  /// The venue's number, given by the caller, never used twice and not zero.
  package var orderID: UInt64
  /// Whose it is: an account.
  package var owner: UInt32
  /// The owner's name for it, unique among its open orders; empty when it has none.
  package var clientOrderID: String
  package var side: Side
  package var type: OrderType
  /// A market order fills at once or expires, whatever this says, unless it is `fok`.
  package var timeInForce: TimeInForce
  /// Nil for a market order.
  package var price: Price?
  package var quantity: Quantity
  package var selfTradePrevention: SelfTradePrevention

  package init(
    orderID: UInt64, owner: UInt32, clientOrderID: String = "", side: Side, type: OrderType,
    timeInForce: TimeInForce, price: Price?, quantity: Quantity,
    selfTradePrevention: SelfTradePrevention
  ) {
    self.orderID = orderID
    self.owner = owner
    self.clientOrderID = clientOrderID
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.price = price
    self.quantity = quantity
    self.selfTradePrevention = selfTradePrevention
  }

  /// Why no matcher can take it, whatever the market. Ticks, lots and notionals are the venue's
  /// rules and checked before.
  var defect: RejectReason? {
    guard orderID != 0, quantity.raw > 0 else { return .invalidOrder }
    switch (type, price) {
    case (.market, nil): return timeInForce == .postOnly ? .invalidOrder : nil
    case (.limit, let price?): return price.raw > 0 ? nil : .pricePrecision
    case (.market, _?), (.limit, nil): return .invalidOrder
    }
  }

  /// The price beyond which it does not trade; a market order has none, the end of the scale.
  var limit: Price { price ?? Price(side == .buy ? .max : .min) }

  /// What remains after matching waits in the book.
  var rests: Bool { type == .limit && (timeInForce == .gtc || timeInForce == .postOnly) }

  /// It trades with an opposite order at `price`.
  func crosses(_ price: Price) -> Bool { !price.isWorse(than: limit, for: side) }
}

/// An order waiting in a book.
package struct RestingOrder: Sendable, Hashable {
  package var orderID: UInt64
  package var owner: UInt32
  package var clientOrderID: String
  package var side: Side
  package var price: Price
  package var remaining: Quantity

  package init(
    orderID: UInt64, owner: UInt32, clientOrderID: String, side: Side, price: Price,
    remaining: Quantity
  ) {
    self.orderID = orderID
    self.owner = owner
    self.clientOrderID = clientOrderID
    self.side = side
    self.price = price
    self.remaining = remaining
  }
}
