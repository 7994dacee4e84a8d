internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Orders in Kraken's words, as REST and WebSocket both name them.
extension SimulatedExchange {
  func krakenMarket(_ name: String?) throws(KrakenError) -> Int {
    guard let name, let index = markets.firstIndex(where: { $0.settings.isKrakenName(name) }) else {
      throw .unknownPair
    }
    return index
  }

  mutating func krakenPlace(
    _ form: KrakenOrderForm, _ account: Int
  ) throws(KrakenError) -> Placement {
    let ticket = try krakenTicket(form, account)
    do throws(Refusal) {
      return try enter(ticket)
    } catch {
      throw KrakenError(error)
    }
  }

  /// Everything that is done to a new order save entering it.
  func krakenValidate(
    _ form: KrakenOrderForm, _ account: Int
  ) throws(KrakenError) -> PrivateOrder {
    let ticket = try krakenTicket(form, account)
    do throws(Refusal) {
      try check(ticket)
      try checkMoney(ticket)
      return PrivateOrder(ticket, id: 0, clientOrderID: ticket.clientOrderID ?? "", created: now)
    } catch {
      throw KrakenError(error)
    }
  }

  /// "Amend Order": in place, with its number.
  mutating func krakenAmend(
    _ order: PrivateOrder, price: String?, quantity: String?, trigger: String?, display: String?
  ) throws(KrakenError) -> PrivateOrder {
    let amendment = try krakenAmendment(
      of: order, price: price, quantity: quantity, trigger: trigger, display: display)
    do throws(Refusal) {
      return try amend(order, amendment)
    } catch {
      throw KrakenError(error)
    }
  }

  /// "Edit Order": the order is cancelled and another, with a number of its own, takes its place; when
  /// that one is refused, the order stands.
  mutating func krakenEdit(
    _ order: PrivateOrder, _ form: KrakenOrderForm
  ) throws(KrakenError) -> PrivateOrder {
    if let field = form.unsupported { throw .invalid(field) }
    let amendment = try krakenAmendment(
      of: order, price: form.price, quantity: form.quantity, trigger: form.trigger,
      display: form.display)
    var ticket = OrderTicket(amendment.applied(to: order))
    if form.isPostOnly { ticket.timeInForce = .postOnly }
    ticket.clientOrderID = nil
    do throws(Refusal) {
      try check(ticket, replacing: order)
      try checkMoney(ticket, replacing: order)
      _ = try withdraw(order, by: "")
      return try enter(ticket).order
    } catch {
      throw KrakenError(error)
    }
  }

  private func krakenAmendment(
    of order: PrivateOrder, price: String?, quantity: String?, trigger: String?, display: String?
  ) throws(KrakenError) -> Amendment {
    let instrument = markets[order.market].settings.instrument
    var amendment = Amendment()
    if let price {
      guard order.type == .limit else { throw .invalid("limit_price") }
      amendment.price = try Price(
        Self.krakenNumber(price, "limit_price", instrument.priceScale))
    }
    if let quantity {
      amendment.quantity = try Quantity(
        Self.krakenNumber(quantity, "order_qty", instrument.quantityScale))
    }
    if let trigger {
      guard order.isStop, order.working == nil else { throw .invalid("trigger_price") }
      amendment.trigger = try Price(
        Self.krakenNumber(trigger, "trigger_price", instrument.priceScale))
    }
    if let display {
      guard order.terms.display != nil else { throw .invalid("display_qty") }
      amendment.display = try Quantity(
        Self.krakenNumber(display, "display_qty", instrument.quantityScale))
    }
    return amendment
  }

  /// By number or by the client's own; of this account and open.
  func krakenOpenOrder(
    _ id: String?, _ clientOrderID: String?, _ account: Int
  ) throws(KrakenError) -> PrivateOrder {
    let open = ledger.openOrders(account: account, market: nil)
    let number = id.flatMap { KrakenID.number($0) }
    guard
      let order = open.first(where: {
        number == nil ? $0.clientOrderID == clientOrderID ?? id : $0.id == number
      })
    else { throw .unknownOrder }
    return order
  }

