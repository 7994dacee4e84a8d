internal import Chrono
internal import OrderBook
internal import Units
internal import Venue

/// An order of an account, open or closed.
struct PrivateOrder: Hashable {
  let id: UInt64
  let account: Int
  let market: Int
  /// Another after an amendment that renames it.
  var clientOrderID: String
  let side: Side
  let type: OrderType
  let timeInForce: TimeInForce
  var terms: OrderTerms
  /// Zero for an order without a limit.
  var price: Price
  var quantity: Quantity
  let created: Instant
  /// When it was placed or last amended.
  var since: Instant
  /// Since when it may trade; nil while a stop waits for its trigger.
  var working: Instant?
  var filled = Quantity.zero
  var spent = Notional.zero
  var status = VenueOrderStatus.new
  var updated: Instant
  /// What is locked for the open rest, in the asset that the order spends.
  var locked = AssetAmount.zero
  /// What self-trade prevention took of it.
  var prevented = Quantity.zero
  /// The last match that was prevented.
  var preventedMatchID: UInt64?
  /// Self-trade prevention ended it.
  var isEndedInMatch = false

  init(_ ticket: OrderTicket, id: UInt64, clientOrderID: String, created: Instant) {
    self.id = id
    account = ticket.account
    market = ticket.market
    self.clientOrderID = clientOrderID
    side = ticket.side
    type = ticket.type
    timeInForce = ticket.timeInForce
    terms = ticket.terms
    price = ticket.price
    quantity = ticket.quantity
    self.created = created
    since = created
    working = ticket.terms.trigger == nil ? created : nil
    updated = created
  }

  var remaining: Quantity { quantity - filled - prevented }
  var isOpen: Bool { !status.isTerminal }
  var isStop: Bool { terms.trigger != nil }

  var typeText: String {
    switch (type, timeInForce) {
    case (.market, _): isStop ? "STOP_LOSS" : "MARKET"
    case (.limit, .postOnly): "LIMIT_MAKER"
    case (.limit, _): isStop ? "STOP_LOSS_LIMIT" : "LIMIT"
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
    case .expired: isEndedInMatch ? "EXPIRED_IN_MATCH" : "EXPIRED"
    }
  }
}

/// What an order has beyond side, price and quantity.
struct OrderTerms: Hashable {
  /// A stop waits until a trade reaches this.
  var trigger: Price?
  /// An iceberg shows so much of itself at a time.
  var display: Quantity?
  var selfTradePrevention = SelfTradePrevention.none
}

/// A trade of an account with itself that was prevented.
struct PreventedMatch: Hashable {
  let id: UInt64
  /// What the order lost by it.
  let quantity: Quantity
  /// Known when both orders lost the same.
  let counterOrderID: UInt64?
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
  var terms = OrderTerms()

  init(account: Int, market: Int, defaultPrevention: SelfTradePrevention) {
    self.account = account
    self.market = market
    clientOrderID = nil
    side = .buy
    type = .limit
    timeInForce = .gtc
    price = .zero
    quantity = .zero
    terms.selfTradePrevention = defaultPrevention
  }

  /// The order as it would be asked for now.
  init(_ order: PrivateOrder) {
    account = order.account
    market = order.market
    clientOrderID = order.clientOrderID
    side = order.side
    type = order.type
    timeInForce = order.timeInForce
    price = order.price
    quantity = order.quantity
    terms = order.terms
  }
}
