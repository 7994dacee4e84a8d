internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Loop
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// Every order, and the only writer of the journal.
///
/// Room in the journal is reserved before anything is changed here; then a change is applied, appended
/// in the same order, and told to others when it is on disk: answers wait for that, streams and
/// PostgreSQL read the journal.
actor OrderDesk {
  let config: Config
  let context: ServiceContext
  let journal: Journal
  var instruments = InstrumentTable()
  private(set) var rows = OrderTable()
  private(set) var open: Set<OrderID> = []
  private(set) var byClient = ClientIndex()
  private(set) var accounts: Set<String> = []
  /// Closed orders in order of their closing, for eviction.
  private var closed = ClosedOrders()
  private(set) var executions = RecentList<OmsV1.Execution>()
  private(set) var unsent = UnsentOrders()
  /// Orders whose last wish to be cancelled is with the router, or on its way there.
  private var cancelsSent: Set<OrderID> = []
  /// True once something has left memory that PostgreSQL still knows.
  private(set) var hasEvicted = false
  /// The report that was taken last, and which log it is of.
  var reports = LogPosition.start
  /// The execution-router that is heard now; 0 while none is.
  var routerInstance: UInt64 = 0
  /// The newest record appended; on disk when its ticket says so.
  private(set) var lastTicket: JournalTicket?
  /// The newest event, instruments not counted.
  private(set) var lastEvent: UInt64 = 0
  private var mint = OrderIDMint(after: OrderID(0))
  private var waiters: [OrderID: [CheckedContinuation<Void, Never>]] = [:]
  private let accepted: Counter
  private let duplicates: Counter
  private let faults: Counter
  private let setAside: Counter
  private let openOrders: Gauge
  private let unsentOrders: Gauge

  init(_ config: Config, _ context: ServiceContext, _ recovery: Recovery) {
    self.config = config
    self.context = context
    self.journal = recovery.journal
    self.instruments = recovery.instruments
    self.reports = recovery.reports
    self.lastEvent = recovery.lastEvent
    self.executions = recovery.executions
    self.rows = recovery.rows
    let metrics = context.metrics
    accepted = metrics.counter("oms_orders_accepted_total", help: "Orders journaled.")
    duplicates = metrics.counter(
      "oms_orders_duplicate_total", help: "Orders whose client order id was known.")
    faults = metrics.counter(
      "oms_report_faults_total", help: "Reports that an order could not take.")
    setAside = metrics.counter(
      "oms_set_aside_total",
      help: "Words of venues that did not fit an order, or took its end back; kept as its events.")
    openOrders = metrics.gauge("oms_orders_open", help: "Orders that are not done.")
    unsentOrders = metrics.gauge(
      "oms_orders_unsent", help: "Orders that the execution-router has not taken in charge yet.")
    var (open, accounts, byClient) = (Set<OrderID>(), Set<String>(), ClientIndex())
    var ended: [(OrderID, Instant)] = []
    recovery.rows.forEach { row in
      let id = row.order.id
      byClient[ClientKey(account: row.order.account, clientOrderID: row.order.clientOrderID)] = id
      accounts.insert(row.order.account)
      if row.lifecycle.isTerminal {
        ended.append((id, row.lifecycle.updatedTime))
      } else {
        open.insert(id)
      }
    }
    (self.open, self.accounts, self.byClient) = (open, accounts, byClient)
    for (id, _) in ended.sorted(by: { ($0.1, $0.0) < ($1.1, $1.0) }) { closed.append(id) }
    mint = OrderIDMint(after: rows.last ?? OrderID(0))
    openOrders.set(Double(open.count))
  }

  // MARK: Instruments

  /// Takes the rules of instruments; new ones and changes are journaled before any order uses them.
  func learn(_ instruments: [MarketV1.Instrument]) async throws {
    for instrument in instruments where try self.instruments.learn(instrument) {
      var record = OmsV1.JournalRecord()
      record.record = .instrument(instrument)
      let bytes = record.encoded()
      let room = try room(JournalRoom.Size([bytes]), for: .essential)
      try await untilDurable(append([bytes], in: room))
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
    let known = Mutant.isOn(.clientIDForgotten) ? nil : byClient[key]
    if let known { return (try await existing(known, order), true) }
    try requireFresh(admitted, order.createdTime)
    try requireCapacity(instrument, order.createdTime)
    order.id = mint.next(now: order.createdTime)
    var row = OrderRow(order, createdBy: wire.createdBy, routerInstance: routerInstance)
    _ = try row.lifecycle.apply(.accepted, at: order.createdTime)
    let event = JournaledEvent(event: .accepted, time: order.createdTime, report: .start)
    let record = event.record(row, instrument).encoded()
    let room = try room(JournalRoom.Size([record]), for: .business)
    // Nothing is refused from here on.
    let ticket = append([record], in: room)
    lastEvent = ticket.last
    row.accepted = ticket
    rows.append(row)
    byClient[key] = order.id
    accounts.insert(order.account)
    open.insert(order.id)
    openOrders.set(Double(open.count))
    markUnsent(order.id)
    if !Mutant.isOn(.answerBeforeDisk) { try await untilDurable(ticket) }
    rows.update(order.id) { $0.accepted = nil }
    accepted.increment()
    return (message(order.id), false)
  }

  private func requireCapacity(_ instrument: Instrument, _ now: Instant) throws(RPCError) {
    guard open.count < config.ordersOpenMax else {
      throw RejectReason.overloaded.error(
        "\(open.count) orders are open, the most allowed (orders_open_max)",
        domain: "oms.shrivenquant", metadata: ["limit": "\(config.ordersOpenMax)"])
    }
    let venue = instrument.venue.name
    let (count, age) = unsent.waiting(for: venue, now: now)
    guard count < config.unsentOrdersMax else {
      throw RejectReason.overloaded.error(
        "\(count) orders wait to be sent to \(venue), the most allowed (unsent_orders_max)",
        domain: "oms.shrivenquant",
        metadata: ["actual": "\(count)", "limit": "\(config.unsentOrdersMax)"])
    }
    guard age <= config.unsentAgeMax else {
      // Proven: nothing was accepted. UNAVAILABLE would leave that open.
      throw RejectReason.venueUnavailable.error(
        "orders to \(venue) wait to be sent, \(count) of them, the first for "
          + "\(age.wholeNanoseconds / 1_000_000)ms, and "
          + "\(DurationText.print(config.unsentAgeMax)) is the most allowed (unsent_age_max)",
        code: .resourceExhausted, domain: "oms.shrivenquant",
        metadata: [
          "actual": "\(age.wholeNanoseconds / 1_000_000)ms",
          "limit": DurationText.print(config.unsentAgeMax),
        ],
        retryAfter: .seconds(1))
    }
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
    guard let row = rows[id] else {
      throw RPCError(.unavailable, "order \(id) has left memory; ask again")
    }
    var first = asked
    first.id = id
    first.createdTime = row.order.createdTime
    let isSame = row.order.asksTheSame(as: first) || Mutant.isOn(.termsUncompared)
    guard isSame else { throw duplicate(id, asked) }
    if let ticket = row.accepted { try await untilDurableOrFailing(ticket) }
    duplicates.increment()
    return message(id)
  }

  private func duplicate(_ id: OrderID, _ asked: Order) -> RPCError {
    RejectReason.duplicateOrder.error(
      "clientOrderId \(asked.clientOrderID) is order \(id), which has other terms",
      domain: "oms.shrivenquant", metadata: ["orderId": id.description])
  }

  /// Throws when an order is asked for with other terms than it was accepted with.
  func requireSameTerms(
    _ id: OrderID, _ first: OmsV1.Order, _ asked: OmsV1.Order
  ) throws(RPCError) {
    let instrument = try instruments.find(venue: asked.venue, symbol: asked.symbol)
    let now = context.time.now
    let wish = try Order(asked, id: id, instrument, createdTime: now)
    let known = try instruments.find(venue: first.venue, symbol: first.symbol)
    guard try Order(first, id: id, known, createdTime: now).asksTheSame(as: wish) else {
      throw duplicate(id, wish)
    }
  }

  /// Journals the wish to cancel; false when the order was already being cancelled.
  func requestCancel(_ id: OrderID, reason: String) async throws -> Bool {
    let row = try row(id)
    guard !row.lifecycle.isTerminal else {
      throw RPCError(
        .failedPrecondition, "order \(id) is \(row.lifecycle.status.name) and cannot be cancelled")
    }
    if row.lifecycle.isCancelRequested { return false }
    let event = OrderEvent.cancelRequested(reason: reason)
    if let ticket = try change(id, event, report: .start, for: .essential) {
      try await untilDurable(ticket)
    }
    return true
  }

  /// Journals the wish to cancel every open order that fits, as one group that shares its sync; the
  /// ids of those that were not being cancelled before. `refusal`: why the journal took no more.
  func requestCancelAll(
    symbol: String, strategy: String, reason: String
  ) async throws -> (ids: [OrderID], refusal: RPCError?) {
    var requested: [OrderID] = []
    var refusal: RPCError?
    for id in open.sorted() {
      guard let row = rows[id], !row.lifecycle.isTerminal, !row.lifecycle.isCancelRequested,
        symbol.isEmpty || instruments[row.order.instrument].symbol == symbol,
        strategy.isEmpty || row.order.strategy == strategy
      else { continue }
      do {
        if try await changeWhenThereIsRoom(id, .cancelRequested(reason: reason)) {
          requested.append(id)
        }
      } catch let error as RPCError {
        refusal = error
        break
      }
    }
    try await untilDurable(lastTicket)
    return (requested, refusal)
  }

  /// More orders than may be in flight are taken in turns.
  private func changeWhenThereIsRoom(_ id: OrderID, _ event: OrderEvent) async throws -> Bool {
    do {
      return try change(id, event, report: .start, for: .essential) != nil
    } catch let refusal as JournalRefusal {
      guard case .tooManyInFlight = refusal.error else { throw refusal.rpcError }
      try await untilDurable(lastTicket)
      return try change(id, event, report: .start, for: .essential) != nil
    }
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
      try await untilDurable(
        try change(id, .replaceRequested(terms), report: .start, for: .business))
    } catch let fault as OrderFault {
      throw RPCError(.failedPrecondition, "order \(id): \(fault.problem)")
    }
    return (id, try self.row(id).lifecycle.sequence)
  }

  // MARK: Reports in

  /// Applies one report of the router and puts its effect into the journal's queue. Throws when the
  /// journal has no room for it; then nothing has changed, and the report is to be told again.
  func take(_ report: ExecutionV1.ExecutionReport) throws(JournalRefusal) {
    guard report.sequence > reports.sequence else { return }
    let position = LogPosition(sequence: report.sequence, mark: report.logMark)
    do {
      let id = try orderID(report.orderId)
      markSent(id)
      let row = try row(id)
      let decided = try row.lifecycle.decide(try event(report, row))
      for (index, event) in decided.enumerated() {
        if event.kind == .setAside || event.kind == .reappeared { alarm(event, of: id) }
        // The last one proves that all of it was taken; a crash before it has the report told again.
        let place = index == decided.count - 1 ? position : reports
        _ = try change(id, event, report: place, for: .essential)
      }
    } catch let refusal as JournalRefusal {
      throw refusal
    } catch {
      faults.increment()
      context.log.error(
        "a report does not fit its order",
        [
          "order_id": .text(report.orderId), "report": .text("\(report.kind)"),
          "sequence": .text("\(report.sequence)"), "error": LogValue(describing: error),
        ])
    }
    reports = position
  }

  /// What the venue said does not fit the order. It is kept with it, and the router asks the venue.
  private func alarm(_ event: OrderEvent, of id: OrderID) {
    setAside.increment()
    context.log.error(
      "a word of the venue does not fit its order, or takes its end back",
      ["order_id": .text(id.description), "event": LogValue(describing: event)])
  }

  /// Reserves room, applies an event and appends it; nil when it changed nothing.
  func change(
    _ id: OrderID, _ event: OrderEvent, report: LogPosition, for use: JournalUse
  ) throws -> JournalTicket? {
    let instrument = instruments[try row(id).order.instrument]
    let bytesMax = Self.eventBytesMax + event.textBytes
    let room = try room(
      JournalRoom.Size(records: 1, bytes: bytesMax, largest: bytesMax), for: use)
    let now = context.time.now
    let record = try rows.update(id) { row -> OmsV1.JournalRecord? in
      guard case .applied = try row.lifecycle.apply(event, at: now) else { return nil }
      let journaled = JournaledEvent(event: event, time: now, report: report)
      return journaled.record(row, instrument)
    }
    guard let record, let record else { return nil }
    let ticket = append([record.encoded()], in: room)
    lastEvent = ticket.last
    if case .cancelRequested = event { cancelsSent.remove(id) }
    if case .filled = event { book(record, ticket.last) }
    if rows[id]?.lifecycle.isTerminal ?? false {
      close(id)
    } else if open.insert(id).inserted {
      // It had closed, and lives again.
      openOrders.set(Double(open.count))
    }
    wake(id)
    return ticket
  }

  /// Of an event without its text: the order as it is then, and an execution.
  private static let eventBytesMax = 4096

  private func book(_ record: OmsV1.JournalRecord, _ sequence: UInt64) {
    guard case .event(let journaled) = record.record, var execution = journaled.event?.execution
    else { return }
    execution.sequence = sequence
    executions.append(execution)
    if executions.trim(to: config.executionsKeptMax) { hasEvicted = true }
  }

  private func close(_ id: OrderID) {
    guard open.remove(id) != nil else { return }
    openOrders.set(Double(open.count))
    markSent(id)
    cancelsSent.remove(id)
    closed.append(id)
    // One comes, one goes: no order waits for the eviction of many.
    while closed.count > config.ordersKeptMax, let old = closed.popFirst() {
      // One that lives again is not done.
      if open.contains(old) { continue }
      rows.remove(old)
      hasEvicted = true
    }
  }

  // MARK: The journal

  /// Room for records, or a refusal that has changed nothing.
  private func room(
    _ size: JournalRoom.Size, for use: JournalUse
  ) throws(JournalRefusal) -> JournalRoom {
    do throws(JournalError) { return try journal.reserve(size, for: use) } catch {
      throw JournalRefusal(error: error)
    }
  }

  private func append(_ records: [[UInt8]], in room: consuming JournalRoom) -> JournalTicket {
    let ticket = journal.append(records, in: room)
    lastTicket = ticket
    return ticket
  }

  func untilDurable(_ ticket: JournalTicket?) async throws(RPCError) {
    do throws(JournalError) { try await ticket?.durable() } catch {
      throw RPCError(.unavailable, "the order journal has ended: \(error.problem)")
    }
  }

  /// For those who ask again when they get no answer: they are not kept while the disk fails.
  func untilDurableOrFailing(_ ticket: JournalTicket?) async throws(RPCError) {
    do throws(JournalError) { try await ticket?.durableUnlessDiskFails() } catch {
      throw RPCError(
        .unavailable, "the order journal cannot write: \(error.problem)",
        details: [.retryInfo(delay: .seconds(1))])
    }
  }

  // MARK: On the way to the router

  func markUnsent(_ id: OrderID) {
    guard let row = rows[id] else { return }
    let venue = instruments[row.order.instrument].venue.name
    unsent.add(id, venue: venue, row.order.createdTime)
    unsentOrders.set(Double(unsent.count))
  }

  /// True for the one who is to send the cancel.
  func claimCancel(_ id: OrderID) -> Bool { cancelsSent.insert(id).inserted }
  func disclaimCancel(_ id: OrderID) { cancelsSent.remove(id) }

  func markSent(_ id: OrderID) {
    guard let row = rows[id] else { return }
    unsent.remove(id, venue: instruments[row.order.instrument].venue.name)
    unsentOrders.set(Double(unsent.count))
  }

  // MARK: Questions

  func row(_ id: OrderID) throws(RPCError) -> OrderRow {
    guard let row = rows[id] else { throw unknown(id) }
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

  /// The order, if it is on disk: what is not does not exist for others.
  func durableMessage(_ id: OrderID) throws(RPCError) -> OmsV1.Order {
    let row = try row(id)
    guard row.accepted == nil else { throw unknown(id) }
    return row.message(instruments[row.order.instrument])
  }

  private func unknown(_ id: OrderID) -> RPCError {
    RejectReason.unknownOrder.error(
      "there is no order \(id)", domain: "oms.shrivenquant", metadata: ["orderId": id.description])
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
    // What is answered here is on disk.
    try await untilDurableOrFailing(lastTicket)
    _ = try row(id)
    return message(id)
  }

  private func wake(_ id: OrderID) {
    for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.resume() }
  }
}
