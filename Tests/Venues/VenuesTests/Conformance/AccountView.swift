import Synchronization
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// An account as an adapter tells it: by its private stream, by the answers to what is asked of it,
/// and by the reconciliation that follows a connection or a doubt. Each fill counts once.
final class AccountView: Sendable {
  struct Order: Sendable {
    var venueOrderID: String
    var status: VenueOrderStatus
    var filled: Quantity
  }

  private struct State {
    var events: Heard<PrivateEvent>
    var orders: [String: Order] = [:]
    var fills: [String: VenueFillRecord] = [:]
    var balances: [String: VenueBalance] = [:]
    /// Orders that may exist.
    var doubtful: Set<String> = []
    /// Of every order that was tried.
    var sides: [String: Side] = [:]
    var eventsTaken = 0
    /// Fills that came twice.
    var repeated = 0
  }

  private let state: Mutex<State>
  private let instrument: Instrument

  init(_ events: Heard<PrivateEvent>, _ instrument: Instrument) {
    state = Mutex(State(events: events))
    self.instrument = instrument
  }

  /// Goes on with another session.
  func follow(_ events: Heard<PrivateEvent>) {
    hear()
    state.withLock { state in
      state.events = events
      state.eventsTaken = 0
    }
  }

  var orders: [String: Order] { state.withLock { $0.orders } }
  var fills: [VenueFillRecord] {
    state.withLock { $0.fills.values.sorted(by: KrakenReports.isOlder) }
  }
  var balances: [String: VenueBalance] { state.withLock { $0.balances } }
  var isDoubtful: Bool { state.withLock { !$0.doubtful.isEmpty } }
  var repeatedFills: Int { state.withLock { $0.repeated } }

  // MARK: Hearing

  /// Takes what the stream has said since the last time; true when it has connected anew.
  @discardableResult
  func hear() -> Bool {
    state.withLock { state in
      let all = state.events.all
      var isNew = false
      for event in all[state.eventsTaken...] {
        switch event {
        case .connected, .missed: isNew = true
        case .disconnected: break
        case .report(let report): Self.take(report, &state)
        case .balances(let balances):
          for balance in balances { state.balances[balance.asset] = balance }
        }
      }
      state.eventsTaken = all.count
      return isNew
    }
  }

  func placing(_ order: VenueOrder) {
    state.withLock { $0.sides[order.clientOrderID] = order.side }
  }

  func take(_ outcome: VenueOutcome, of name: String) {
    state.withLock { state in
      switch outcome {
      case .acknowledged(let report):
        state.doubtful.remove(name)
        Self.take(report, &state)
      case .rejected(let reason, _):
        // The venue has none of this name, so there never was one.
        if reason == .unknownOrder, state.orders[name] == nil { state.doubtful.remove(name) }
      case .unknown: state.doubtful.insert(name)
      }
    }
  }

  /// An ended order stays ended, however late an earlier report comes; what has filled only grows.
  private static func take(_ report: VenueReport, _ state: inout State) {
    if let fill = report.fill {
      let record = VenueFillRecord(
        instrument: report.instrument, venueOrderID: report.venueOrderID, fill: fill)
      if state.fills.updateValue(record, forKey: fill.executionID) != nil { state.repeated += 1 }
    }
    var order =
      state.orders[report.clientOrderID]
      ?? Order(venueOrderID: report.venueOrderID, status: report.status, filled: .zero)
    order.filled = max(order.filled, report.filledQuantity)
    if !order.status.isTerminal { order.status = report.status }
    if !order.status.isTerminal {
      order.status = order.filled > .zero ? .partiallyFilled : .new
    }
    state.orders[report.clientOrderID] = order
  }

  // MARK: Asking

  /// What a hearer does after a connection and after a doubt: open orders, what became of those that
  /// it took for open, fills from the last one on, balances.
  func reconcile(_ entry: any VenueOrderEntry) async throws(VenueError) {
    hear()
    let open = try await entry.openOrders(of: instrument.id).rows
    state.withLock { state in for report in open { Self.take(report, &state) } }
    let listed = Set(open.map(\.clientOrderID))
    let missing = state.withLock { state in
      state.orders.filter { !$0.value.status.isTerminal && !listed.contains($0.key) }.map(\.key)
        + state.doubtful
    }
    for name in Set(missing).sorted() {
      let outcome = await entry.query(name, of: instrument.id)
      take(outcome, of: name)
      if case .unknown(let reason) = outcome { throw VenueError(.venueUnavailable, reason) }
    }
    let last = fills.last?.fill.executionID
    let found = try await entry.fills(of: instrument.id, from: last).rows
    for record in found where state.withLock({ $0.fills[record.fill.executionID] == nil }) {
      state.withLock { $0.fills[record.fill.executionID] = record }
    }
    try await completeFills(entry)
    let balances = try await entry.balances()
    state.withLock { state in
      state.balances = Dictionary(uniqueKeysWithValues: balances.map { ($0.asset, $0) })
    }
  }

