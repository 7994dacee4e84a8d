package import Chrono
internal import JSON
internal import Units
internal import Venue

/// The private stream without its socket: frames in, events out.
///
/// Kraken names an order's pair and our id of it once; later messages have its own id alone, so
/// open orders are remembered from the snapshot and from their first message on
/// (docs.kraken.com/api/docs/websocket-v2/executions).
///
/// Each connection has a token of its own, which must be used within a quarter of an hour and is
/// good as long as the connection lives (docs.kraken.com/api/docs/guides/spot-ws-auth). What is free
/// of a balance the stream does not say, so balances are asked for when something has changed.
package final class KrakenAccountFeed: PrivateFeed {
  private struct OpenOrder {
    var instrument: Instrument
    var clientOrderID: String
    var filled: Quantity
  }

  /// Heartbeats come once a second.
  package let isNeverSilent = true

  private let reports: KrakenReports
  private let alarm: RowAlarm
  private let host: String?
  private var open: [String: OpenOrder] = [:]
  private var sequence: UInt64?

  /// More open orders than Kraken allows an account on all its pairs; one more is not remembered,
  /// and what is said of it later has no name.
  static let ordersMax = 20_000

  /// `host`: where private streams are, when it is not where public ones are.
  package init(
    _ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm(), host: String?
  ) {
    self.alarm = alarm
    reports = KrakenReports(instruments, alarm)
    self.host = host
  }

  package func address(ticket: String) -> (host: String?, target: String) { (host, "/v2") }

  package func opened(
    ticket: String, at now: Instant, _ uptime: Uptime, _ output: inout PrivateOutput
  ) {
    open.removeAll()
    sequence = nil
    for (place, channel) in ["executions", "balances"].enumerated() {
      output.wishes.append(.send(Self.subscription(channel, token: ticket, id: place + 1)))
    }
  }

  private static func subscription(_ channel: String, token: String, id: Int) -> [UInt8] {
    var writer = JSONWriter()
    writer.object {
      $0.member("method", "subscribe")
      $0.name("params")
      $0.object { params in
        params.member("channel", channel)
        params.member("token", token)
        if channel == "executions" {
          params.member("snap_orders", true)
          params.member("snap_trades", false)
          params.member("order_status", true)
        } else {
          params.member("snapshot", true)
        }
      }
      $0.member("req_id", id)
    }
    return writer.finished()
  }

  package func tick(at uptime: Uptime, _ output: inout PrivateOutput) {}

  package func receive(_ frame: [UInt8], at uptime: Uptime, _ output: inout PrivateOutput) {
    do throws(JSONError) {
      let root = try JSONDocument(parsing: frame).root
      if root["method"] != nil {
        answer(root, &output)
      } else if root["channel"]?.isString("executions") == true {
        try follow(root, &output)
        for row in try root.array("data") {
          output.readRow("report", alarm) { () throws(JSONError) in
            try report(row).map { .report($0) }
          }
        }
        output.wishes.append(.askBalances)
      } else if root["channel"]?.isString("balances") == true {
        output.wishes.append(.askBalances)
      }
    } catch {
      output.fault = .malformed("a private message cannot be read: \(error)")
    }
  }

  private func answer(_ root: JSONValue, _ output: inout PrivateOutput) {
    guard root["method"]?.isString("subscribe") == true else { return }
    if root["success"]?.bool == true {
      output.isComplete = root["result"]?["channel"]?.isString("executions") == true
    } else {
      output.fault = .refused("the venue refuses a subscription: \(root["error"]?.string ?? "")")
    }
  }

  /// Numbers of executions have no holes.
  private func follow(_ root: JSONValue, _ output: inout PrivateOutput) throws(JSONError) {
    guard root["sequence"] != nil else { return }
    let found = try root.uint64("sequence")
    if let last = sequence, found != last &+ 1 {
      output.fault = .gap("expected message \(last &+ 1), found \(found)")
    }
    sequence = found
  }

  // MARK: Executions

  /// Nil for what is not ours to follow, and for an order that only has arrived.
  private func report(_ row: JSONValue) throws(JSONError) -> VenueReport? {
    let id = try row.string("order_id")
    guard var order = open[id] ?? named(row) else { return nil }
    if let name = row["cl_ord_id"]?.string { order.clientOrderID = name }
    let kind = try row.string("exec_type")
    let fill = kind == "trade" ? try fill(row, order.instrument) : nil
    if row["cum_qty"] != nil {
      order.filled = try reports.amount(row, "cum_qty", order.instrument)
    } else if let fill {
      let (sum, overflow) = order.filled.raw.addingReportingOverflow(fill.quantity.raw)
      guard !overflow else { throw .unexpected("last_qty of \(id)") }
      order.filled = Quantity(sum)
    }
    let status = try status(row["order_status"]?.string ?? "", kind)
    if status?.isTerminal == true {
      open[id] = nil
    } else if open[id] != nil || open.count < Self.ordersMax {
      open[id] = order
    }
    guard let status else { return nil }
    let reason = row["reason"]?.string ?? ""
    return VenueReport(
      instrument: order.instrument.id, clientOrderID: order.clientOrderID, venueOrderID: id,
      status: status, filledQuantity: order.filled, fill: fill,
      rejectReason: status == .cancelled ? KrakenReports.reason(reason) : nil,
      rejectText: status == .cancelled || status == .expired ? reason : "",
      exchangeTime: row["timestamp"]?.krakenTime ?? .epoch,
      price: try reports.limit(row, "limit_price", order.instrument),
      quantity: row["order_qty"] == nil
        ? nil : try reports.amount(row, "order_qty", order.instrument))
  }

  private func named(_ row: JSONValue) -> OpenOrder? {
    guard let symbol = row["symbol"]?.string, let instrument = reports.instrument(symbol) else {
      return nil
    }
    return OpenOrder(instrument: instrument, clientOrderID: "", filled: .zero)
  }

  /// Nil while an order has not reached the book.
  private func status(_ text: String, _ kind: String) throws(JSONError) -> VenueOrderStatus? {
    switch text {
    case "pending_new": nil
    case "new": .new
    case "partially_filled": .partiallyFilled
    case "filled": .filled
    case "canceled": .cancelled
    case "expired": .expired
    case "rejected": .rejected
    default: throw .unexpected("an order status \(text) of \(kind)")
    }
  }

  private func fill(_ row: JSONValue, _ instrument: Instrument) throws(JSONError) -> VenueFill {
    let fee = row["fees"]?[0]
    return VenueFill(
      executionID: try row.string("exec_id"),
      price: try reports.price(row, "last_price", instrument),
      quantity: try reports.amount(row, "last_qty", instrument),
      fee: try fee.map { value throws(JSONError) in try reports.decimal(value, "qty") } ?? .zero,
      feeAsset: fee?["asset"]?.string.map(KrakenAssets.canonical) ?? instrument.quote,
      isMaker: row["liquidity_ind"]?.isString("m") == true,
      exchangeTime: row["timestamp"]?.krakenTime ?? .epoch)
  }
}