  mutating func krakenCancel(_ order: PrivateOrder) throws(KrakenError) {
    do throws(Refusal) {
      _ = try withdraw(order, by: "")
    } catch {
      throw KrakenError(error)
    }
  }
}

/// What is told of orders on the channel `executions`.
extension SimulatedExchange {
  /// The reports of one happening: a last fill is told as a trade and as the end of its order.
  func krakenExecutions(
    _ order: PrivateOrder, _ cause: ReportCause, _ time: Instant
  ) -> [[UInt8]] {
    switch cause {
    case .new: return [krakenExecution(order, "new", nil, time)]
    case .amended: return [krakenExecution(order, "amended", nil, time)]
    case .triggered: return [krakenExecution(order, "status", nil, time)]
    case .prevented: return [krakenExecution(order, "canceled", nil, time)]
    case .cancelled: return [krakenExecution(order, "canceled", nil, time)]
    case .expired: return [krakenExecution(order, "expired", nil, time)]
    case .trade(let fill):
      let trade = krakenExecution(order, "trade", fill, time)
      guard order.status == .filled else { return [trade] }
      return [trade, krakenExecution(order, "filled", nil, time)]
    }
  }

  func krakenExecution(
    _ order: PrivateOrder, _ type: String, _ fill: PrivateTrade?, _ time: Instant
  ) -> [UInt8] {
    let market = markets[order.market].settings
    var json = JSONWriter(reserving: 512)
    json.object { json in
      json.member("order_id", KrakenID.text(order.id, "O"))
      json.member("cl_ord_id", order.clientOrderID)
      json.member("exec_type", type)
      json.member("order_status", order.krakenStatus)
      json.member("symbol", market.symbol)
      json.member("side", order.side == .buy ? "buy" : "sell")
      json.member("order_type", order.krakenType)
      json.member("order_qty", number: market.krakenText(order.quantity))
      if order.type == .limit {
        json.member("limit_price", number: market.krakenText(order.price))
      }
      if let display = order.terms.display {
        json.member("display_qty", number: market.krakenText(display))
      }
      if let trigger = order.terms.trigger {
        json.name("triggers")
        json.object { json in
          json.member("reference", "last")
          json.member("price", number: market.krakenText(trigger))
          json.member("price_type", "static")
          json.member("status", order.working == nil ? "untriggered" : "triggered")
        }
      }
      if order.isEndedInMatch { json.member("reason", PrivateOrder.krakenSelfTrade) }
      json.member("time_in_force", order.timeInForceText)
      json.member("post_only", order.timeInForce == .postOnly)
      json.member("cum_qty", number: market.krakenText(order.filled))
      json.member("cum_cost", number: market.krakenText(order.spent))
      if let fill {
        json.member("exec_id", KrakenID.trade(fill))
        json.member("trade_id", fill.id)
        json.member("last_qty", number: market.krakenText(fill.quantity))
        json.member("last_price", number: market.krakenText(fill.price))
        json.member("cost", number: market.krakenText(fill.price * fill.quantity))
        json.member("liquidity_ind", fill.isMaker ? "m" : "t")
        json.name("fees")
        json.array { json in
          json.object { json in
            json.member("asset", fill.feeAsset)
            json.member("qty", number: fill.fee.text)
          }
        }
      }
      json.member("timestamp", time.krakenText)
    }
    return json.finished()
  }
}

extension PrivateOrder {
  /// Why an order ended that would have traded with one of its own account.
  static let krakenSelfTrade = "Self trade prevention"

  var krakenType: String {
    switch (type, isStop) {
    case (.limit, false): terms.display == nil ? "limit" : "iceberg"
    case (.limit, true): "stop-loss-limit"
    case (.market, false): "market"
    case (.market, true): "stop-loss"
    }
  }

  var krakenStatus: String {
    if isEndedInMatch { return "canceled" }
    return switch status {
    case .new: "new"
    case .partiallyFilled: "partially_filled"
    case .filled: "filled"
    case .cancelled: "canceled"
    case .rejected, .expired: "expired"
    }
  }
}
