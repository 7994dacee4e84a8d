internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// The bodies of the REST answers (rest-api.md).
extension SimulatedExchange {
  typealias Body = (status: Int, json: [UInt8])

  mutating func body(
    of endpoint: VenueEndpoint, _ parameters: RequestParameters, account: Int, venueTime: Instant
  ) throws(DialectError) -> Body {
    switch endpoint {
    case .ping: return (200, Array("{}".utf8))
    case .time: return object { $0.member("serverTime", venueTime.milliseconds) }
    case .exchangeInformation: return try exchangeInformation(parameters, venueTime)
    case .depth: return try depth(parameters)
    case .trades: return try recentTrades(parameters)
    case .bookTicker: return try bookTickers(parameters)
    case .placeOrder: return try placeOrder(parameters, account)
    case .cancelOrder: return try cancelOrder(parameters, account)
    case .queryOrder: return try queryOrder(parameters, account)
    case .openOrders: return try openOrders(parameters, account)
    case .cancelOpenOrders: return try cancelOpenOrders(parameters, account)
    case .cancelReplace: return try cancelReplace(parameters, account)
    case .amendOrder: return try amendOrder(parameters, account)
    case .account: return accountBody(account)
    case .myTrades: return try myTrades(parameters, account)
    case .openListenKey:
      let key = listenKeys.open(account: account, now: now, random: &random)
      return object { $0.member("listenKey", key) }
    case .extendListenKey:
      try listenKeys.extend(try parameters.required("listenKey"), account: account, now: now)
      return (200, Array("{}".utf8))
    case .closeListenKey:
      try listenKeys.close(try parameters.required("listenKey"), account: account)
      return (200, Array("{}".utf8))
    }
  }

  func market(_ parameters: RequestParameters) throws(DialectError) -> Int {
    guard let index = marketBySymbol[try parameters.required("symbol")] else {
      throw .invalidSymbol
    }
    return index
  }

  func object(_ body: (inout JSONWriter) -> Void) -> Body {
    var json = JSONWriter(reserving: 1_024)
    json.object { json in body(&json) }
    return (200, json.finished())
  }

  func array(_ body: (inout JSONWriter) -> Void) -> Body {
    var json = JSONWriter(reserving: 1_024)
    json.array { json in body(&json) }
    return (200, json.finished())
  }

  // MARK: Market data

  private func depth(_ parameters: RequestParameters) throws(DialectError) -> Body {
    let market = markets[try self.market(parameters)]
    let limit = try parameters.limit(in: 1...5_000, default: 100)
    return (200, market.snapshot(limit: limit))
  }

  private func recentTrades(_ parameters: RequestParameters) throws(DialectError) -> Body {
    let market = markets[try self.market(parameters)]
    let limit = try parameters.limit(in: 1...1_000, default: 500)
    return array { json in
      for trade in market.recentTrades.suffix(limit) { market.settings.write(trade, to: &json) }
    }
  }

  private func bookTickers(_ parameters: RequestParameters) throws(DialectError) -> Body {
    var json = JSONWriter()
    if parameters["symbol"] != nil {
      write(ticker: markets[try market(parameters)], to: &json)
    } else {
      json.array { json in
        for market in markets { write(ticker: market, to: &json) }
      }
    }
    return (200, json.finished())
  }

  private func write(ticker market: ExchangeMarket, to json: inout JSONWriter) {
    market.settings.writeBookTicker(
      bid: market.engine.best(.buy), ask: market.engine.best(.sell), to: &json)
  }

  // MARK: Account

  private func accountBody(_ index: Int) -> Body {
    let maker = AssetAmount(settings.makerFeeBasisPoints * 10_000).text
    let taker = AssetAmount(settings.takerFeeBasisPoints * 10_000).text
    return object { json in
      json.member("makerCommission", settings.makerFeeBasisPoints)
      json.member("takerCommission", settings.takerFeeBasisPoints)
      json.member("buyerCommission", 0)
      json.member("sellerCommission", 0)
      json.name("commissionRates")
      json.object { json in
        json.member("maker", maker)
        json.member("taker", taker)
        json.member("buyer", AssetAmount.zero.text)
        json.member("seller", AssetAmount.zero.text)
      }
      json.member("canTrade", true)
      json.member("canWithdraw", false)
      json.member("canDeposit", false)
      json.member("brokered", false)
      json.member("requireSelfTradePrevention", false)
      json.member("preventSor", false)
      json.member("updateTime", now.milliseconds)
      json.member("accountType", "SPOT")
      json.name("balances")
      json.array { json in
        for (asset, balance) in accounts[index].balances.sorted(by: { $0.key < $1.key }) {
          json.object { json in
            json.member("asset", asset)
            json.member("free", balance.free.text)
            json.member("locked", balance.locked.text)
          }
        }
      }
      json.name("permissions")
      json.array { json in json.string("SPOT") }
      json.member("uid", index + 1)
    }
  }

  private func myTrades(
    _ parameters: RequestParameters, _ account: Int
  ) throws(DialectError) -> Body {
    let index = try market(parameters)
    let limit = try parameters.limit(in: 1...1_000, default: 500)
    let orderID = try parameters.integer("orderId")
    let fromID = try parameters.integer("fromId")
    var trades = ledger.trades.filter { $0.account == account && $0.market == index }
    if let orderID { trades.removeAll { $0.orderID != UInt64(orderID) } }
    // From an id on, the earliest are given; without one, the latest.
    if let fromID {
      trades = Array(trades.filter { $0.id >= UInt64(fromID) }.prefix(limit))
    } else {
      trades = trades.suffix(limit)
    }
    let market = markets[index].settings
    return array { json in
      for trade in trades { write(trade, market, to: &json) }
    }
  }

  private func write(
    _ trade: PrivateTrade, _ market: SimulatedMarket, to json: inout JSONWriter
  ) {
    json.object { json in
      json.member("symbol", market.symbol)
      json.member("id", trade.id)
      json.member("orderId", trade.orderID)
      json.member("orderListId", -1)
      json.member("price", market.text(trade.price))
      json.member("qty", market.text(trade.quantity))
      json.member("quoteQty", market.text(trade.price * trade.quantity))
      json.member("commission", trade.fee.text)
      json.member("commissionAsset", trade.feeAsset)
      json.member("time", trade.time.milliseconds)
      json.member("isBuyer", trade.isBuyer)
      json.member("isMaker", trade.isMaker)
      json.member("isBestMatch", true)
    }
  }
}
