internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// PUT /api/v3/order/amend/keepPriority: an order gets smaller and keeps its place (rest-api.md,
/// "Order Amend Keep Priority"). It keeps its name too: `newClientOrderId` must be the one it has.
extension SimulatedExchange {
  mutating func amendOrder(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    guard let order = try find(parameters, account), order.isOpen else { throw .noSuchOrder }
    guard try parameters.clientOrderID("newClientOrderId") == order.clientOrderID else {
      throw .illegal("newClientOrderId", legal: order.clientOrderID)
    }
    let quantity = try parameters.quantity(markets[order.market].settings, "newQty")
    guard quantity < order.quantity else { throw Refusal.invalidAmendment.binance }
    let executionID = nextExecutionID
    do throws(Refusal) {
      let amended = try amend(order, price: nil, quantity: quantity)
      return object { json in
        json.member("transactTime", amended.updated.milliseconds)
        json.member("executionId", executionID)
        json.name("amendedOrder")
        json.object { json in writeAmended(amended, to: &json) }
      }
    } catch {
      throw error.binance
    }
  }

  private func writeAmended(_ order: PrivateOrder, to json: inout JSONWriter) {
    let market = markets[order.market].settings
    json.member("symbol", market.symbol)
    json.member("orderId", order.id)
    json.member("orderListId", -1)
    json.member("origClientOrderId", order.clientOrderID)
    json.member("clientOrderId", order.clientOrderID)
    json.member("price", market.text(order.price))
    json.member("qty", market.text(order.quantity))
    json.member("executedQty", market.text(order.filled))
    json.member("preventedQty", market.text(Quantity.zero))
    json.member("quoteOrderQty", market.text(Quantity.zero))
    json.member("cumulativeQuoteQty", market.text(order.spent))
    json.member("status", order.statusText)
    json.member("timeInForce", order.timeInForceText)
    json.member("type", order.typeText)
    json.member("side", order.sideText)
    json.member("workingTime", order.created.milliseconds)
    json.member("selfTradePreventionMode", "NONE")
  }
}
