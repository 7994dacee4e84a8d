internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// Orders in OKX's words, as REST and WebSocket both name them.
extension SimulatedExchange {
  mutating func okxPlace(_ fields: JSONValue, _ account: Int) throws(OKXError) -> PrivateOrder {
    var ticket = try okxTicket(fields, account)
    let instrument = markets[ticket.market].settings.instrument
    switch fields["ordType"]?.string {
    case "limit": ticket.timeInForce = .gtc
    case "ioc": ticket.timeInForce = .ioc
    case "fok": ticket.timeInForce = .fok
    case "post_only": ticket.timeInForce = .postOnly
    case "market":
      ticket.type = .market
      ticket.timeInForce = .ioc
      // A market order that buys counts in the quote unless told otherwise; that is not simulated.
      guard ticket.side == .sell || fields["tgtCcy"]?.string == "base_ccy" else {
        throw .parameter("tgtCcy")
      }
    default: throw .parameter("ordType")
    }
    if fields["attachAlgoOrds"]?.array?.isEmpty == false { throw .parameter("attachAlgoOrds") }
    // "Cancel both does not support FOK."
    guard ticket.timeInForce != .fok || ticket.terms.selfTradePrevention != .both else {
      throw .parameter("stpMode")
    }
    if ticket.type == .limit {
      ticket.price = Price(try Self.okxNumber(fields["px"], "px", instrument.priceScale))
    }
    ticket.clientOrderID = try Self.okxName(fields, "clOrdId")
    do throws(Refusal) {
      return try enter(ticket).order
    } catch {
      // OKX takes a post-only order that would trade, and cancels it at once.
      if error == .wouldTake { return enterCancelled(ticket) }
      throw OKXError(error)
    }
  }

  /// What orders and algo orders have in common.
  func okxTicket(_ fields: JSONValue, _ account: Int) throws(OKXError) -> OrderTicket {
    let index = try okxMarket(fields["instId"]?.string)
    guard fields["tdMode"]?.string == "cash" else { throw .parameter("tdMode") }
    var ticket = OrderTicket(
      account: account, market: index, defaultPrevention: settings.defaultSelfTradePrevention)
    switch fields["side"]?.string {
    case "buy": ticket.side = .buy
    case "sell": ticket.side = .sell
    default: throw .parameter("side")
    }
    switch fields["stpMode"]?.string {
    case nil, "": break
    case "cancel_maker": ticket.terms.selfTradePrevention = .oldest
    case "cancel_taker": ticket.terms.selfTradePrevention = .newest
    case "cancel_both": ticket.terms.selfTradePrevention = .both
    default: throw .parameter("stpMode")
    }
    ticket.quantity = Quantity(
      try Self.okxNumber(
        fields["sz"], "sz", markets[index].settings.instrument.quantityScale))
    return ticket
  }

