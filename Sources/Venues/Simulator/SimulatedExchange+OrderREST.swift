internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// The trading endpoints: parameters to tickets, orders to bodies.
extension SimulatedExchange {
  mutating func place(_ ticket: OrderTicket) throws(DialectError) -> Placement {
    do throws(Refusal) {
      return try enter(ticket)
    } catch {
      throw error.binance
    }
  }

  mutating func cancel(
    _ order: PrivateOrder, by cancelID: String
  ) throws(DialectError) -> PrivateOrder {
    do throws(Refusal) {
      return try withdraw(order, by: cancelID)
    } catch {
      throw error.binance
    }
  }

  mutating func placeOrder(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    let placement = try place(binanceTicket(parameters, account))
    return object { json in write(placement, to: &json) }
  }

  mutating func cancelOrder(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    guard let order = try find(parameters, account) else { throw .unknownOrder }
    let cancelID = try parameters.clientOrderID("newClientOrderId") ?? random.token(length: 22)
    let cancelled = try cancel(order, by: cancelID)
    return object { json in writeCancel(cancelled, by: cancelID, to: &json) }
  }

  func queryOrder(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    guard let order = try find(parameters, account) else { throw .noSuchOrder }
    return object { json in writeQuery(order, to: &json) }
  }

  func openOrders(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    let index = parameters["symbol"] == nil ? nil : try market(parameters)
    let orders = ledger.openOrders(account: account, market: index)
    return array { json in
      for order in orders { json.object { json in writeQuery(order, to: &json) } }
    }
  }

  mutating func cancelOpenOrders(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    let orders = ledger.openOrders(account: account, market: try market(parameters))
    guard !orders.isEmpty else { throw .unknownOrder }
    let cancelID = random.token(length: 22)
    var cancelled: [PrivateOrder] = []
    for order in orders { cancelled.append(try cancel(order, by: cancelID)) }
    return array { json in
      for order in cancelled {
        json.object { json in writeCancel(order, by: cancelID, to: &json) }
      }
    }
  }

