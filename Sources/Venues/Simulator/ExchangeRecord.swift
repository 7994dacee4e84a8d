internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A change that an acknowledgement rests on. Of the same order or balance, the last record holds.
enum ExchangeRecord {
  case order(PrivateOrder)
  case trade(PrivateTrade)
  case balance(apiKey: String, asset: String, Balance)
}

/// Account and market numbers are good for one process; on disk they are key and symbol.
struct RecordNames {
  var apiKeys: [String]
  var symbols: [String]
}

extension ExchangeRecord {
  /// One line of JSON, without its end.
  func line(_ names: RecordNames) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      switch self {
      case .order(let order): Self.write(order, names, to: &json)
      case .trade(let trade): Self.write(trade, names, to: &json)
      case .balance(let apiKey, let asset, let balance):
        json.member("kind", "balance")
        json.member("key", apiKey)
        json.member("asset", asset)
        json.member("free", balance.free.raw)
        json.member("locked", balance.locked.raw)
      }
    }
    return json.finished()
  }

  private static func write(_ order: PrivateOrder, _ names: RecordNames, to json: inout JSONWriter)
  {
    json.member("kind", "order")
    json.member("id", order.id)
    json.member("key", names.apiKeys[order.account])
    json.member("symbol", names.symbols[order.market])
    json.member("client", order.clientOrderID)
    json.member("side", order.side.rawValue)
    json.member("type", order.type.rawValue)
    json.member("tif", order.timeInForce.rawValue)
    json.member("price", order.price.raw)
    json.member("quantity", order.quantity.raw)
    json.member("created", order.created.nanoseconds)
    json.member("filled", order.filled.raw)
    json.member("spent", order.spent.raw.description)
    json.member("status", order.status.rawValue)
    json.member("updated", order.updated.nanoseconds)
    json.member("locked", order.locked.raw)
    json.member("stp", order.terms.selfTradePrevention.rawValue)
    if let trigger = order.terms.trigger { json.member("trigger", trigger.raw) }
    if let display = order.terms.display { json.member("display", display.raw) }
    if let working = order.working { json.member("working", working.nanoseconds) }
    json.member("prevented", order.prevented.raw)
    if let match = order.preventedMatchID { json.member("prevented_match", match) }
    json.member("ended_in_match", order.isEndedInMatch)
  }

  private static func write(_ trade: PrivateTrade, _ names: RecordNames, to json: inout JSONWriter)
  {
    json.member("kind", "trade")
    json.member("id", trade.id)
    json.member("order", trade.orderID)
    json.member("key", names.apiKeys[trade.account])
    json.member("symbol", names.symbols[trade.market])
    json.member("price", trade.price.raw)
    json.member("quantity", trade.quantity.raw)
    json.member("fee", trade.fee.raw)
    json.member("asset", trade.feeAsset)
    json.member("buyer", trade.isBuyer)
    json.member("maker", trade.isMaker)
    json.member("time", trade.time.nanoseconds)
  }

  /// Nil for a record of an account or market that is no longer set up.
  init?(line: [UInt8], _ names: RecordNames) throws(JSONError) {
    let json = try JSONDocument(parsing: line).root
    let apiKey = try json.string("key")
    guard let account = names.apiKeys.firstIndex(of: apiKey) else { return nil }
    let kind = try json.string("kind")
    if kind == "balance" {
      let balance = Balance(
        free: AssetAmount(try json.int64("free")), locked: AssetAmount(try json.int64("locked")))
      self = .balance(apiKey: apiKey, asset: try json.string("asset"), balance)
      return
    }
    guard let market = names.symbols.firstIndex(of: try json.string("symbol")) else { return nil }
    switch kind {
    case "order": self = .order(try Self.order(json, account, market))
    case "trade": self = .trade(try Self.trade(json, account, market))
    default: throw .unexpected("a record of kind \(kind)")
    }
  }

  private static func order(
    _ json: JSONValue, _ account: Int, _ market: Int
  ) throws(JSONError) -> PrivateOrder {
    func code(_ name: String) throws(JSONError) -> UInt8 {
      UInt8(truncatingIfNeeded: try json.int64(name))
    }
    guard let side = Side(rawValue: try code("side")),
      let type = OrderType(rawValue: try code("type")),
      let timeInForce = TimeInForce(rawValue: try code("tif")),
      let status = VenueOrderStatus(rawValue: try code("status")),
      // Files of the days before self-trade prevention do not say.
      let prevention = SelfTradePrevention(
        rawValue: UInt8(truncatingIfNeeded: json["stp"]?.int64 ?? 0)),
      let spent = Int128(try json.string("spent"))
    else { throw .unexpected("an order with a code of no meaning") }
    var ticket = OrderTicket(account: account, market: market, defaultPrevention: prevention)
    ticket.side = side
    ticket.type = type
    ticket.timeInForce = timeInForce
    ticket.price = Price(try json.int64("price"))
    ticket.quantity = Quantity(try json.int64("quantity"))
    ticket.terms.trigger = json["trigger"]?.int64.map { Price($0) }
    ticket.terms.display = json["display"]?.int64.map { Quantity($0) }
    var order = PrivateOrder(
      ticket, id: try json.uint64("id"), clientOrderID: try json.string("client"),
      created: Instant(nanoseconds: try json.int64("created")))
    order.filled = Quantity(try json.int64("filled"))
    order.spent = Notional(spent)
    order.status = status
    order.updated = Instant(nanoseconds: try json.int64("updated"))
    order.locked = AssetAmount(try json.int64("locked"))
    if let working = json["working"]?.int64 { order.working = Instant(nanoseconds: working) }
    order.prevented = Quantity(json["prevented"]?.int64 ?? 0)
    order.preventedMatchID = json["prevented_match"]?.uint64
    order.isEndedInMatch = json["ended_in_match"]?.bool ?? false
    return order
  }

  private static func trade(
    _ json: JSONValue, _ account: Int, _ market: Int
  ) throws(JSONError) -> PrivateTrade {
    PrivateTrade(
      id: try json.uint64("id"), orderID: try json.uint64("order"), account: account,
      market: market, price: Price(try json.int64("price")),
      quantity: Quantity(try json.int64("quantity")), fee: AssetAmount(try json.int64("fee")),
      feeAsset: try json.string("asset"), isBuyer: try json.bool("buyer"),
      isMaker: try json.bool("maker"), time: Instant(nanoseconds: try json.int64("time")))
  }
}

