package import Units
package import Venue

/// What happens when an order meets another of the same owner, decided by the order that arrives.
package enum SelfTradePrevention: UInt8, Sendable, Hashable, CaseIterable {
  /// They trade.
  case none = 0
  /// The arriving order expires.
  case newest = 1
  /// The resting order expires and the arriving one goes on.
  case oldest = 2
  case both = 3
  /// Both lose the quantity that would have traded; the smaller expires.
  case decrement = 4
}

/// An order as a matcher takes it. Clients' own names for orders are the affair of whoever keeps
/// their accounts: a matcher knows numbers.
package struct OrderRequest: Sendable, Hashable {
  /// The venue's number, given by the caller, never used twice and not zero.
  package var orderID: UInt64
  /// Whose it is: an account.
  package var owner: UInt32
  package var side: Side
  package var type: OrderType
  /// A market order fills at once or expires, whatever this says, unless it is `fok`.
  package var timeInForce: TimeInForce
  /// Nil for a market order.
  package var price: Price?
  package var quantity: Quantity
  package var selfTradePrevention: SelfTradePrevention
  /// A stop order: it enters the market when a trade happens at this price or beyond (above for an
  /// order that buys, below for one that sells), or at once when the last trade did.
  package var trigger: Price?
  /// An iceberg shows this much of itself at a time; nil shows all.
  package var display: Quantity?
  /// It trades whole, with as many others as that takes, or waits unseen. Limit and GTC only.
  package var isAllOrNone: Bool

  package init(
    orderID: UInt64, owner: UInt32, side: Side, type: OrderType, timeInForce: TimeInForce,
    price: Price?, quantity: Quantity, selfTradePrevention: SelfTradePrevention,
    trigger: Price? = nil, display: Quantity? = nil, isAllOrNone: Bool = false
  ) {
    self.orderID = orderID
    self.owner = owner
    self.side = side
    self.type = type
    self.timeInForce = timeInForce
    self.price = price
    self.quantity = quantity
    self.selfTradePrevention = selfTradePrevention
    self.trigger = trigger
    self.display = display
    self.isAllOrNone = isAllOrNone
  }

  /// Why no matcher can take it, whatever the market. Ticks, lots and notionals are the venue's
  /// rules and checked before.
  @inline(__always)
  var defect: RejectReason? {
    guard orderID != 0, quantity.raw > 0 else { return .invalidOrder }
    if !isPlain, let defect = featureDefect { return defect }
    switch type {
    case .market: return price == nil && !isPostOnly ? nil : .invalidOrder
    case .limit:
      guard let price else { return .invalidOrder }
      return price.raw > 0 ? nil : .pricePrecision
    }
  }

  private var featureDefect: RejectReason? {
    if let trigger {
      guard trigger.raw > 0 else { return .pricePrecision }
      guard !isPostOnly else { return .invalidOrder }
    }
    if let display, display.raw <= 0 || !rests || isAllOrNone { return .invalidOrder }
    if isAllOrNone, !rests || isPostOnly { return .invalidOrder }
    return nil
  }

  /// The price beyond which it does not trade; a market order has none, the end of the scale.
  @inline(__always)
  var limit: Price { price ?? Price(side == .buy ? .max : .min) }

  // Cases are matched, not compared: `==` of another module's enum is a call through a table.

  /// What remains after matching waits in the book.
  @inline(__always)
  var rests: Bool {
    switch (type, timeInForce) {
    case (.limit, .gtc), (.limit, .postOnly): true
    default: false
    }
  }

  @inline(__always)
  var isPostOnly: Bool { if case .postOnly = timeInForce { true } else { false } }

  /// It trades all of itself or nothing.
  @inline(__always)
  var isWhole: Bool { if case .fok = timeInForce { true } else { isAllOrNone } }

  /// Needs nothing that only a market with a queue of its own can offer.
  @inline(__always)
  var isPlain: Bool { trigger == nil && display == nil && !isAllOrNone }

  /// It trades with an opposite order at `price`.
  @inline(__always)
  func crosses(_ other: Price) -> Bool {
    guard let price else { return true }
    switch side {
    case .buy: return other.raw <= price.raw
    case .sell: return other.raw >= price.raw
    }
  }

  /// A trade at `price` sets it off, when it waits for that.
  @inline(__always)
  static func isReached(_ trigger: Price, _ side: Side, by price: Price) -> Bool {
    side == .buy ? price >= trigger : price <= trigger
  }
}

/// An order waiting in a book.
package struct RestingOrder: Sendable, Hashable {
  package var orderID: UInt64
  package var owner: UInt32
  package var side: Side
  /// The limit; of a stop order without one the end of the scale.
  package var price: Price
  package var remaining: Quantity
  /// What of it others can see: nothing of a stop or an all-or-none order.
  package var shown: Quantity
  /// What a stop order waits for.
  package var trigger: Price?

  package init(
    orderID: UInt64, owner: UInt32, side: Side, price: Price, remaining: Quantity,
    shown: Quantity? = nil, trigger: Price? = nil
  ) {
    self.orderID = orderID
    self.owner = owner
    self.side = side
    self.price = price
    self.remaining = remaining
    self.shown = shown ?? remaining
    self.trigger = trigger
  }
}
