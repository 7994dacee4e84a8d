internal import Chrono
internal import Units
internal import Venue

/// An order of an account, open or closed.
struct PrivateOrder: Hashable {
  let id: UInt64
  let account: Int
  let market: Int
  var clientOrderID: String
  let side: Side
  let type: OrderType
  let timeInForce: TimeInForce
  /// Zero for a market order.
  var price: Price
  var quantity: Quantity
  let created: Instant
  var filled = Quantity.zero
  var spent = Notional.zero
  var status = VenueOrderStatus.new
  var updated: Instant
  /// What is locked for the open rest, in the asset that the order spends.
  var locked = AssetAmount.zero

  var remaining: Quantity { quantity - filled }
  var isOpen: Bool { !status.isTerminal }

  var typeText: String {
    switch (type, timeInForce) {
    case (.market, _): "MARKET"
    case (.limit, .postOnly): "LIMIT_MAKER"
    case (.limit, _): "LIMIT"
    }
  }

  var timeInForceText: String {
    switch timeInForce {
    case .gtc, .postOnly: "GTC"
    case .ioc: "IOC"
    case .fok: "FOK"
    }
  }

  var sideText: String { side == .buy ? "BUY" : "SELL" }

  var statusText: String {
    switch status {
    case .new: "NEW"
    case .partiallyFilled: "PARTIALLY_FILLED"
    case .filled: "FILLED"
    case .cancelled: "CANCELED"
    case .rejected: "REJECTED"
    case .expired: "EXPIRED"
    }
  }
}

/// One fill of an account's order.
struct PrivateTrade: Hashable {
  let id: UInt64
  let orderID: UInt64
  let account: Int
  let market: Int
  let price: Price
  let quantity: Quantity
  let fee: AssetAmount
  let feeAsset: String
  let isBuyer: Bool
  let isMaker: Bool
  let time: Instant
}

/// A new order as a client asks for it, its parameters already read.
struct OrderTicket: Hashable {
  var account: Int
  var market: Int
  var clientOrderID: String?
  var side: Side
  var type: OrderType
  var timeInForce: TimeInForce
  var price: Price
  var quantity: Quantity
}
