internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Kraken's answers about orders, fills and balances, as values.
package struct KrakenReports: Sendable {
  private let instruments: InstrumentDirectory
  private let alarm: RowAlarm

  package init(_ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm()) {
    self.instruments = instruments
    self.alarm = alarm
  }

  /// An instrument by any of Kraken's spellings; nil when it is none of this session.
  func instrument(_ spelling: String) -> Instrument? {
    instruments.named(spelling)
      ?? instruments.all.first { KrakenAssets.means(spelling, $0.venueSymbol) }
  }

  // MARK: Orders

  /// The members of `open` or `closed`, or of QueryOrders' result, that are of our instruments.
  func orders(_ json: JSONValue) throws(JSONError) -> VenueList<VenueReport> {
    guard let members = json.object else { throw .unexpected("orders are \(json.kind.name)") }
    var list = VenueList<VenueReport>()
    for member in members {
      list.take("order", alarm) { () throws(JSONError) in
        try order(member.name, member.value)
      } unread: { problem in
        VenueListGap(
          member.value["descr"]?["pair"]?.string.flatMap(instrument)?.id,
          venueOrderID: member.name, "order \(member.name): \(problem)")
      }
    }
    return list
  }

  private func order(_ id: String, _ json: JSONValue) throws(JSONError) -> VenueReport? {
    let spelling = try json.member("descr").string("pair")
    guard let instrument = instrument(spelling) else { return nil }
    let filled = try amount(json, "vol_exec", instrument)
    let moment = json["closetm"]?.krakenSeconds ?? json["opentm"]?.krakenSeconds ?? .epoch
    let status = try status(json.string("status"), filled: filled)
    let reason = json["reason"]?.string ?? ""
    return VenueReport(
      instrument: instrument.id, clientOrderID: json["cl_ord_id"]?.string ?? "",
      venueOrderID: id, status: status, filledQuantity: filled,
      rejectReason: status == .cancelled ? KrakenReports.reason(reason) : nil,
      rejectText: status == .cancelled ? reason : "", exchangeTime: moment,
      price: try limit(json["descr"], "price", instrument),
      quantity: json["vol"] == nil ? nil : try amount(json, "vol", instrument))
  }

  /// Nil where the order has none of its own: a market order's is told as zero, and one that is relative to
  /// another price, as somebody may place by hand, as `+5.0000%`.
  func limit(
    _ json: JSONValue?, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Price? {
    guard let json, let value = json[name] else { return nil }
    if let text = value.string, text.hasSuffix("%") || "+-#".contains(text.prefix(1)) {
      return nil
    }
    let price = try price(json, name, instrument)
    return price > .zero ? price : nil
  }

  private func status(
    _ text: String, filled: Quantity
  ) throws(JSONError) -> VenueOrderStatus {
    switch text {
    case "pending", "open": filled.raw > 0 ? .partiallyFilled : .new
    case "closed": .filled
    case "canceled": .cancelled
    case "expired": .expired
    default: throw .unexpected("an order status \(text)")
    }
  }

  /// Cancelled by the venue for what the order was; nil for cancels that somebody asked for.
  static func reason(_ text: String) -> RejectReason? {
    text.hasPrefix("Post only") ? .wouldTakeLiquidity : nil
  }

  // MARK: Fills

  /// `{"T...": {...}, ...}` of our instruments, oldest first.
  func fills(_ json: JSONValue) throws(JSONError) -> VenueList<VenueFillRecord> {
    guard let members = json.object else { throw .unexpected("trades are \(json.kind.name)") }
    var list = VenueList<VenueFillRecord>()
    for member in members {
      list.take("fill", alarm) { () throws(JSONError) in
        try fill(member.name, member.value)
      } unread: { problem in
        VenueListGap(
          member.value["pair"]?.string.flatMap(instrument)?.id,
          venueOrderID: member.value["ordertxid"]?.string ?? "",
          "trade \(member.name): \(problem)")
      }
    }
    list.rows.sort(by: Self.isOlder)
    return list
  }

  static func isOlder(_ left: VenueFillRecord, _ right: VenueFillRecord) -> Bool {
    (left.fill.exchangeTime, left.fill.executionID)
      < (right.fill.exchangeTime, right.fill.executionID)
  }

  private func fill(_ id: String, _ json: JSONValue) throws(JSONError) -> VenueFillRecord? {
    guard let instrument = instrument(try json.string("pair")) else { return nil }
    guard let moment = try json.member("time").krakenSeconds else {
      throw .unexpected("time of \(id)")
    }
    return VenueFillRecord(
      instrument: instrument.id, venueOrderID: try json.string("ordertxid"),
      fill: VenueFill(
        executionID: id, price: try price(json, "price", instrument),
        quantity: try amount(json, "vol", instrument), fee: try decimal(json, "fee"),
        // Orders are placed with `fciq`: fees are of the quote.
        feeAsset: instrument.quote, isMaker: json["maker"]?.bool ?? false, exchangeTime: moment))
  }

  // MARK: Balances

  /// BalanceEx: what open orders hold is not free.
  func balances(_ json: JSONValue) throws(JSONError) -> [VenueBalance] {
    guard let members = json.object else { throw .unexpected("balances are \(json.kind.name)") }
    var balances: [VenueBalance] = []
    for member in members {
      let all = try decimal(member.value, "balance")
      let locked =
        member.value["hold_trade"] == nil ? .zero : try decimal(member.value, "hold_trade")
      do throws(DecimalError) {
        balances.append(
          VenueBalance(
            asset: KrakenAssets.canonical(member.name), free: try all.subtracting(locked),
            locked: locked))
      } catch {
        throw .unexpected("\(member.name): \(error.problem)")
      }
    }
    return balances
  }

  // MARK: Numbers

  /// Prices of fills can have more digits than the tick, which are zeros.
  func price(
    _ json: JSONValue, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Price {
    try alarm.price(decimal(json, name), name, of: instrument)
  }

  func amount(
    _ json: JSONValue, _ name: String, _ instrument: Instrument
  ) throws(JSONError) -> Quantity {
    try alarm.quantity(decimal(json, name), name, of: instrument)
  }

  func decimal(_ json: JSONValue, _ name: String) throws(JSONError) -> Decimal {
    try RowAlarm.decimal(json.stringOrNumberText(name), name)
  }
}
