internal import Chrono
package import JSON
internal import Units
package import Venue

/// Orders, fills and balances of OKX's answers and private channels.
package struct OKXReports: Sendable {
  private let instruments: InstrumentDirectory
  private let alarm: RowAlarm

  package init(_ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm()) {
    self.instruments = instruments
    self.alarm = alarm
  }

  /// Entries of one answer, and the id that the next page is after.
  package struct Page<Row: Sendable & Hashable>: Sendable {
    package var list = VenueList<Row>()
    package var count = 0
    package var last = ""
  }

  // MARK: Orders

  /// An order as a query, the list of open orders and the channel `orders` tell it; nil for an
  /// instrument of somebody else.
  package func order(_ json: JSONValue) throws(JSONError) -> VenueReport? {
    guard let instrument = instruments.named(try json.string("instId")) else { return nil }
    let state = try json.string("state")
    let source = json["cancelSource"]?.string ?? ""
    var report = VenueReport(
      instrument: instrument.id, clientOrderID: OKXClientID.parsed(try json.string("clOrdId")),
      venueOrderID: try json.string("ordId"), status: try Self.status(state, source),
      filledQuantity: try quantity(json, "accFillSz", instrument),
      exchangeTime: try json.instant(milliseconds: "uTime"),
      price: isTold(json, "px") ? try price(json, "px", instrument) : nil,
      quantity: isTold(json, "sz") ? try quantity(json, "sz", instrument) : nil)
    if report.status == .rejected {
      report.rejectReason = .wouldTakeLiquidity
      report.rejectText = "a post-only order that would have taken liquidity"
    } else if report.status == .expired || !source.isEmpty {
      report.rejectText = json["cancelSourceReason"]?.string ?? "cancelSource \(source)"
    }
    return report
  }

  /// Empty where the order has none: a market order's price.
  private func isTold(_ json: JSONValue, _ name: String) -> Bool {
    json[name]?.string.map(\.isEmpty) == false
  }

  private func price(
    _ json: JSONValue, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Price {
    try alarm.price(RowAlarm.decimal(json.string(name), name), name, of: instrument)
  }

  private func quantity(
    _ json: JSONValue, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Quantity {
    try alarm.quantity(RowAlarm.decimal(json.string(name), name), name, of: instrument)
  }

  /// A message of the channel `orders`, which announces one fill at most.
  package func channelOrder(_ json: JSONValue) throws(JSONError) -> VenueReport? {
    guard var report = try order(json), let instrument = instruments[report.instrument] else {
      return nil
    }
    let trade = try json.string("tradeId")
    if !trade.isEmpty, try quantity(json, "fillSz", instrument) > .zero {
      report.fill = try fill(json, instrument, fee: "fillFee", feeAsset: "fillFeeCcy")
    }
    return report
  }

  /// A query's answer, or a page of GET trade/orders-pending.
  package func orders(_ body: [UInt8]) throws(JSONError) -> Page<VenueReport> {
    var page = Page<VenueReport>()
    for json in try JSONDocument(parsing: body).root.array("data") {
      page.count += 1
      page.last = json["ordId"]?.string ?? page.last
      page.list.take("order", alarm) { () throws(JSONError) in
        try order(json)
      } unread: {
        gap(json, $0)
      }
    }
    return page
  }

  private func gap(_ json: JSONValue, _ problem: String) -> VenueListGap {
    let name = json["instId"]?.string ?? ""
    let id = json["ordId"]?.string ?? ""
    return VenueListGap(
      instruments.named(name)?.id, venueOrderID: id, "\(name) order \(id): \(problem)")
  }

  /// 13 and 14: fill-or-kill and immediate-or-cancel that did not fill. 31: post-only that would
  /// have.
  private static func status(
    _ state: String, _ source: String
  ) throws(JSONError) -> VenueOrderStatus {
    switch state {
    case "live": return .new
    case "partially_filled": return .partiallyFilled
    case "filled": return .filled
    case "canceled", "mmp_canceled":
      switch source {
      case "13", "14": return .expired
      case "31": return .rejected
      default: return .cancelled
      }
    default: throw .unexpected("an order's state is \(state)")
    }
  }

  // MARK: Fills

  /// The venue writes what we pay as negative.
  private func fill(
    _ json: JSONValue, _ instrument: Instrument, fee: String, feeAsset: String
  ) throws(JSONError) -> VenueFill {
    let paid = try Self.decimal(json, fee)
    guard paid.units != .min else { throw .unexpected("\(fee) is less than any fee") }
    return VenueFill(
      executionID: try json.string("tradeId"),
      price: try price(json, "fillPx", instrument),
      quantity: try quantity(json, "fillSz", instrument),
      fee: Decimal(units: 0 - paid.units, scale: paid.scale), feeAsset: try json.string(feeAsset),
      isMaker: try json.member("execType").isString("M"),
      exchangeTime: try json.instant(milliseconds: json["fillTime"] == nil ? "ts" : "fillTime"))
  }

  /// A page of GET trade/fills, newest first as it comes, and the id that the next page is after.
  package func fills(_ body: [UInt8]) throws(JSONError) -> Page<VenueFillRecord> {
    var page = Page<VenueFillRecord>()
    for json in try JSONDocument(parsing: body).root.array("data") {
      page.count += 1
      page.last = json["billId"]?.string ?? page.last
      page.list.take("fill", alarm) { () throws(JSONError) in
        try record(json)
      } unread: {
        gap(json, $0)
      }
    }
    return page
  }

  private func record(_ json: JSONValue) throws(JSONError) -> VenueFillRecord? {
    guard let instrument = instruments.named(try json.string("instId")) else { return nil }
    return VenueFillRecord(
      instrument: instrument.id, venueOrderID: try json.string("ordId"),
      fill: try fill(json, instrument, fee: "fee", feeAsset: "feeCcy"))
  }

  // MARK: Balances

  /// GET account/balance, and a message of the channel `account`.
  package func balances(_ entries: JSONArray) throws(JSONError) -> [VenueBalance] {
    var balances: [VenueBalance] = []
    for entry in entries {
      for detail in try entry.array("details") {
        balances.append(
          VenueBalance(
            asset: try detail.string("ccy"), free: try Self.decimal(detail, "availBal"),
            locked: try Self.decimal(detail, "frozenBal")))
      }
    }
    return balances
  }

  /// Interest gives balances more digits than 64 bits hold: those beyond are cut, so that a balance
  /// is never told as more than it is.
  private static func decimal(_ json: JSONValue, _ name: String) throws(JSONError) -> Decimal {
    let text = try json.string(name)
    if text.isEmpty { return .zero }
    var digits = text[...]
    while true {
      do throws(DecimalError) {
        return try Decimal(parsing: digits)
      } catch {
        guard error == .tooManyDigits, digits.contains(".") else {
          throw .unexpected("\(name) \(error.problem): \(text)")
        }
        digits.removeLast()
        if digits.last == "." { digits.removeLast() }
      }
    }
  }
}
