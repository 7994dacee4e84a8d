internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Loop
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Tables
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
  /// Of this process.
  let started: Instant
  let journal: Journal
  /// How far PostgreSQL has the journal: what it has may leave memory.
  private let recorded: @Sendable () -> UInt64
  private(set) var log: Journaled<OrderState>
  /// Orders that are not on disk yet: they do not exist for others.
  private(set) var accepting: [OrderID: JournalTicket] = [:]
  private(set) var unsent = UnsentOrders()
  /// Orders whose last wish to be cancelled is with the router, or on its way there.
  private var cancelsSent: Set<OrderID> = []
  /// The execution-router that is heard now; 0 while none is.
  var routerInstance: UInt64 = 0
  /// The one heard last, also when it is away.
  var lastRouter: UInt64 = 0
  /// Its log is not the one that was read, and it has not been told what that one knew.
  var isLogReplaced = false
  private var mint: OrderIDMint
  private var waiters: [OrderID: [CheckedContinuation<Void, Never>]] = [:]
  private let accepted: Counter
  private let duplicates: Counter
  private let faults: Counter
  private let setAside: Counter
  private let openOrders: Gauge
  private let reportsFit: ReadinessBoard.Requirement
  /// Reports that are in no order.
  private var misfits = 0
  private let unsentOrders: Gauge

  init(
    _ config: Config, _ context: ServiceContext, _ log: Journaled<OrderState>,
    recorded: @escaping @Sendable () -> UInt64
  ) {
    self.config = config
    self.context = context
    started = context.time.now
    self.journal = log.journal
    self.recorded = recorded
    self.log = log
    mint = OrderIDMint(after: log.state.lastID)
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
    openOrders.set(Double(log.state.open.count))
    reportsFit = context.readiness.require("reports fit", weight: .told)
    reportsFit.hold()
  }

  // MARK: What the journal proves

  /// Up to which record PostgreSQL has the journal.
  nonisolated var recordedSequence: UInt64 { recorded() }
  var instruments: InstrumentTable { log.state.instruments }
  /// The newest event, instruments not counted.
  var lastEvent: UInt64 { log.state.lastEvent }
  var lastTicket: JournalTicket? { log.lastTicket }
  /// True once something has left memory that PostgreSQL still knows.
  var hasEvicted: Bool { log.state.hasEvicted }
  /// The report that was taken last, and which log it is of.
  var reports: LogPosition { log.state.reports }

  /// Everything is on the disk, with a snapshot of it.
  func close() { log.close() }

  /// Lets go of what PostgreSQL has, a few at a time: nobody waits for many.
  func evict() {
    let now = context.time.now
    log.withState { $0.evict(recorded: recorded(), now: now, atMost: 1024) }
  }

  // MARK: Instruments

  /// Takes the rules of instruments; new ones and changes are journaled before any order uses them.
  func learn(_ instruments: [MarketV1.Instrument]) async throws {
    for instrument in instruments {
      try await untilDurable(try log.commit(.instrument(instrument), for: .essential).ticket)
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
    let known = Mutant.isOn(.clientIDForgotten) ? nil : log.state.clients[key]
    if let known { return (try await existing(known, order), true) }
    try requireFresh(admitted, order.createdTime)
    try requireCapacity(instrument, order.createdTime)
    order.id = mint.next(now: order.createdTime)
    // Nothing is refused behind this.
    let ticket = try log.commit(
      .accepted(order, createdBy: wire.createdBy, routerInstance: routerInstance), for: .business
    ).ticket
    accepting[order.id] = ticket
    openOrders.set(Double(log.state.open.count))
    markUnsent(order.id)
    if !Mutant.isOn(.answerBeforeDisk) { try await untilDurable(ticket) }
    accepting[order.id] = nil
    accepted.increment()
    return (message(order.id), false)
  }

  private func requireCapacity(_ instrument: Instrument, _ now: Instant) throws(RPCError) {
    guard log.state.open.count < config.ordersOpenMax else {
      throw RejectReason.overloaded.error(
        "\(log.state.open.count) orders are open, the most allowed (orders_open_max)",
        domain: "oms.shrivenquant", metadata: ["limit": "\(config.ordersOpenMax)"])
    }
    if Mutant.isOn(.acceptsWithoutEnd) { return }
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
    guard let known = log.state.clients[key] else {
      throw RPCError(.notFound, "there is no order with clientOrderId \(asked.clientOrderID)")
    }
    return try await existing(known, asked)
  }

  /// The router will never carry a replacement out.
  func refuseReplacement(_ id: OrderID, version: UInt32, _ text: String) async throws {
    guard log.state[id]?.lifecycle.pendingVersion == version else { return }
    try await untilDurable(
      try change(id, .replaceRejected(.venuePolicy, text: text), report: .start, for: .essential))
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
    guard let row = log.state[id] else {
      throw RPCError(.unavailable, "order \(id) has left memory; ask again")
    }
    var first = asked
    first.id = id
    first.createdTime = row.order.createdTime
    let isSame = row.order.asksTheSame(as: first) || Mutant.isOn(.termsUncompared)
    guard isSame else { throw duplicate(id, asked) }
    if let ticket = accepting[id] { try await untilDurableOrFailing(ticket) }
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
    for id in log.state.open.keys.sorted() {
      guard let row = log.state[id], !row.lifecycle.isTerminal, !row.lifecycle.isCancelRequested,
        symbol.isEmpty || log.state.instrument(of: row).symbol == symbol,
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
    try requireFresh(request.admittedTimeNs, context.time.now)
    let row = try row(id)
    let instrument = log.state.instrument(of: row)
    var terms = row.lifecycle.terms
    if let price = request.price { terms.price = try instrument.price(price, field: "price") }
    if let quantity = request.quantity {
      terms.quantity = try instrument.quantity(quantity, field: "quantity")
    }
    let ticket: JournalTicket?
    do {
      ticket = try change(id, .replaceRequested(terms), report: .start, for: .business)
    } catch let fault as OrderFault {
      throw RPCError(.failedPrecondition, "order \(id): \(fault.problem)")
    }
    // Its name is settled now: other events may come while this waits for the disk.
    let version = try self.row(id).lifecycle.sequence
    try await untilDurable(ticket)
    return (id, version)
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
      try change(id, decided, report: position, for: .essential)
      for event in decided where event.kind == .setAside || event.kind == .reappeared {
        alarm(event, of: id)
      }
    } catch let refusal as JournalRefusal {
      throw refusal
    } catch {
      leaveOut(report, error)
    }
    log.withState { $0.reports = position }
  }

  /// Somebody has to look at it: what it says is in no order.
  private func leaveOut(_ report: ExecutionV1.ExecutionReport, _ error: any Error) {
    faults.increment()
    misfits += 1
    let what = "\(report.kind.name) of order \(report.orderId)"
    reportsFit.fail(
      "reports that are in no order, and in the log: \(misfits), the last \(what): \(errorText(error))"
    )
    context.log.error(
      "a report does not fit its order",
      [
        "order_id": .text(report.orderId), "report": .text("\(report.kind)"),
        "fill": .text(report.fill.map { "\($0)" } ?? ""),
        "sequence": .text("\(report.sequence)"), "error": LogValue(describing: error),
      ])
  }

  /// All of them are to be read again.
  func forgetReports() { log.withState { $0.reports = .start } }

  /// What the venue said does not fit the order. It is kept with it, and the router asks the venue.
  private func alarm(_ event: OrderEvent, of id: OrderID) {
    setAside.increment()
    context.log.error(
      "a word of the venue does not fit its order, or takes its end back",
      ["order_id": .text(id.description), "event": LogValue(describing: event)])
  }

  /// Applies an event and appends it; nil when it changed nothing.
  func change(
    _ id: OrderID, _ event: OrderEvent, report: LogPosition, for use: JournalUse
  ) throws -> JournalTicket? {
    try change(id, [event], report: report, for: use)
  }

  /// The same for several at once: the journal keeps all of them or none.
  @discardableResult
  private func change(
    _ id: OrderID, _ events: [OrderEvent], report: LogPosition, for use: JournalUse
  ) throws -> JournalTicket? {
    let now = context.time.now
    let (ticket, consequences) = try log.commit(
      events.map { .event(id, $0, now, report: report) }, for: use)
    for consequence in consequences { see(consequence) }
    if ticket != nil { wake(id) }
    return ticket
  }

  private func see(_ consequence: OrderConsequence) {
    switch consequence {
    case .changed(let id, .cancelRequested): cancelsSent.remove(id)
    case .changed: break
    case .opened: openOrders.set(Double(log.state.open.count))
    case .closed(let id):
      openOrders.set(Double(log.state.open.count))
      markSent(id)
      cancelsSent.remove(id)
      // One comes, one goes: no order waits for the eviction of many.
      let now = context.time.now
      log.withState { $0.evict(recorded: recorded(), now: now, atMost: 2) }
    }
  }

  // MARK: The journal

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
    guard let row = log.state[id] else { return }
    let venue = log.state.instrument(of: row).venue.name
    unsent.add(id, venue: venue, row.order.createdTime)
    unsentOrders.set(Double(unsent.count))
  }

  /// True for the one who is to send the cancel.
  func claimCancel(_ id: OrderID) -> Bool { cancelsSent.insert(id).inserted }
  func disclaimCancel(_ id: OrderID) { cancelsSent.remove(id) }

  func markSent(_ id: OrderID) {
    guard let row = log.state[id] else { return }
    unsent.remove(id, venue: log.state.instrument(of: row).venue.name)
    unsentOrders.set(Double(unsent.count))
  }

  // MARK: Questions

  func row(_ id: OrderID) throws(RPCError) -> OrderRow {
    guard let row = log.state[id] else { throw unknown(id) }
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
    guard accepting[id] == nil else { throw unknown(id) }
    return row.message(log.state.instrument(of: row))
  }

  private func unknown(_ id: OrderID) -> RPCError {
    RejectReason.unknownOrder.error(
      "there is no order \(id)", domain: "oms.shrivenquant", metadata: ["orderId": id.description])
  }

  func message(_ id: OrderID) -> OmsV1.Order {
    guard let row = log.state[id] else { return OmsV1.Order() }
    return row.message(log.state.instrument(of: row))
  }

  /// The order, waiting until it is done or `deadline` has come.
  func settled(_ id: OrderID, by deadline: Uptime) async throws -> OmsV1.Order {
    let timer = context.loop.spawn { [loop = context.loop, weak self] in
      await loop.sleep(for: deadline - loop.uptime)
      await self?.wake(id)
    }
    while let row = log.state[id], !row.lifecycle.isTerminal, row.lifecycle.isCancelRequested,
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
