internal import Chrono
internal import JSON
internal import Transport
internal import Units
internal import Venue

/// Private requests that change nothing (www.okx.com/docs-v5, "Order Book Trading", "Trading
/// Account").
extension SimulatedVenue {
  /// Entries of one answer.
  private static let okxPageMax = 100

  func okxPrivate(
    _ name: String, _ request: HTTPRequest, _ account: Int, _ now: Instant
  ) throws(OKXError) -> [UInt8] {
    switch name {
    case "GET account/balance":
      return Self.okxEnvelope(code: 0, "") { json in
        exchange.okxBalances(exchange.okxBalances(account), now, &json)
      }
    case "GET trade/orders-pending": return try okxPending(OKXQuery(request), account)
    case "GET trade/orders-algo-pending":
      guard OKXQuery(request)["ordType"] == "conditional" else { throw .parameter("ordType") }
      return Self.okxEnvelope(code: 0, "") { json in
        for order in exchange.okxWaiting(account) { exchange.okxAlgo(order, &json) }
      }
    case "GET trade/order":
      guard let order = try okxOrder(request, account) else {
        throw OKXError(51_603, "Order does not exist")
      }
      return Self.okxEnvelope(code: 0, "") { json in exchange.okxOrder(order, nil, &json) }
    case "GET trade/fills", "GET trade/fills-history":
      return try okxFills(OKXQuery(request), account)
    default: throw OKXError(status: 404, 404, "Resource not found")
    }
  }

  private func okxOrder(_ request: HTTPRequest, _ account: Int) throws(OKXError) -> PrivateOrder? {
    var fields = JSONWriter()
    fields.object { json in
      for item in request.queryItems ?? [] { json.member(item.name, item.value) }
    }
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: fields.finished())
    } catch {
      throw .parameter("ordId")
    }
    return try exchange.okxOrder(document.root, account)
  }

  /// The latest first; `after` an order's number come older ones.
  private func okxPending(_ query: OKXQuery, _ account: Int) throws(OKXError) -> [UInt8] {
    let market = try query["instId"].map { symbol throws(OKXError) in
      try exchange.okxMarket(symbol)
    }
    let after = try query.number("after") ?? .max
    let open = exchange.ledger.openOrders(account: account, market: market).reversed()
      .filter { $0.working != nil && $0.id < after }.prefix(try query.limit(max: Self.okxPageMax))
    return Self.okxEnvelope(code: 0, "") { json in
      for order in open { exchange.okxOrder(order, nil, &json) }
    }
  }

  /// The latest first; `after` a bill come older ones. A fill's bill has the fill's number.
  private func okxFills(_ query: OKXQuery, _ account: Int) throws(OKXError) -> [UInt8] {
    let market = try query["instId"].map { symbol throws(OKXError) in
      try exchange.okxMarket(symbol)
    }
    let order = try query.number("ordId")
    let after = try query.number("after") ?? .max
    let fills = exchange.ledger.trades.reversed().lazy.filter { fill in
      fill.account == account && fill.id < after && (market == nil || fill.market == market)
        && (order == nil || fill.orderID == order)
    }.prefix(try query.limit(max: Self.okxPageMax))
    return Self.okxEnvelope(code: 0, "") { json in for fill in fills { okxFill(fill, &json) } }
  }

  private func okxFill(_ fill: PrivateTrade, _ json: inout JSONWriter) {
    let market = exchange.markets[fill.market].settings
    json.object { json in
      json.member("instType", "SPOT")
      json.member("instId", market.symbol)
      json.member("tradeId", String(fill.id))
      json.member("billId", String(fill.id))
      json.member("ordId", String(fill.orderID))
      json.member("clOrdId", exchange.ledger[fill.orderID]?.clientOrderID ?? "")
      json.member("fillPx", market.okxText(fill.price))
      json.member("fillSz", market.okxText(fill.quantity))
      json.member("side", fill.isBuyer ? "buy" : "sell")
      json.member("execType", fill.isMaker ? "M" : "T")
      json.member("fee", (AssetAmount.zero - fill.fee).text)
      json.member("feeCcy", fill.feeAsset)
      json.member("fillTime", String(fill.time.milliseconds))
      json.member("ts", String(fill.time.milliseconds))
    }
  }
}

/// The parameters of a question.
struct OKXQuery {
  private let request: HTTPRequest

  init(_ request: HTTPRequest) { self.request = request }

  /// Nil when it is absent or empty.
  subscript(name: String) -> String? {
    let value = request.queryItems?.first { $0.name == name }?.value
    return value?.isEmpty == false ? value : nil
  }

  func number(_ name: String) throws(OKXError) -> UInt64? {
    guard let text = self[name] else { return nil }
    guard let number = UInt64(text) else { throw .parameter(name) }
    return number
  }

  func limit(max most: Int) throws(OKXError) -> Int {
    guard let limit = try number("limit") else { return most }
    guard (1...UInt64(most)).contains(limit) else { throw .parameter("limit") }
    return Int(limit)
  }
}