  /// STOP_ON_FAILURE only: a cancel that fails leaves the new order unsent.
  mutating func cancelReplace(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    guard try parameters.required("cancelReplaceMode") == "STOP_ON_FAILURE" else {
      throw DialectError(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    }
    let ticket = try binanceTicket(parameters, account)
    let old = try find(
      parameters, account, idName: "cancelOrderId", clientName: "cancelOrigClientOrderId")
    let cancelID =
      try parameters.clientOrderID("cancelNewClientOrderId") ?? random.token(length: 22)
    var cancelled: PrivateOrder?
    do throws(DialectError) {
      guard let old else { throw .unknownOrder }
      let removed = try cancel(old, by: cancelID)
      cancelled = removed
      let placement = try place(ticket)
      return object { json in
        json.member("cancelResult", "SUCCESS")
        json.member("newOrderResult", "SUCCESS")
        json.name("cancelResponse")
        json.object { json in writeCancel(removed, by: cancelID, to: &json) }
        json.name("newOrderResponse")
        json.object { json in write(placement, to: &json) }
      }
    } catch {
      return failedReplace(cancelled, cancelID, error)
    }
  }

  private func failedReplace(
    _ cancelled: PrivateOrder?, _ cancelID: String, _ error: DialectError
  ) -> Body {
    let body = object { json in
      json.member("code", cancelled == nil ? -2022 : -2021)
      json.member(
        "msg",
        cancelled == nil
          ? "Order cancel-replace failed." : "Order cancel-replace partially failed.")
      json.name("data")
      json.object { json in
        json.member("cancelResult", cancelled == nil ? "FAILURE" : "SUCCESS")
        json.member("newOrderResult", cancelled == nil ? "NOT_ATTEMPTED" : "FAILURE")
        json.name("cancelResponse")
        json.object { json in
          if let cancelled {
            writeCancel(cancelled, by: cancelID, to: &json)
          } else {
            write(error, to: &json)
          }
        }
        json.name("newOrderResponse")
        if cancelled == nil { json.null() } else { json.object { json in write(error, to: &json) } }
      }
    }
    return (cancelled == nil ? 400 : 409, body.json)
  }

  /// By venue id, else by client id; nil when there is none of this account.
  func find(
    _ parameters: RequestParameters, _ account: Int, idName: String = "orderId",
    clientName: String = "origClientOrderId"
  ) throws(DialectError) -> PrivateOrder? {
    let index = try market(parameters)
    if let id = try parameters.integer(idName) {
      let order = ledger[UInt64(id)]
      return order?.account == account && order?.market == index ? order : nil
    }
    guard let text = try parameters.clientOrderID(clientName) else {
      throw DialectError(
        -1102,
        "Param '\(clientName)' or '\(idName)' must be sent, but both were empty/null!")
    }
    return ledger.find(text, account: account, market: index)
  }

  // MARK: Bodies

  private func write(_ error: DialectError, to json: inout JSONWriter) {
    json.member("code", error.code)
    json.member("msg", error.message)
  }

  /// The FULL answer to a new order: with its fills.
  private func write(_ placement: Placement, to json: inout JSONWriter) {
    let order = placement.order
    let market = markets[order.market].settings
    json.member("symbol", market.symbol)
    json.member("orderId", order.id)
    json.member("orderListId", -1)
    json.member("clientOrderId", order.clientOrderID)
    json.member("transactTime", order.updated.milliseconds)
    writeState(order, to: &json)
    writeTerms(order, to: &json)
    json.name("fills")
    json.array { json in
      for trade in placement.trades {
        json.object { json in
          json.member("price", market.text(trade.price))
          json.member("qty", market.text(trade.quantity))
          json.member("commission", trade.fee.text)
          json.member("commissionAsset", trade.feeAsset)
          json.member("tradeId", trade.id)
        }
      }
    }
  }

  private func writeCancel(
    _ order: PrivateOrder, by cancelID: String, to json: inout JSONWriter
  ) {
    json.member("symbol", markets[order.market].settings.symbol)
    json.member("origClientOrderId", order.clientOrderID)
    json.member("orderId", order.id)
    json.member("orderListId", -1)
    json.member("clientOrderId", cancelID)
    json.member("transactTime", order.updated.milliseconds)
    writeState(order, to: &json)
    writeTerms(order, to: &json)
  }

  private func writeQuery(_ order: PrivateOrder, to json: inout JSONWriter) {
    json.member("symbol", markets[order.market].settings.symbol)
    json.member("orderId", order.id)
    json.member("orderListId", -1)
    json.member("clientOrderId", order.clientOrderID)
    writeState(order, to: &json)
    let market = markets[order.market].settings
    if !order.isStop { json.member("stopPrice", market.text(Price.zero)) }
    if order.terms.display == nil { json.member("icebergQty", market.text(Quantity.zero)) }
    json.member("time", order.created.milliseconds)
    json.member("updateTime", order.updated.milliseconds)
    json.member("isWorking", order.working != nil)
    writeTerms(order, to: &json)
  }

  /// Conditional fields of an order (rest-api.md): what it has of them.
  func writeTerms(_ order: PrivateOrder, to json: inout JSONWriter) {
    let market = markets[order.market].settings
    if let trigger = order.terms.trigger { json.member("stopPrice", market.text(trigger)) }
    if let display = order.terms.display { json.member("icebergQty", market.text(display)) }
    json.member("workingTime", order.working?.milliseconds ?? -1)
    json.member("selfTradePreventionMode", order.terms.selfTradePrevention.binanceText)
    guard order.prevented > .zero else { return }
    if let match = order.preventedMatchID { json.member("preventedMatchId", match) }
    json.member("preventedQuantity", market.text(order.prevented))
  }

  private func writeState(_ order: PrivateOrder, to json: inout JSONWriter) {
    let market = markets[order.market].settings
    json.member("price", market.text(order.price))
    json.member("origQty", market.text(order.quantity))
    json.member("executedQty", market.text(order.filled))
    json.member("origQuoteOrderQty", "0.00000000")
    json.member("cummulativeQuoteQty", market.text(order.spent))
    json.member("status", order.statusText)
    json.member("timeInForce", order.timeInForceText)
    json.member("type", order.typeText)
    json.member("side", order.sideText)
  }
}
