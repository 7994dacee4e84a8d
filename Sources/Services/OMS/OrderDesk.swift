internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Loop
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// Every order, and the only writer of the journal.
///
/// A change is applied here, appended to the journal in the same order, and told to others when it is
/// on disk: answers wait for the append, streams and PostgreSQL read the journal.
actor OrderDesk {
  let config: Config
  let context: ServiceContext
  let journal: Journal
  var instruments = InstrumentTable()
  var rows: [OrderID: OrderRow] = [:]
  /// Every order that was ever in memory, oldest first: ids only grow.
  var ids: [OrderID] = []
  var open: Set<OrderID> = []
  var byClient: [ClientKey: OrderID] = [:]
  private(set) var accounts: Set<String> = []
  /// Closed orders in order of their closing, for eviction.
  var closed: [OrderID] = []
  var executions: [OmsV1.Execution] = []
  /// True once something has left memory that PostgreSQL still knows.
  var hasEvicted = false
  var lastReport: UInt64 = 0
  /// The newest event applied; on disk when `lastAppend` says so.
  private(set) var lastSequence: UInt64 = 0
  private(set) var lastAppend: Task<UInt64, any Error>?
  /// The newest event, instruments not counted.
  private(set) var lastEvent: UInt64 = 0
  private var mint = OrderIDMint(after: OrderID(0))
  private var waiters: [OrderID: [CheckedContinuation<Void, Never>]] = [:]
  private let accepted: Counter
  private let duplicates: Counter
  private let faults: Counter
  private let openOrders: Gauge

  struct ClientKey: Hashable {
    let account: String
    let clientOrderID: String
  }

  init(_ config: Config, _ context: ServiceContext, _ recovery: Recovery) {
    self.config = config
    self.context = context
    self.journal = recovery.journal
    self.instruments = recovery.instruments
    self.lastReport = recovery.lastReport
    self.lastSequence = recovery.journal.durable
    self.lastEvent = recovery.lastEvent
    self.executions = recovery.executions
    let metrics = context.metrics
    accepted = metrics.counter("oms_orders_accepted_total", help: "Orders journaled.")
    duplicates = metrics.counter(
      "oms_orders_duplicate_total", help: "Orders whose client order id was known.")
    faults = metrics.counter(
      "oms_report_faults_total", help: "Reports that an order could not take.")
    openOrders = metrics.gauge("oms_orders_open", help: "Orders that are not done.")
    for (id, row) in recovery.rows {
      rows[id] = row
      byClient[ClientKey(account: row.order.account, clientOrderID: row.order.clientOrderID)] = id
      accounts.insert(row.order.account)
      if row.lifecycle.isTerminal { closed.append(id) } else { open.insert(id) }
    }
    let ended = recovery.rows.mapValues(\.lifecycle.updatedTime)
    closed.sort { ended[$0]! < ended[$1]! }
    ids = rows.keys.sorted()
    mint = OrderIDMint(after: ids.last ?? OrderID(0))
    openOrders.set(Double(open.count))
  }

  // MARK: Instruments

  /// Takes the rules of instruments; new ones and changes are journaled before any order uses them.
  func learn(_ instruments: [MarketV1.Instrument]) async throws {
    for instrument in instruments where try self.instruments.put(instrument) {
      var record = OmsV1.JournalRecord()
      record.record = .instrument(instrument)
      _ = try await append(record).value
    }
  }

  // MARK: Orders in

  /// Journals an order, or answers the one that its client order id names. `admitted`: when its gate
  /// let it pass, in nanoseconds since 1970; 0 for not said.
  func accept(
    _ wire: OmsV1.Order, admitted: UInt64
  ) async throws -> (order: OmsV1.Order, isDuplicate: Bool) {
    let instrument = try instruments.find(venue: wire.venue, symbol: wire.symbol)
    var order = try Order(
      wire, id: OrderID(0), instrument, createdTime: context.time.now)
    let key = ClientKey(account: order.account, clientOrderID: order.clientOrderID)
    if let known = byClient[key] { return (try await existing(known, order), true) }
    try requireFresh(admitted, order.createdTime)
    guard open.count < config.ordersOpenMax else {
      throw RejectReason.overloaded.error(
        "\(open.count) orders are open, the most allowed (orders_open_max)",
        domain: "oms.shrivenquant", metadata: ["limit": "\(config.ordersOpenMax)"])
    }
    order.id = mint.next(now: order.createdTime)
    var row = OrderRow(order, createdBy: wire.createdBy)
    _ = try row.lifecycle.apply(.accepted, at: order.createdTime)
    let event = JournaledEvent(event: .accepted, time: order.createdTime, reportSequence: 0)
    let appended = append(event.record(row, instrument))
    row.accepted = appended
    rows[order.id] = row
    byClient[key] = order.id
    accounts.insert(order.account)
    ids.append(order.id)
    open.insert(order.id)
    openOrders.set(Double(open.count))
    do {
      _ = try await appended.value
    } catch {
      // Not acknowledged: the caller may try again, and a restart finds out what the disk has.
      rows[order.id] = nil
      byClient[key] = nil
      open.remove(order.id)
      throw error
    }
    rows[order.id]?.accepted = nil
    accepted.increment()
    return (message(order.id), false)
  }

  /// The order that a client order id names, with the same terms; NOT_FOUND when there is none.
  func existing(_ wire: OmsV1.Order) async throws -> OmsV1.Order {
    let instrument = try instruments.find(venue: wire.venue, symbol: wire.symbol)
    let asked = try Order(wire, id: OrderID(0), instrument, createdTime: context.time.now)
    let key = ClientKey(account: asked.account, clientOrderID: asked.clientOrderID)
    guard let known = byClient[key] else {
      throw RPCError(.notFound, "there is no order with clientOrderId \(asked.clientOrderID)")
    }
    return try await existing(known, asked)
  }

  /// What the gate admitted long ago it may have given up since, and admitted others in its place.
  private func requireFresh(_ admitted: UInt64, _ now: Instant) throws(RPCError) {
    guard admitted > 0 else { return }
    let age = now - Instant(nanoseconds: Int64(clamping: admitted))
    guard age > config.admissionAgeMax else { return }
    throw RejectReason.riskTimeout.error(
      "the order was admitted \(age) ago, and an admission is good for \(config.admissionAgeMax) "
        + "(admission_age_max)", code: .aborted, domain: "oms.shrivenquant")
  }

  private func existing(_ id: OrderID, _ asked: Order) async throws -> OmsV1.Order {
    guard let row = rows[id] else { throw RPCError(.internalError, "order \(id) is gone") }
    var first = asked
    first.id = id
    first.createdTime = row.order.createdTime
    guard row.order.asksTheSame(as: first) else {
      throw RejectReason.duplicateOrder.error(
        "clientOrderId \(asked.clientOrderID) is order \(id), which has other terms",
        domain: "oms.shrivenquant", metadata: ["orderId": id.description])
    }
    _ = try await row.accepted?.value
    duplicates.increment()
    return message(id)
  }

  /// Journals the wish to cancel; false when the order was already being cancelled.
  func requestCancel(_ id: OrderID, reason: String) async throws -> Bool {
    let row = try row(id)
    guard !row.lifecycle.isTerminal else {
      throw RPCError(
        .failedPrecondition, "order \(id) is \(row.lifecycle.status.name) and cannot be cancelled")
    }
    if row.lifecycle.isCancelRequested { return false }
    try await change(id, .cancelRequested(reason: reason), report: 0)?.value
    return true
  }

  func requestReplace(_ request: OmsV1.AcceptReplaceRequest) async throws -> (OrderID, UInt32) {
    let id = try orderID(request.orderId)
    let row = try row(id)
    let instrument = instruments[row.order.instrument]
    var terms = row.lifecycle.terms
    if let price = request.price { terms.price = try instrument.price(price, field: "price") }
    if let quantity = request.quantity {
      terms.quantity = try instrument.quantity(quantity, field: "quantity")
    }
    do {
      try await change(id, .replaceRequested(terms), report: 0)?.value
    } catch let fault as OrderFault {
      throw RPCError(.failedPrecondition, "order \(id): \(fault.problem)")
    }
    return (id, try self.row(id).lifecycle.sequence)
  }

  // MARK: Reports in

  /// Applies one report of the router. Its effect is in the journal's queue when this returns; the
  /// task tells when it is on disk.
  func take(_ report: ExecutionV1.ExecutionReport) -> Task<Void, any Error>? {
    guard report.sequence > lastReport else { return nil }
    lastReport = report.sequence
    do {
      let id = try orderID(report.orderId)
      let event = try event(report, try row(id))
      return try change(id, event, report: report.sequence)
    } catch {
      faults.increment()
      context.log.error(
        "a report does not fit its order",
        [
          "order_id": .text(report.orderId), "report": .text("\(report.kind)"),
          "sequence": .text("\(report.sequence)"), "error": LogValue(describing: error),
        ])
      return nil
    }
  }

  private func event(
    _ report: ExecutionV1.ExecutionReport, _ row: OrderRow
  ) throws(RPCError) -> OrderEvent {
    let instrument = instruments[row.order.instrument]
    let reason = RejectReason(report.rejectReason) ?? .venuePolicy
    switch report.kind {
    case .acknowledged: return .venueAcknowledged(venueOrderID: report.venueOrderId)
    case .fill:
      guard let fill = report.fill else { throw RPCError(.dataLoss, "a fill report has no fill") }
      let told = try VenueFill(fill, instrument)
      // The router has its fills from the venue by execution id: that is the venue's word, also when
      // the order has ended meanwhile.
      return .filled(told, venueFilled: row.lifecycle.filledQuantity + told.quantity)
    case .cancelled: return .cancelled(venueFilled: nil)
    case .cancelRejected: return .cancelRejected(reason, text: report.text)
    case .replaced:
      return .replaced(venueOrderID: report.venueOrderId.isEmpty ? nil : report.venueOrderId)
    case .replaceRejected: return .replaceRejected(reason, text: report.text)
    case .rejected: return .rejected(reason, text: report.text)
    case .expired: return .expired(venueFilled: nil)
    case .unknown: return .becameUnknown(reason: report.text)
    default: throw RPCError(.dataLoss, "a report has no kind \(report.kind.rawValue)")
    }
  }

  /// Applies an event and appends it; nil when it changed nothing.
  private func change(
    _ id: OrderID, _ event: OrderEvent, report: UInt64
  ) throws -> Task<Void, any Error>? {
    var row = try row(id)
    let now = context.time.now
    guard case .applied = try row.lifecycle.apply(event, at: now) else { return nil }
    rows[id] = row
    let instrument = instruments[row.order.instrument]
    let journaled = JournaledEvent(event: event, time: now, reportSequence: report)
    let record = journaled.record(row, instrument)
    if case .filled = event { book(record) }
    if row.lifecycle.isTerminal { close(id) }
    for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.resume() }
    let appended = append(record)
    return Task.immediate(executorPreference: context.loop) { _ = try await appended.value }
  }

  private func book(_ record: OmsV1.JournalRecord) {
    guard case .event(let journaled) = record.record, var execution = journaled.event?.execution
    else { return }
    execution.sequence = lastSequence + 1
    executions.append(execution)
    if executions.count > config.executionsKeptMax + config.executionsKeptMax / 8 {
      executions.removeFirst(executions.count - config.executionsKeptMax)
      hasEvicted = true
    }
  }

  private func close(_ id: OrderID) {
    guard open.remove(id) != nil else { return }
    openOrders.set(Double(open.count))
    closed.append(id)
    guard closed.count > config.ordersKeptMax + config.ordersKeptMax / 8 else { return }
    for old in closed.prefix(closed.count - config.ordersKeptMax) { rows[old] = nil }
    ids.removeAll { rows[$0] == nil }
    closed.removeFirst(closed.count - config.ordersKeptMax)
    hasEvicted = true
  }

  /// Puts a record into the journal's queue now, in the order of the calls. The desk is the only
  /// writer, so it knows the sequence before the disk does.
  private func append(_ record: OmsV1.JournalRecord) -> Task<UInt64, any Error> {
    let bytes = record.encoded()
    lastSequence += 1
    let expected = lastSequence
    if case .event = record.record { lastEvent = expected }
    let appended: Task<UInt64, any Error> = Task.immediate(executorPreference: context.loop) {
      [journal] in
      do throws(JournalError) {
        let sequence = try await journal.append(bytes)
        precondition(sequence == expected, "journal gap: \(expected) was due, \(sequence) written")
        return sequence
      } catch {
        throw RPCError(.unavailable, "the order journal refuses: \(error.problem)")
      }
    }
    lastAppend = appended
    return appended
  }

  // MARK: Questions

  func row(_ id: OrderID) throws(RPCError) -> OrderRow {
    guard let row = rows[id] else {
      throw RejectReason.unknownOrder.error(
        "there is no order \(id)", domain: "oms.shrivenquant", metadata: ["orderId": id.description]
      )
    }
    return row
  }

  func orderID(_ text: String) throws(RPCError) -> OrderID {
    guard !text.isEmpty else { throw RPCError.invalid("orderId", "is missing") }
    guard let id = OrderID(parsing: text) else {
      throw RejectReason.unknownOrder.error(
        "there is no order \(text.prefix(64))", domain: "oms.shrivenquant")
    }
    return id
  }

  func message(_ id: OrderID) -> OmsV1.Order {
    guard let row = rows[id] else { return OmsV1.Order() }
    return row.message(instruments[row.order.instrument])
  }

  /// The order, waiting until it is done or `deadline` has come.
  func settled(_ id: OrderID, by deadline: Uptime) async throws -> OmsV1.Order {
    let timer = context.loop.spawn { [loop = context.loop, weak self] in
      await loop.sleep(for: deadline - loop.uptime)
      await self?.wake(id)
    }
    while let row = rows[id], !row.lifecycle.isTerminal, row.lifecycle.isCancelRequested,
      context.loop.uptime < deadline
    {
      await withCheckedContinuation { waiters[id, default: []].append($0) }
    }
    timer.cancel()
    _ = try row(id)
    return message(id)
  }

  private func wake(_ id: OrderID) {
    for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.resume() }
  }
}
