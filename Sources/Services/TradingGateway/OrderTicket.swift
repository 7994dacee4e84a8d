internal import Calls
internal import Contracts
internal import Portfolio
internal import Risk
internal import Translation
internal import Units
internal import Venue

/// A wish for an order, checked at the edge: every field named when it is wrong.
struct OrderTicket: Sendable {
  let instrument: Instrument
  let clientOrderID: String
  let side: Side
  let type: OrderType
  let timeInForce: TimeInForce
  let price: Price?
  let quantity: Quantity

  /// Children append a dash and a number to our ids, and venues take 36 characters; the caller's own
  /// id never travels there.
  static let clientOrderIDLengthMax = 36

  private static func isInAlphabet(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  init(
    _ request: TradingV1.SubmitOrderRequest, _ instruments: InstrumentTable,
    defaultVenue: String, fallbackID: String
  ) throws(RPCError) {
    instrument = try instruments.find(
      venue: request.venue, symbol: request.symbol, standard: defaultVenue)
    let id = request.clientOrderId
    guard id.utf8.count <= Self.clientOrderIDLengthMax, id.utf8.allSatisfy(Self.isInAlphabet)
    else {
      throw .invalid("clientOrderId", "must be 1 to 36 characters of [A-Za-z0-9_-]")
    }
    clientOrderID = id.isEmpty ? fallbackID : id
    side = try Side(request.side, field: "side")
    type = try OrderType(request.type, field: "type")
    let asked = try TimeInForce.wire(request.timeInForce, field: "timeInForce")
    timeInForce = asked ?? (type == .market ? .ioc : .gtc)
    if type == .market, timeInForce != .ioc {
      throw .invalid("timeInForce", "of a market order is IOC")
    }
    try Self.checkTaken(type, timeInForce, instrument)
    guard let wireQuantity = request.quantity else { throw .invalid("quantity", "is missing") }
    quantity = try instrument.quantity(wireQuantity, field: "quantity")
    switch (type, request.price) {
    case (.limit, nil): throw .invalid("price", "is missing: a limit order needs one")
    case (.market, .some): throw .invalid("price", "does not belong to a market order")
    case (.market, nil): price = nil
    case (.limit, .some(let wire)): price = try instrument.price(wire, field: "price")
    }
    try checkSizes()
  }

  /// Whether the venue takes such orders in this instrument.
  private static func checkTaken(
    _ type: OrderType, _ timeInForce: TimeInForce, _ instrument: Instrument
  ) throws(RPCError) {
    func takes(_ time: TimeInForce) -> Bool {
      let needed: OrderFeatures =
        switch (type, time) {
        case (.market, _): .market
        case (.limit, .gtc): .limit
        case (.limit, .ioc): .ioc
        case (.limit, .fok): .fok
        case (.limit, .postOnly): .postOnly
        }
      return instrument.features.contains(needed)
    }
    guard !takes(timeInForce) else { return }
    let taken = TimeInForce.allCases.filter(takes).map { TypeV1.TimeInForce($0).name }
    throw RejectReason.venuePolicy.error(
      "\(instrument.venue) takes no \(TypeV1.OrderType(type).name) order of time in force "
        + "\(TypeV1.TimeInForce(timeInForce).name) for \(instrument.symbol); it takes "
        + taken.joined(separator: ", "),
      domain: "trading-gateway.shrivenquant", metadata: ["venue": instrument.venue.name])
  }

  private func checkSizes() throws(RPCError) {
    try Self.checkSizes(quantity, at: price, instrument)
  }

  /// What the venue would refuse for being too small; `price` is nil for a market order.
  static func checkSizes(
    _ quantity: Quantity, at price: Price?, _ instrument: Instrument
  ) throws(RPCError) {
    if quantity < instrument.minQuantity {
      throw RejectReason.minSize.error(
        "quantity \(instrument.decimal(quantity)) is below the venue's minimum "
          + "\(instrument.decimal(instrument.minQuantity))", domain: "trading-gateway.shrivenquant",
        metadata: numbers(
          "\(instrument.decimal(quantity))", "\(instrument.decimal(instrument.minQuantity))"))
    }
    if let price { try checkNotional(quantity, at: price, instrument) }
  }

  private static func numbers(_ actual: String, _ limit: String) -> [String: String] {
    ["actual": actual, "limit": limit]
  }

  /// Whether a second wish under the same client order id is the same wish.
  func asksTheSame(as other: OrderTicket) -> Bool {
    instrument.id == other.instrument.id && side == other.side && type == other.type
      && timeInForce == other.timeInForce && price == other.price && quantity == other.quantity
  }

  /// A market order is valued at the touch that it would trade at.
  func checkNotional(at top: TopOfBook?) throws(RPCError) {
    guard type == .market, let top else { return }
    try Self.checkNotional(
      quantity, at: side == .buy ? top.ask.price : top.bid.price, instrument)
  }

  private static func checkNotional(
    _ quantity: Quantity, at price: Price, _ instrument: Instrument
  ) throws(RPCError) {
    let notional = price * quantity
    guard notional < instrument.minNotional else { return }
    func plain(_ notional: Notional) -> String {
      Amount(units: notional.raw, scale: instrument.notionalScale).normalized.description
    }
    let (actual, limit) = (plain(notional), plain(instrument.minNotional))
    throw RejectReason.minNotional.error(
      "notional \(actual) is below the venue's minimum \(limit)",
      domain: "trading-gateway.shrivenquant", metadata: numbers(actual, limit))
  }

  var gateOrder: GateOrder {
    GateOrder(
      instrument: instrument.id, side: side, type: type, price: price, quantity: quantity)
  }
}

/// A ticket with who wants it, on its way through the gate to the oms.
struct OrderWish: Sendable {
  let ticket: OrderTicket
  /// Empty for a person.
  let strategy: String
  let createdBy: String
  /// The caller has named it, and so may ask for it again.
  let isNamed: Bool
  var options: CallOptions

  /// The order as the oms takes it.
  func order(account: String) -> OmsV1.Order {
    var order = OmsV1.Order()
    order.clientOrderId = ticket.clientOrderID
    order.account = account
    order.strategyId = strategy
    order.venue = ticket.instrument.venue.name
    order.symbol = ticket.instrument.symbol
    order.side = TypeV1.Side(ticket.side)
    order.type = TypeV1.OrderType(ticket.type)
    order.timeInForce = TypeV1.TimeInForce(ticket.timeInForce)
    order.price = ticket.price.map { ticket.instrument.wire($0) }
    order.quantity = ticket.instrument.wire(ticket.quantity)
    order.createdBy = createdBy
    return order
  }
}