  /// An order that has filled further than its fills tell has lost one on the way.
  private func completeFills(_ entry: any VenueOrderEntry) async throws(VenueError) {
    for name in ordersWithLostFills {
      guard let id = orders[name]?.venueOrderID else { continue }
      for record in try await entry.fills(ofOrder: id, instrument.id).rows {
        state.withLock { $0.fills[record.fill.executionID] = record }
      }
    }
  }

  var ordersWithLostFills: [String] {
    state.withLock { state in
      state.orders.filter { _, order in
        let told = state.fills.values.filter { $0.venueOrderID == order.venueOrderID }
        return told.reduce(Quantity.zero) { $0 + $1.fill.quantity } != order.filled
      }.map(\.key).sorted()
    }
  }

  // MARK: Comparing

  /// In what the view and the exchange differ: open orders, balances to the last digit, and what the
  /// fills made of the balances that there were `before`.
  func differences(from account: ExchangeAccount, before: ExchangeAccount) -> [String] {
    var found = ordersWithLostFills.map { "the fills of \($0) are not what it has filled" }
    if isDoubtful { found.append("orders are in doubt") }
    let ours = orders.filter { !$0.value.status.isTerminal }.mapValues { order in
      instrument.decimal(order.filled)
    }
    let theirs = account.openOrders.map { order in
      (
        OKXClientID.parsed(order.clientOrderID),
        Decimal(units: order.filled.raw, scale: order.quantityScale)
      )
    }
    if ours != Dictionary(uniqueKeysWithValues: theirs) {
      found.append("open orders are \(ours), at the exchange \(theirs)")
    }
    let balances = balances
    for theirs in account.balances {
      let ours = balances[theirs.asset]
      if ours?.free != theirs.free.decimal || ours?.locked != theirs.locked.decimal {
        found.append("\(theirs.asset) is \(ours as Any), at the exchange \(theirs)")
      }
      let start = before.balances.first { $0.asset == theirs.asset }?.total ?? .zero
      if let sum = try? total(of: theirs.asset, from: start), sum != theirs.total {
        found.append("\(theirs.asset) is \(sum) by the fills, at the exchange \(theirs.total)")
      }
    }
    return found
  }

  /// What the fills make of a balance, as the exchange counts: what is below 10^-8 is dropped.
  private func total(of asset: String, from start: Decimal) throws(DecimalError) -> Decimal {
    let sides = state.withLock { state in
      state.orders.reduce(into: [String: Side]()) { sides, order in
        sides[order.value.venueOrderID] = state.sides[order.key]
      }
    }
    var sum = start
    for record in fills {
      let isBuyer = sides[record.venueOrderID] == .buy
      let amount =
        asset == instrument.base
        ? instrument.decimal(record.fill.quantity)
        : asset == instrument.quote ? cost(of: record.fill) : .zero
      sum =
        isBuyer == (asset == instrument.base) ? try sum.adding(amount) : try sum.subtracting(amount)
      if asset == record.fill.feeAsset { sum = try sum.subtracting(record.fill.fee) }
    }
    return sum
  }

  private func cost(of fill: VenueFill) -> Decimal {
    let scale = Int(instrument.notionalScale) - Int(AssetAmount.scale)
    let raw = (fill.price * fill.quantity).raw
    guard scale > 0 else { return Decimal(units: Int64(raw), scale: instrument.notionalScale) }
    return Decimal(
      units: Int64(raw / Int128(powerOfTen(UInt8(scale))!)), scale: AssetAmount.scale)
  }
}

extension AssetAmount {
  var decimal: Decimal { Decimal(units: raw, scale: Self.scale) }
}

extension ExchangeAccount.Balance {
  var total: Decimal { (free + locked).decimal }
}
