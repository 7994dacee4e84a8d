internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Binance's amendment that keeps priority: the quantity gets smaller, and nothing else changes
/// (faqs/order_amend_keep_priority.md).
extension SimulatedExchange {
  mutating func amendOrder(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    guard let order = try find(parameters, account), order.isOpen else { throw .noSuchOrder }
    let settings = markets[order.market].settings
    let quantity = try parameters.quantity(settings, named: "newQty")
    guard quantity != order.quantity else {
      throw DialectError(-2038, "The requested action would change no state; rejecting.")
    }
    guard quantity < order.quantity else {
      throw DialectError(-2038, "Order amend (quantity increase) is not supported.")
    }
    let name = try parameters.clientOrderID("newClientOrderId") ?? random.token(length: 22)
    if name != order.clientOrderID,
      ledger.find(name, account: account, market: order.market)?.isOpen == true
    {
      throw .duplicateOrder
    }
    let executionID = nextExecutionID
    let amended: PrivateOrder
    do throws(Refusal) {
      amended = try amend(order, Amendment(quantity: quantity, clientOrderID: name))
    } catch {
      throw error.binance
    }
    return object { json in
      json.member("transactTime", amended.updated.milliseconds)
      json.member("executionId", executionID)
      json.name("amendedOrder")
      json.object { json in write(amended, was: order.clientOrderID, to: &json) }
    }
  }

  private func write(_ order: PrivateOrder, was name: String, to json: inout JSONWriter) {
    let market = markets[order.market].settings
    json.member("symbol", market.symbol)
    json.member("orderId", order.id)
    json.member("orderListId", -1)
    json.member("origClientOrderId", name)
    json.member("clientOrderId", order.clientOrderID)
    json.member("price", market.text(order.price))
    json.member("qty", market.text(order.quantity))
    json.member("executedQty", market.text(order.filled))
    json.member("preventedQty", market.text(order.prevented))
    json.member("quoteOrderQty", "0.00000000")
    json.member("cumulativeQuoteQty", market.text(order.spent))
    json.member("status", order.statusText)
    json.member("timeInForce", order.timeInForceText)
    json.member("type", order.typeText)
    json.member("side", order.sideText)
    writeTerms(order, to: &json)
  }
}
