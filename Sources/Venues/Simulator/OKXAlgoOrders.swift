internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Algo orders in OKX's words: conditional ones with a stop loss ("Place algo order", `conditional`).
///
/// An algo order and the order that comes of it have one number here.
extension SimulatedExchange {
  /// A stop loss of `slTriggerPx` that becomes a market order (`slOrdPx` of -1) or a limit order.
  mutating func okxPlaceAlgo(
    _ fields: JSONValue, _ account: Int
  ) throws(OKXError) -> PrivateOrder {
    guard fields["ordType"]?.string == "conditional" else { throw .parameter("ordType") }
    var ticket = try okxTicket(fields, account)
    let scale = markets[ticket.market].settings.instrument.priceScale
    let given = ["tpTriggerPx", "tpOrdPx", "attachAlgoOrds", "closeFraction"].first {
      !(fields[$0]?.string ?? "").isEmpty
    }
    if let given { throw .parameter(given) }
    guard fields["slTriggerPxType"]?.string ?? "last" == "last" else {
      throw .parameter("slTriggerPxType")
    }
    ticket.clientOrderID = try Self.okxName(fields, "algoClOrdId")
    ticket.terms.trigger = Price(
      try Self.okxNumber(fields["slTriggerPx"], "slTriggerPx", scale))
    if fields["slOrdPx"]?.string == "-1" {
      ticket.type = .market
      ticket.timeInForce = .ioc
      guard ticket.side == .sell || fields["tgtCcy"]?.string == "base_ccy" else {
        throw .parameter("tgtCcy")
      }
    } else {
      ticket.price = Price(try Self.okxNumber(fields["slOrdPx"], "slOrdPx", scale))
    }
    do throws(Refusal) {
      return try enter(ticket).order
    } catch {
      throw OKXError(algo: error, ticket.side)
    }
  }

  mutating func okxAmendAlgo(
    _ fields: JSONValue, _ account: Int
  ) throws(OKXError) -> PrivateOrder {
    let order = try okxAlgo(fields, account)
    let instrument = markets[order.market].settings.instrument
    var amendment = Amendment()
    if let field = fields["newSz"] {
      amendment.quantity = Quantity(try Self.okxNumber(field, "newSz", instrument.quantityScale))
    }
    if let field = fields["newSlTriggerPx"] {
      amendment.trigger = Price(
        try Self.okxNumber(field, "newSlTriggerPx", instrument.priceScale))
    }
    if let field = fields["newSlOrdPx"], field.string != "-1" || order.type == .limit {
      guard order.type == .limit else { throw .parameter("newSlOrdPx") }
      amendment.price = Price(try Self.okxNumber(field, "newSlOrdPx", instrument.priceScale))
    }
    do throws(Refusal) {
      return try amend(order, amendment)
    } catch {
      throw OKXError(algo: error, order.side)
    }
  }

  mutating func okxCancelAlgo(
    _ fields: JSONValue, _ account: Int
  ) throws(OKXError) -> PrivateOrder {
    let order = try okxAlgo(fields, account)
    do throws(Refusal) {
      return try withdraw(order, by: "")
    } catch {
      throw OKXError(error)
    }
  }

  /// One that still waits for its trigger.
  private func okxAlgo(_ fields: JSONValue, _ account: Int) throws(OKXError) -> PrivateOrder {
    let id = fields["algoId"]?.string ?? ""
    let name = fields["algoClOrdId"]?.string ?? ""
    guard !id.isEmpty || !name.isEmpty else { throw .parameter("algoId") }
    let waiting = ledger.openOrders(account: account, market: nil).filter { $0.working == nil }
    guard
      let order = waiting.first(where: {
        id.isEmpty ? $0.clientOrderID == name : String($0.id) == id
      })
    else { throw .orderGone }
    return order
  }

  /// The algo orders of a list: those that wait.
  func okxWaiting(_ account: Int) -> [PrivateOrder] {
    ledger.openOrders(account: account, market: nil).filter { $0.working == nil }
  }

  /// An element of `orders-algo-pending` and of the channel `orders-algo`.
  func okxAlgo(_ order: PrivateOrder, _ json: inout JSONWriter) {
    let market = markets[order.market].settings
    let isEffective = order.working != nil
    json.object { json in
      json.member("instType", "SPOT")
      json.member("instId", market.symbol)
      json.member("algoId", String(order.id))
      json.member("algoClOrdId", order.clientOrderID)
      json.member("ordId", isEffective ? String(order.id) : "")
      json.name("ordIdList")
      json.array { json in if isEffective { json.string(String(order.id)) } }
      json.member("ordType", "conditional")
      json.member("side", order.side == .buy ? "buy" : "sell")
      json.member("sz", market.okxText(order.quantity))
      json.member("tdMode", "cash")
      json.member("state", isEffective ? "effective" : order.isOpen ? "live" : "canceled")
      json.member("slTriggerPx", order.terms.trigger.map { market.okxText($0) } ?? "")
      json.member("slTriggerPxType", "last")
      json.member("slOrdPx", order.type == .limit ? market.okxText(order.price) : "-1")
      json.member("tpTriggerPx", "")
      json.member("tpOrdPx", "")
      json.member("actualSz", isEffective ? market.okxText(order.filled) : "0")
      json.member("triggerTime", order.working.map { String($0.milliseconds) } ?? "")
      json.member("cTime", String(order.created.milliseconds))
      json.member("uTime", String(order.updated.milliseconds))
    }
  }
}

extension OKXError {
  /// A stop on the side of the market where it would go off at once has codes of its own.
  fileprivate init(algo refusal: Refusal, _ side: Side) {
    switch (refusal, side) {
    case (.wouldTrigger, .buy):
      self.init(51_278, "SL trigger price cannot be lower than the last price")
    case (.wouldTrigger, .sell):
      self.init(51_280, "SL trigger price cannot be higher than the last price")
    default: self.init(refusal)
    }
  }
}