  /// A name of the client's own: letters and digits, 32 at most; nil when there is none.
  static func okxName(_ fields: JSONValue, _ field: String) throws(OKXError) -> String? {
    guard let id = fields[field]?.string, !id.isEmpty else { return nil }
    let isLegal = id.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
      default: false
      }
    }
    guard isLegal, id.utf8.count <= 32 else { throw .parameter(field) }
    return id
  }

  mutating func okxAmend(_ fields: JSONValue, _ account: Int) throws(OKXError) -> PrivateOrder {
    guard let order = try okxOrder(fields, account), order.isOpen else {
      throw OKXError(51_503, "Order modification failed as the order has been filled or canceled.")
    }
    let instrument = markets[order.market].settings.instrument
    var amendment = Amendment()
    if let field = fields["newPx"] {
      amendment.price = Price(try Self.okxNumber(field, "newPx", instrument.priceScale))
    }
    if let field = fields["newSz"] {
      amendment.quantity = Quantity(try Self.okxNumber(field, "newSz", instrument.quantityScale))
    }
    do throws(Refusal) {
      return try amend(order, amendment)
    } catch {
      throw OKXError(error)
    }
  }

  func okxMarket(_ name: String?) throws(OKXError) -> Int {
    guard let name, let index = marketBySymbol[name] else { throw .unknownInstrument }
    return index
  }

  /// By number, else by the client's own; nil when this account has none. A stop that waits is an algo
  /// order only.
  func okxOrder(_ fields: JSONValue, _ account: Int) throws(OKXError) -> PrivateOrder? {
    let index = try okxMarket(fields["instId"]?.string)
    if let text = fields["ordId"]?.string, !text.isEmpty {
      guard let id = UInt64(text), let order = ledger[id], order.account == account,
        order.market == index, order.working != nil
      else { return nil }
      return order
    }
    guard let name = fields["clOrdId"]?.string, !name.isEmpty else { throw .parameter("ordId") }
    let found = ledger.find(name, account: account, market: index)
    return found?.working == nil ? nil : found
  }

  static func okxNumber(
    _ field: JSONValue?, _ name: String, _ scale: UInt8
  ) throws(OKXError) -> Int64 {
    guard let text = field?.string else { throw .parameter(name) }
    do throws(DecimalError) {
      guard let raw = try Decimal(parsing: text).units(atScale: scale), raw > 0 else {
        throw DecimalError.tooManyDigits
      }
      return raw
    } catch {
      throw .parameter(name)
    }
  }

  /// An element of the channel `orders`, and of what REST says of an order.
  func okxOrder(
    _ order: PrivateOrder, _ fill: PrivateTrade?, _ json: inout JSONWriter
  ) {
    let market = markets[order.market].settings
    json.object { json in
      json.member("instType", "SPOT")
      json.member("instId", market.symbol)
      json.member("ordId", String(order.id))
      json.member("clOrdId", order.clientOrderID)
      json.member("px", order.type == .limit ? market.okxText(order.price) : "")
      json.member("sz", market.okxText(order.quantity))
      json.member("ordType", order.okxType)
      json.member("side", order.side == .buy ? "buy" : "sell")
      json.member("tdMode", "cash")
      json.member("state", order.okxState)
      json.member("accFillSz", market.okxText(order.filled))
      let average = order.filled.raw > 0 ? order.spent.raw / Int128(order.filled.raw) : 0
      json.member("avgPx", market.okxText(Price(Int64(average))))
      json.member("fillPx", fill.map { market.okxText($0.price) } ?? "")
      json.member("fillSz", fill.map { market.okxText($0.quantity) } ?? "0")
      json.member("tradeId", fill.map { String($0.id) } ?? "")
      json.member("fillTime", fill.map { String($0.time.milliseconds) } ?? "")
      json.member("execType", fill.map { $0.isMaker ? "M" : "T" } ?? "")
      // What is paid is negative.
      json.member("fillFee", fill.map { (AssetAmount.zero - $0.fee).text } ?? "0")
      json.member("fillFeeCcy", fill?.feeAsset ?? "")
      json.member("algoId", order.isStop ? String(order.id) : "")
      json.member("stpMode", order.okxSelfTrade)
      json.member("cancelSource", order.okxCancelSource)
      json.member("uTime", String(order.updated.milliseconds))
      json.member("cTime", String(order.created.milliseconds))
      json.member("code", "0")
      json.member("msg", "")
    }
  }

  /// The balances of `account/balance` and of the channel `account`.
  func okxBalances(
    _ balances: [(asset: String, balance: Balance)], _ time: Instant, _ json: inout JSONWriter
  ) {
    json.object { json in
      json.member("uTime", String(time.milliseconds))
      json.name("details")
      json.array { json in
        for (asset, balance) in balances {
          json.object { json in
            json.member("ccy", asset)
            json.member("cashBal", (balance.free + balance.locked).text)
            json.member("availBal", balance.free.text)
            json.member("frozenBal", balance.locked.text)
            json.member("uTime", String(time.milliseconds))
          }
        }
      }
    }
  }

  func okxBalances(_ account: Int) -> [(asset: String, balance: Balance)] {
    accounts[account].balances.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