/// Coming back after a stop.
extension SimulatedExchange {
  var recordNames: RecordNames {
    RecordNames(
      apiKeys: accounts.map(\.apiKey), symbols: markets.map { $0.settings.symbol })
  }

  /// Takes back what was recorded before a stop, then puts open orders into the new book, where
  /// they may find takers at once as after any halt.
  mutating func restore(_ records: [ExchangeRecord]) {
    for record in records {
      switch record {
      case .order(let order):
        ledger.upsert(order)
        nextOrderID = max(nextOrderID, order.id + 1)
      case .trade(let trade):
        ledger.append(trade)
        markets[trade.market].nextTradeID = max(markets[trade.market].nextTradeID, trade.id + 1)
      case .balance(let apiKey, let asset, let balance):
        if let account = accountByKey[apiKey] { accounts[account].restore(asset, balance) }
      }
    }
    for order in ledger.all where order.isOpen { _ = execute(order) }
  }

  /// The present state as records, for a fresh file.
  var stateRecords: [ExchangeRecord] {
    var records = ledger.all.map(ExchangeRecord.order) + ledger.trades.map(ExchangeRecord.trade)
    for account in accounts {
      for (asset, balance) in account.balances.sorted(by: { $0.key < $1.key }) {
        records.append(.balance(apiKey: account.apiKey, asset: asset, balance))
      }
    }
    return records
  }
}
