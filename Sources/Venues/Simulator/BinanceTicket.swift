internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// The parameters of a new order (rest-api.md, "New order"), each order type with its own.
extension SimulatedExchange {
  func binanceTicket(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> OrderTicket {
    let index = try market(parameters)
    let market = markets[index].settings
    var ticket = OrderTicket(
      account: account, market: index, defaultPrevention: settings.defaultSelfTradePrevention)
    switch try parameters.required("side") {
    case "BUY": ticket.side = .buy
    case "SELL": ticket.side = .sell
    default: throw .invalidSide
    }
    ticket.clientOrderID = try parameters.clientOrderID("newClientOrderId")
    try readType(parameters, market, into: &ticket)
    ticket.quantity = try parameters.quantity(market)
    try readIceberg(parameters, market, into: &ticket)
    if let text = parameters["selfTradePreventionMode"] {
      guard let mode = SelfTradePrevention(binance: text) else {
        throw DialectError(
          -1013, "This symbol does not allow the specified self-trade prevention mode.")
      }
      ticket.terms.selfTradePrevention = mode
    }
    return ticket
  }

  private func readType(
    _ parameters: RequestParameters, _ market: SimulatedMarket, into ticket: inout OrderTicket
  ) throws(DialectError) {
    let type = try parameters.required("type")
    if parameters["trailingDelta"] != nil {
      throw .rejected("Trailing stop orders are not supported for this symbol.")
    }
    if let name = ["pegPriceType", "pegOffsetType", "pegOffsetValue"].first(where: {
      parameters[$0] != nil
    }) {
      throw .unneeded(name)
    }
    switch type {
    case "MARKET":
      guard parameters["quoteOrderQty"] == nil else {
        throw DialectError(
          -1013, "Quote order qty market orders are not support for this symbol.")
      }
      ticket.type = .market
      ticket.timeInForce = .ioc
    case "LIMIT": ticket.timeInForce = try timeInForce(parameters)
    case "LIMIT_MAKER": ticket.timeInForce = .postOnly
    case "STOP_LOSS":
      ticket.type = .market
      ticket.timeInForce = .gtc
    case "STOP_LOSS_LIMIT": ticket.timeInForce = try timeInForce(parameters)
    case "TAKE_PROFIT":
      throw .rejected("Take profit orders are not supported for this symbol.")
    case "TAKE_PROFIT_LIMIT":
      throw .rejected("Take profit limit orders are not supported for this symbol.")
    default: throw .invalidOrderType
    }
    if ticket.type == .limit {
      ticket.price = try parameters.price(market)
    } else if parameters["price"] != nil {
      throw .unneeded("price")
    }
    guard type == "LIMIT" || type == "STOP_LOSS_LIMIT" || parameters["timeInForce"] == nil else {
      throw .unneeded("timeInForce")
    }
    if type.hasPrefix("STOP_LOSS") {
      ticket.terms.trigger = Price(
        try parameters.amount("stopPrice", scale: market.instrument.priceScale))
    } else if parameters["stopPrice"] != nil {
      throw .unneeded("stopPrice")
    }
  }

  /// Of orders that wait only: "Any order with an icebergQty MUST have timeInForce set to GTC".
  private func readIceberg(
    _ parameters: RequestParameters, _ market: SimulatedMarket, into ticket: inout OrderTicket
  ) throws(DialectError) {
    guard parameters["icebergQty"] != nil else { return }
    let display = try parameters.amount("icebergQty", scale: market.instrument.quantityScale)
    guard ticket.type == .limit, ticket.timeInForce == .gtc || ticket.timeInForce == .postOnly
    else { throw .unsupportedCombination }
    // Zero is no iceberg.
    if display > 0 { ticket.terms.display = Quantity(display) }
  }

  private func timeInForce(
    _ parameters: RequestParameters
  ) throws(DialectError) -> TimeInForce {
    switch try parameters.required("timeInForce") {
    case "GTC": .gtc
    case "IOC": .ioc
    case "FOK": .fok
    default: throw .invalidTimeInForce
    }
  }
}
