internal import Chrono
package import JSON
internal import Units
package import Venue

/// Binance's private JSON to values: executionReport, order bodies, trade history, balances.
package struct BinanceReports: Sendable {
  private let instruments: InstrumentDirectory
  private let alarm: RowAlarm

  package init(_ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm()) {
    self.instruments = instruments
    self.alarm = alarm
  }

  /// A message of the private stream: a report, balances, or nil for what does not concern us.
  package func event(_ message: JSONValue) throws(JSONError) -> PrivateEvent? {
    let root = Self.inner(message)
    guard let kind = root["e"]?.string else { return nil }
    switch kind {
    case "executionReport": return try executionReport(root).map { .report($0) }
    case "outboundAccountPosition": return .balances(try balances(root.array("B"), names: .short))
    default: return nil
    }
  }

  /// The name of an event after which the stream tells nothing more, although its connection lives on: the
  /// listen key's time is over, or the subscription's.
  func end(_ message: JSONValue) -> String? {
    guard let kind = Self.inner(message)["e"]?.string,
      ["listenKeyExpired", "eventStreamTerminated"].contains(kind)
    else { return nil }
    return kind
  }

  /// Wrapped by a combined stream, or by the WebSocket API's subscription.
  private static func inner(_ message: JSONValue) -> JSONValue {
    message["data"] ?? message["event"] ?? message
  }

  private func executionReport(_ json: JSONValue) throws(JSONError) -> VenueReport? {
    guard let instrument = instruments.named(try json.string("s")) else { return nil }
    let time = try json.instant(milliseconds: "T")
    // A cancel's report names the request in "c" and the order in "C".
    let original = try json.string("C")
    let name = try json.string("c")
    let status = try status(json.string("X"))
    var fill: VenueFill?
    if try json.string("x") == "TRADE" {
      fill = VenueFill(
        executionID: String(try json.int64("t")),
        price: try alarm.price(decimal(json, "L"), "L", of: instrument),
        quantity: try alarm.quantity(decimal(json, "l"), "l", of: instrument),
        fee: try decimal(json, "n"), feeAsset: json["N"]?.string ?? "",
        isMaker: try json.bool("m"), exchangeTime: time)
    }
    let rejection = try json.string("r")
    return VenueReport(
      instrument: instrument.id, clientOrderID: original.isEmpty ? name : original,
      venueOrderID: String(try json.int64("i")), status: status,
      filledQuantity: try alarm.quantity(decimal(json, "z"), "z", of: instrument), fill: fill,
      rejectReason: rejection == "NONE" ? nil : .venuePolicy,
      rejectText: rejection == "NONE" ? "" : rejection, exchangeTime: time,
      price: try price(json, "p", instrument),
      quantity: try alarm.quantity(decimal(json, "q"), "q", of: instrument))
  }

  /// The body of placing, cancelling or querying an order, or one row of openOrders.
  package func order(_ json: JSONValue) throws(JSONError) -> VenueReport {
    let instrument = try instrument(json)
    let times = ["transactTime", "updateTime", "time"]
    let time = times.first { json[$0]?.int64 != nil }
    return VenueReport(
      instrument: instrument.id,
      clientOrderID: try json.string(
        json["origClientOrderId"] == nil ? "clientOrderId" : "origClientOrderId"),
      venueOrderID: String(try json.int64("orderId")), status: try status(json.string("status")),
      filledQuantity: try alarm.quantity(
        decimal(json, "executedQty"), "executedQty", of: instrument),
      exchangeTime: try time.map { name throws(JSONError) in
        try json.instant(milliseconds: name)
      } ?? .epoch, price: try price(json, "price", instrument),
      // An amended order's is called otherwise.
      quantity: try ["origQty", "qty"].first { json[$0]?.string != nil }.map {
        name throws(JSONError) in
        try alarm.quantity(decimal(json, name), name, of: instrument)
      })
  }

  /// A market order's is told as zero.
  private func price(
    _ json: JSONValue, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Price? {
    guard json[name]?.string != nil else { return nil }
    let price = try alarm.price(decimal(json, name), name, of: instrument)
    return price > .zero ? price : nil
  }

  /// The body of amending: what changed is one level down.
  package func amended(_ json: JSONValue) throws(JSONError) -> VenueReport {
    var report = try order(json.member("amendedOrder"))
    report.exchangeTime = try json.instant(milliseconds: "transactTime")
    return report
  }

  package func orders(_ body: [UInt8]) throws(JSONError) -> VenueList<VenueReport> {
    var list = VenueList<VenueReport>()
    for row in try rows(body) { take(row, into: &list) }
    return list
  }

  /// DELETE /api/v3/openOrders: orders, and lists of orders with a report of each.
  package func cancelled(_ body: [UInt8]) throws(JSONError) -> VenueList<VenueReport> {
    var list = VenueList<VenueReport>()
    for row in try rows(body) {
      guard let members = row["orderReports"]?.array else {
        take(row, into: &list)
        continue
      }
      for member in members { take(member, into: &list) }
    }
    return list
  }

  /// Of symbols that are none of this session's nothing is told.
  private func take(_ row: JSONValue, into list: inout VenueList<VenueReport>) {
    if let symbol = row["symbol"]?.string, instruments.named(symbol) == nil { return }
    list.take("order", alarm) { () throws(JSONError) in
      try order(row)
    } unread: {
      gap(row, $0)
    }
  }

  private func gap(_ row: JSONValue, _ problem: String) -> VenueListGap {
    let symbol = row["symbol"]?.string ?? ""
    let id = row["orderId"]?.int64.map(String.init) ?? ""
    return VenueListGap(
      instruments.named(symbol)?.id, venueOrderID: id, "\(symbol) order \(id): \(problem)")
  }

  /// GET /api/v3/myTrades, with the number to ask for the next page from.
  package func fills(
    _ body: [UInt8]
  ) throws(JSONError) -> (list: VenueList<VenueFillRecord>, count: Int, next: Int64?) {
    let rows = try rows(body)
    var list = VenueList<VenueFillRecord>()
    var last: Int64?
    for row in rows {
      last = row["id"]?.int64 ?? last
      list.take("fill", alarm) { () throws(JSONError) in
        try fill(row)
      } unread: {
        gap(row, $0)
      }
    }
    return (list, rows.count, last.map { $0 &+ 1 })
  }

  private func fill(_ row: JSONValue) throws(JSONError) -> VenueFillRecord {
    let instrument = try instrument(row)
    let fill = VenueFill(
      executionID: String(try row.int64("id")),
      price: try alarm.price(decimal(row, "price"), "price", of: instrument),
      quantity: try alarm.quantity(decimal(row, "qty"), "qty", of: instrument),
      fee: try decimal(row, "commission"), feeAsset: try row.string("commissionAsset"),
      isMaker: try row.bool("isMaker"),
      exchangeTime: try row.instant(milliseconds: "time"))
    return VenueFillRecord(
      instrument: instrument.id, venueOrderID: String(try row.int64("orderId")), fill: fill)
  }

  /// GET /api/v3/account.
  package func balances(_ body: [UInt8]) throws(JSONError) -> [VenueBalance] {
    try balances(JSONDocument(parsing: body).root.array("balances"), names: .long)
  }

  private enum BalanceNames {
    case short
    case long
  }

  private func balances(
    _ rows: JSONArray, names: BalanceNames
  ) throws(JSONError) -> [VenueBalance] {
    let (asset, free, locked) = names == .short ? ("a", "f", "l") : ("asset", "free", "locked")
    var balances: [VenueBalance] = []
    for row in rows {
      balances.append(
        VenueBalance(
          asset: try row.string(asset), free: try decimal(row, free),
          locked: try decimal(row, locked)))
    }
    return balances
  }

  // MARK: Words

  private func rows(_ body: [UInt8]) throws(JSONError) -> JSONArray {
    guard let rows = try JSONDocument(parsing: body).root.array else {
      throw .unexpected("the answer is not an array")
    }
    return rows
  }

  private func instrument(_ json: JSONValue) throws(JSONError) -> Instrument {
    let symbol = try json.string("symbol")
    guard let instrument = instruments.named(symbol) else {
      throw .unexpected("\(symbol) is not an instrument of this session")
    }
    return instrument
  }

  private func status(_ text: String) throws(JSONError) -> VenueOrderStatus {
    switch text {
    // PENDING_NEW waits for another order, PENDING_CANCEL is still in the book.
    case "NEW", "PENDING_NEW", "PENDING_CANCEL": .new
    case "PARTIALLY_FILLED": .partiallyFilled
    case "FILLED": .filled
    case "CANCELED": .cancelled
    case "REJECTED": .rejected
    case "EXPIRED", "EXPIRED_IN_MATCH": .expired
    default: throw .unexpected("an order status \(text)")
    }
  }

  private func decimal(_ json: JSONValue, _ name: String) throws(JSONError) -> Decimal {
    try RowAlarm.decimal(json.string(name), name)
  }
}
