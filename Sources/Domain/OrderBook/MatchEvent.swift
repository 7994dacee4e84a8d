package import Units
package import Venue

/// Two orders met, at the price of the one that waited.
package struct Match: Sendable, Hashable {
  package var tradeID: UInt64
  package var price: Price
  package var quantity: Quantity
  /// The side of the taker.
  package var aggressor: Side
  /// Zero when the counterparty is a recorded market.
  package var makerOrderID: UInt64
  package var makerOwner: UInt32
  package var makerRemaining: Quantity
  /// Zero when the counterparty is a recorded market.
  package var takerOrderID: UInt64
  package var takerOwner: UInt32
  package var takerRemaining: Quantity

  package init(
    tradeID: UInt64, price: Price, quantity: Quantity, aggressor: Side, makerOrderID: UInt64,
    makerOwner: UInt32, makerRemaining: Quantity, takerOrderID: UInt64, takerOwner: UInt32,
    takerRemaining: Quantity
  ) {
    self.tradeID = tradeID
    self.price = price
    self.quantity = quantity
    self.aggressor = aggressor
    self.makerOrderID = makerOrderID
    self.makerOwner = makerOwner
    self.makerRemaining = makerRemaining
    self.takerOrderID = takerOrderID
    self.takerOwner = takerOwner
    self.takerRemaining = takerRemaining
  }
}

package enum Expiry: UInt8, Sendable, Hashable, CaseIterable {
  /// Nothing more to take at once.
  case immediateOrCancel = 1
  /// Not all of it could fill at once.
  case fillOrKill = 2
  case selfTradePrevention = 3
}

/// What a matcher did, in the order in which it did it. Orders live from `accepted` to the `trade`
/// that leaves zero remaining, `cancelled` or `expired`.
package enum MatchEvent: Sendable, Hashable {
  case accepted(orderID: UInt64, owner: UInt32)
  /// The order never existed.
  case rejected(orderID: UInt64, owner: UInt32, RejectReason)
  case trade(Match)
  /// Both orders lost this quantity instead of trading with themselves.
  case prevented(makerOrderID: UInt64, takerOrderID: UInt64, owner: UInt32, quantity: Quantity)
  case cancelled(orderID: UInt64, owner: UInt32, remaining: Quantity)
  case expired(orderID: UInt64, owner: UInt32, remaining: Quantity, Expiry)
  /// The owner made its order smaller; it kept its place.
  case reduced(orderID: UInt64, owner: UInt32, remaining: Quantity)
  /// The owner changed its order, which left its place and arrives as if it were new.
  case replaced(orderID: UInt64, owner: UInt32, price: Price, remaining: Quantity)
  /// A trade reached the price that a stop waited for; it arrives now.
  case triggered(orderID: UInt64, owner: UInt32)
  /// A level as it is now, zero when gone: the delta feed. Once per level and order that arrives.
  case level(Side, PriceLevel)
  /// The best levels as they are now; once per command that changed them.
  case top(bid: PriceLevel?, ask: PriceLevel?)
}
