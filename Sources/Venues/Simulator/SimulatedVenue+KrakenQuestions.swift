internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Private calls that change nothing (docs.kraken.com/api/docs/rest-api).
extension SimulatedVenue {
  /// Closed orders and trades in one answer.
  private static let krakenPageMax = 50
  /// Ids in one question for trades.
  private static let krakenTradesMax = 20

  mutating func krakenPrivate(
    _ name: String, _ fields: KrakenFields, _ account: Int, now: Instant
  ) throws(KrakenError) -> [UInt8] {
    switch name {
    case "GetWebSocketsToken":
      let token = kraken.open(account, now: now, &exchange.random)
      return Self.krakenObject { json in
        json.member("token", token)
        json.member("expires", KrakenDoor.tokenLifetime.components.seconds)
      }
    case "Balance", "BalanceEx": return krakenBalances(account, withHolds: name == "BalanceEx")
    case "OpenOrders":
      let open = exchange.ledger.openOrders(account: account, market: nil).filter {
        Self.isMeant($0, fields)
      }
      return Self.krakenObject { json in
        json.name("open")
        json.object { json in for order in open { krakenOrder(order, fields, &json) } }
      }
    case "ClosedOrders": return try krakenClosed(fields, account)
    case "QueryOrders":
      var found: [PrivateOrder] = []
      for text in (fields["txid"] ?? "").split(separator: ",") {
        guard let id = KrakenID.number(String(text)), let order = exchange.ledger[id],
          order.account == account
        else { throw .unknownOrder }
        found.append(order)
      }
      return Self.krakenObject { json in for order in found { krakenOrder(order, fields, &json) } }
    case "QueryTrades": return try krakenTrades(fields, account)
    case "TradesHistory": return try krakenHistory(fields, account)
    default: throw KrakenError("EGeneral:Unknown method")
    }
  }

  private func krakenBalances(_ account: Int, withHolds: Bool) -> [UInt8] {
    Self.krakenObject { json in
      for (asset, balance) in exchange.accounts[account].balances.sorted(by: { $0.key < $1.key }) {
        let total = (balance.free + balance.locked).text
        guard withHolds else {
          json.member(Self.krakenBalanceName(asset), total)
          continue
        }
        json.name(Self.krakenBalanceName(asset))
        json.object { json in
          json.member("balance", total)
          json.member("hold_trade", balance.locked.text)
        }
      }
    }
  }

  // MARK: Orders

  /// Of the name that is asked for, if one is.
  private static func isMeant(_ order: PrivateOrder, _ fields: KrakenFields) -> Bool {
    fields["cl_ord_id"].map { $0 == order.clientOrderID } ?? true
  }

  /// The latest first, a page from `ofs` on.
  private func krakenClosed(
    _ fields: KrakenFields, _ account: Int
  ) throws(KrakenError) -> [UInt8] {
    let closed = exchange.ledger.all.filter {
      $0.account == account && !$0.isOpen && Self.isMeant($0, fields)
    }.reversed()
    let page = closed.dropFirst(try Self.offset(fields)).prefix(Self.krakenPageMax)
    return Self.krakenObject { json in
      json.name("closed")
      json.object { json in for order in page { krakenOrder(order, fields, &json) } }
      json.member("count", closed.count)
    }
  }

  private static func offset(_ fields: KrakenFields) throws(KrakenError) -> Int {
    guard let text = fields["ofs"] else { return 0 }
    guard let offset = Int(text), offset >= 0 else { throw .invalid("ofs") }
    return offset
  }

  private func krakenOrder(
    _ order: PrivateOrder, _ fields: KrakenFields, _ json: inout JSONWriter
  ) {
    let market = exchange.markets[order.market].settings
    json.name(KrakenID.text(order.id, "O"))
    json.object { json in
      json.member("cl_ord_id", order.clientOrderID)
      json.member(
        "status",
        order.isOpen ? "open" : order.status == .filled ? "closed" : order.krakenStatus)
      json.member("opentm", number: order.created.krakenSeconds)
      if !order.isOpen { json.member("closetm", number: order.updated.krakenSeconds) }
      json.name("descr")
      json.object { json in
        json.member("pair", market.krakenAltName)
        json.member("type", order.sideText.lowercased())
        json.member("ordertype", order.krakenType)
        json.member("price", market.krakenText(order.terms.trigger ?? order.price))
        if order.isStop { json.member("price2", market.krakenText(order.price)) }
      }
      if let trigger = order.terms.trigger {
        json.member("stopprice", market.krakenText(trigger))
      }
      if let display = order.terms.display {
        json.member("display_volume", market.krakenText(display))
      }
      json.member("vol", market.krakenText(order.quantity))
      json.member("vol_exec", market.krakenText(order.filled))
      json.member("cost", market.krakenText(order.spent))
      if order.isEndedInMatch {
        json.member("reason", PrivateOrder.krakenSelfTrade)
      } else if order.status == .cancelled {
        json.member("reason", "User requested")
      }
      guard fields["trades"] == "true" else { return }
      json.name("trades")
      json.array { json in
        for fill in exchange.ledger.trades where fill.orderID == order.id {
          json.string(KrakenID.trade(fill))
        }
      }
    }
  }

  // MARK: Trades

  private func krakenTrades(
    _ fields: KrakenFields, _ account: Int
  ) throws(KrakenError) -> [UInt8] {
    let texts = (fields["txid"] ?? "").split(separator: ",")
    guard !texts.isEmpty, texts.count <= Self.krakenTradesMax else { throw .invalid("txid") }
    let ids = Set(texts.map(String.init))
    let found = exchange.ledger.trades.filter {
      $0.account == account && ids.contains(KrakenID.trade($0))
    }
    guard found.count == texts.count else { throw .unknownOrder }
    return Self.krakenObject { json in for fill in found { krakenFill(fill, &json) } }
  }

  /// The latest first, a page from `ofs` on; `start` is in seconds and exclusive.
  private func krakenHistory(
    _ fields: KrakenFields, _ account: Int
  ) throws(KrakenError) -> [UInt8] {
    var trades = exchange.ledger.trades.filter { $0.account == account }
    if let text = fields["start"] {
      guard let start = Int64(text) else { throw .invalid("start") }
      trades.removeAll { $0.time <= Instant(milliseconds: start * 1_000) }
    }
    let page = trades.reversed().dropFirst(try Self.offset(fields)).prefix(Self.krakenPageMax)
    return Self.krakenObject { json in
      json.name("trades")
      json.object { json in for fill in page { krakenFill(fill, &json) } }
      json.member("count", trades.count)
    }
  }

  private func krakenFill(_ fill: PrivateTrade, _ json: inout JSONWriter) {
    let market = exchange.markets[fill.market].settings
    json.name(KrakenID.trade(fill))
    json.object { json in
      json.member("ordertxid", KrakenID.text(fill.orderID, "O"))
      json.member("pair", market.krakenPairName)
      json.member("time", number: fill.time.krakenSeconds)
      json.member("type", fill.isBuyer ? "buy" : "sell")
      json.member("price", market.krakenText(fill.price))
      json.member("vol", market.krakenText(fill.quantity))
      json.member("cost", market.krakenText(fill.price * fill.quantity))
      json.member("fee", fill.fee.text)
      json.member("trade_id", fill.id)
      json.member("maker", fill.isMaker)
    }
  }
}
