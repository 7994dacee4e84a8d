internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// A new order as REST and WebSocket both name it.
struct KrakenOrderForm {
  var pair: String?
  var side: String?
  var type: String?
  var price: String?
  var quantity: String?
  var timeInForce: String?
  var isPostOnly = false
  var clientOrderID: String?
}

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
    let index = try krakenMarket(form.pair)
    let market = markets[index].settings
    var ticket = OrderTicket(
      account: account, market: index, clientOrderID: form.clientOrderID, side: .buy, type: .limit,
      timeInForce: .gtc, price: .zero, quantity: .zero)
    switch form.side {
    case "buy": ticket.side = .buy
    case "sell": ticket.side = .sell
    default: throw .invalid("type")
    }
    switch form.timeInForce?.uppercased() {
    case nil, "GTC": ticket.timeInForce = form.isPostOnly ? .postOnly : .gtc
    case "IOC": ticket.timeInForce = .ioc
    case "FOK": ticket.timeInForce = .fok
    default: throw .invalid("timeinforce")
    }
    switch form.type {
    case "limit":
      ticket.price = try Price(Self.krakenNumber(form.price, "price", market.instrument.priceScale))
    case "market":
      ticket.type = .market
      if ticket.timeInForce == .gtc { ticket.timeInForce = .ioc }
      guard !form.isPostOnly else { throw .invalid("oflags") }
    default: throw .invalid("ordertype")
    }
    ticket.quantity = try Quantity(
      Self.krakenNumber(form.quantity, "volume", market.instrument.quantityScale))
    if let id = form.clientOrderID, id.isEmpty || id.utf8.count > 36 { throw .invalid("cl_ord_id") }
    do throws(Refusal) {
      return try enter(ticket)
    } catch {
      throw KrakenError(error)
    }
  }

  mutating func krakenAmend(
    _ order: PrivateOrder, price: String?, quantity: String?
  ) throws(KrakenError) -> PrivateOrder {
    let instrument = markets[order.market].settings.instrument
    var (newPrice, newQuantity): (Price?, Quantity?) = (nil, nil)
    if let price {
      newPrice = try Price(Self.krakenNumber(price, "limit_price", instrument.priceScale))
    }
    if let quantity {
      newQuantity = try Quantity(
        Self.krakenNumber(quantity, "order_qty", instrument.quantityScale))
    }
    do throws(Refusal) {
      return try amend(order, price: newPrice, quantity: newQuantity)
    } catch {
      throw KrakenError(error)
    }
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

  private static func krakenNumber(
    _ text: String?, _ field: String, _ scale: UInt8
  ) throws(KrakenError) -> Int64 {
    guard let text else { throw .invalid(field) }
    do throws(DecimalError) {
      let decimal = try Decimal(parsing: text)
      guard let raw = decimal.units(atScale: scale) else {
        throw DecimalError.tooManyDigits
      }
      guard raw > 0 else { throw DecimalError.tooManyDigits }
      return raw
    } catch {
      throw .invalid(field)
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
      json.member("order_type", order.type == .limit ? "limit" : "market")
      json.member("order_qty", number: market.krakenText(order.quantity))
      if order.type == .limit {
        json.member("limit_price", number: market.krakenText(order.price))
      }
      json.member("time_in_force", order.timeInForceText)
      json.member("post_only", order.timeInForce == .postOnly)
      json.member("cum_qty", number: market.krakenText(order.filled))
      json.member("cum_cost", number: market.krakenText(order.spent))
      if let fill {
        json.member("exec_id", KrakenID.text(fill.id, "T"))
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
  var krakenStatus: String {
    switch status {
    case .new: "new"
    case .partiallyFilled: "partially_filled"
    case .filled: "filled"
    case .cancelled: "canceled"
    case .rejected, .expired: "expired"
    }
  }
}
