internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
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

/// The routing ledger over its journal: what an event comes to is journaled with its reports, and when
/// all is on disk, and not before, its commands are carried out. What cannot be journaled changes
/// nothing.
///
/// An order that the oms has journaled for this very instance goes to the venue at once: the oms's
/// record is the intent, and ours may be lost with this instance. Any other instance takes such an order
/// in without sending it, and asks the venue (ADR 10).
actor Router {
  let journal: Journal
  /// Of this start, and no other one.
  nonisolated let instance: UInt64
  private let config: Config
  private let context: ServiceContext
  private var log: Journaled<RoutingState>
  private var desk: VenueDesk?
  private var followed: Set<String> = []
  /// Routes that wait for the disk.
  private var waiting = 0
  /// Orders whose cancel came before they did, and when: the oms was told that they are not here, and
  /// has ended them. Their routes may still be under way, behind a connection that was cut.
  private var withdrawn: [OrderID: Instant] = [:]
  private let reports: [ExecutionV1.ExecutionReport.Kind: Counter]
  private let openOrders: Gauge

  init(_ config: Config, _ context: ServiceContext, _ log: Journaled<RoutingState>) {
    self.config = config
    self.context = context
    self.log = log
    self.journal = log.journal
    self.instance = context.loop.randomNumber() | 1
    let reports = context.metrics.counters(
      "execution_router_reports_total", help: "Reports to the oms.", labels: ["kind"])
    self.reports = Dictionary(
      uniqueKeysWithValues: ExecutionV1.ExecutionReport.Kind.allCases.map {
        ($0, reports.with($0.name))
      })
    self.openOrders = context.metrics.gauge(
      "execution_router_orders_open", help: "Parent orders that are not done.")
    openOrders.set(log.state.ledger.open.count)
  }

  private var ledger: RoutingLedger { log.state.ledger }
  private var instruments: InstrumentTable { log.state.instruments }

  /// Everything is on the disk, with a snapshot of it.
  func close() { log.close() }

  func use(_ desk: VenueDesk) { self.desk = desk }

  /// Journals the reports that a crash in the middle of a commit has cut off behind their event, before
  /// anything else is: nobody would ever tell them again.
  func tellOwed() async throws {
    let owed = log.state.owed
    if !owed.isEmpty { try await tell(owed, waiting: "reports that are owed wait") }
  }

  /// Waits while the journal takes nothing: what is to be told is never dropped.
  private func tell(
    _ messages: [ExecutionV1.ExecutionReport], waiting what: String
  ) async throws {
    try await insist(what) { try log.commit(.reports(messages), for: .essential).ticket }
  }

  /// Asks again while the journal refuses, and returns when it is on disk.
  private func insist(
    _ what: String, _ commit: () throws -> JournalTicket?
  ) async throws {
    while true {
      do {
        return try await untilDurable(try commit())
      } catch let refusal as JournalRefusal {
        try Task.checkCancellation()
        context.log.warning(
          "\(what) for the routing journal", ["reason": .text(refusal.text)])
        await context.loop.sleep(for: config.queryInterval)
        try Task.checkCancellation()
      }
    }
  }

  // MARK: Instruments

  func learn(_ known: [MarketV1.Instrument]) async throws {
    for wire in known {
      try await untilDurable(try log.commit(.instrument(wire), for: .essential).ticket)
    }
  }

  func instrument(_ id: InstrumentID) -> Instrument { instruments[id] }
  func instrument(venue: String, symbol: String) -> Instrument? { instruments[venue, symbol] }

  /// True once for each venue: from then on it is followed.
  func takesOn(_ venue: String) -> Bool { followed.insert(venue).inserted }

  // MARK: Requests

  /// `instance`: the one that may send it on the oms's word; 0 for none.
  func route(_ wire: OmsV1.Order, for instance: UInt64) async throws -> String {
    let instrument = try instruments.find(venue: wire.venue, symbol: wire.symbol)
    let parent = try ParentOrder(wire, instrument)
    guard ledger.orders[parent.id] == nil || Mutant.isOn(.routedTwice) else {
      // Known, and said so only when it is on disk. Who asks again and again is not kept waiting.
      do throws(JournalError) { try await log.lastTicket?.durableUnlessDiskFails() } catch {
        throw JournalRefusal(error)
      }
      return ChildID(parent: parent.id, sequence: 1).text
    }
    guard instance == 0 || instance == self.instance else {
      return try await takeIn(parent, at: instrument)
    }
    if !Mutant.isOn(.routesHaveNoAge) { try refuseIfLate(wire, parent) }
    guard withdrawn[parent.id] == nil || Mutant.isOn(.routesHaveNoAge) else {
      throw RPCError(
        .failedPrecondition, "order \(parent.id) was withdrawn before it arrived",
        details: [
          .errorInfo(reason: "WITHDRAWN", domain: "execution-router.shrivenquant", metadata: [:])
        ])
    }
    guard waiting < config.routesWaitingMax else {
      throw RPCError(
        .resourceExhausted,
        "\(waiting) orders wait for the routing journal, the most allowed (routes_waiting_max)")
    }
    waiting += 1
    defer { waiting -= 1 }
    try await apply(
      .routed(parent), at: instrument, for: .business, instance != 0 ? .atOnce : .whenDurable)
    return ChildID(parent: parent.id, sequence: 1).text
  }

  /// An order that an earlier instance may have sent, and lost the record of: the venue is asked, as after
  /// a restart about every order that is open. It is never sent again, and its age is no reason to refuse
  /// it.
  private func takeIn(_ parent: ParentOrder, at instrument: Instrument) async throws -> String {
    let isSent = Mutant.isOn(.strangerSent) || Mutant.isOn(.effectBeforeRecord)
    try await apply(
      .routed(parent), at: instrument, for: .essential, isSent ? .whenDurable : .asked)
    return ChildID(parent: parent.id, sequence: 1).text
  }

  /// An order that was on its way for too long would execute at a time that nobody asked for. Time
  /// only grows, so that this is the last word on an order that was never taken in charge.
  private func refuseIfLate(_ wire: OmsV1.Order, _ parent: ParentOrder) throws(RPCError) {
    guard let created = wire.createdAt else { return }
    let age = context.time.now - (try Instant(created, field: "order.createdAt"))
    let most = parent.endsAtOnce ? config.routeAgeMax : config.restingRouteAgeMax
    guard age > most else { return }
    throw RPCError(
      .failedPrecondition,
      "order \(parent.id) arrived \(age.wholeNanoseconds / 1_000_000)ms after it was accepted, and "
        + "\(DurationText.print(most)) is the most allowed "
        + "(\(parent.endsAtOnce ? "route_age_max" : "resting_route_age_max"))",
      details: [
        .errorInfo(reason: "TOO_LATE", domain: "execution-router.shrivenquant", metadata: [:])
      ])
  }

  func cancel(_ request: ExecutionV1.CancelRoutedOrderRequest) async throws {
    let id = try RoutingCodec.orderID(request.orderId)
    if ledger.orders[id] == nil {
      let isOurs = request.instance == 0 || request.instance == instance
      if isOurs || Mutant.isOn(.cancelBelievesAbsence) {
        withdraw(id)
      } else if let wire = request.order {
        let instrument = try instruments.find(venue: wire.venue, symbol: wire.symbol)
        _ = try await takeIn(try ParentOrder(wire, instrument), at: instrument)
      }
    }
    try await apply(.cancelRequested(parent: id), at: try known(id), for: .essential)
  }

  /// Kept until any route of it would be too late.
  private func withdraw(_ id: OrderID) {
    let now = context.time.now
    if withdrawn.count.isMultiple(of: Self.withdrawnMax) {
      withdrawn = withdrawn.filter { now - $0.value <= config.restingRouteAgeMax }
    }
    withdrawn[id] = now
  }

  /// After so many more the old ones are let go of.
  private static let withdrawnMax = 10_000

  func replace(_ request: ExecutionV1.ReplaceRoutedOrderRequest) async throws {
    let id = try RoutingCodec.orderID(request.orderId)
    let instrument = try known(id)
    let terms = try RoutingCodec(instrument: instrument).terms(request)
    try await apply(
      .replaceRequested(parent: id, version: request.version, terms, instrument.amendable),
      at: instrument, for: .business)
  }

  private func known(_ id: OrderID) throws(RPCError) -> Instrument {
    guard let order = ledger.orders[id] else {
      throw RPCError(.notFound, "order \(id) was never routed here")
    }
    return instruments[order.parent.instrument]
  }

  // MARK: The venue's word

  /// Returns when it is on disk. While the journal takes nothing this waits and asks again: the word
  /// of a venue is never dropped, and who brings it must not think that it has to ask for it again.
  func take(_ event: RoutingEvent, at instrument: Instrument) async throws {
    var effects: [RoutingEffect] = []
    try await insist("a venue's word waits") {
      let applied = try commit(event, at: instrument, for: .essential)
      effects = applied.effects
      return applied.ticket
    }
    finish(effects)
  }

  func child(_ id: String) -> (order: RoutedOrder, child: ChildLifecycle)? { ledger.child(id) }

  /// Every child that lives, or of which something is still to be found out.
  var openChildren: [(id: String, wantsCancel: Bool, instrument: Instrument)] {
    ledger.open.sorted().flatMap { id -> [(String, Bool, Instrument)] in
      guard let order = ledger.orders[id] else { return [] }
      let instrument = instruments[order.parent.instrument]
      return order.children.filter { $0.isLive || $0.isUnproven }.map { child in
        let name = ChildID(parent: id, sequence: child.sequence).text
        return (name, order.wantsCancel(child), instrument)
      }
    }
  }

  /// Children that were denied, of orders made since `start`: the newest, no more than `most`.
  func deniedChildren(
    at venue: String, since start: Instant, most: Int
  ) -> [(id: String, instrument: Instrument)] {
    let late = ledger.denied.filter { $0.time >= start }.sorted(by: >)
    let found = late.lazy.compactMap { self.ledger.orders[$0] }.filter {
      self.instruments[$0.parent.instrument].venue.name == venue
    }
    return found.prefix(most).flatMap { order in
      order.children.filter(\.isDenied).map {
        (
          ChildID(parent: order.parent.id, sequence: $0.sequence).text,
          instruments[order.parent.instrument]
        )
      }
    }
  }

  /// A fill of an order that is not in memory, if ever it was: told to the oms, which knows its own.
  func takeStray(_ report: VenueReport, at instrument: Instrument) async throws {
    guard let fill = report.fill, let id = ChildID(parsing: report.clientOrderID)?.parent else {
      return
    }
    let told = ParentReport.filled(fill, venueOrderID: report.venueOrderID)
    let message = RoutingCodec(instrument: instrument).report(told, of: id, context.time.now)
    reports[message.kind]?.increment()
    try await tell([message], waiting: "a venue's word waits")
  }

  // MARK: Applying

  /// When commands are carried out that follow from an event.
  private enum Departure {
    case whenDurable
    /// The oms's record proves the intent.
    case atOnce
    /// Another instance may have carried them out: it is asked what came of it.
    case asked
  }

  private func apply(
    _ event: RoutingEvent, at instrument: Instrument, for use: JournalUse,
    _ departure: Departure = .whenDurable
  ) async throws {
    let (ticket, effects) = try commit(event, at: instrument, for: use)
    if case .atOnce = departure { finish(effects) }
    try await untilDurable(ticket)
    switch departure {
    case .atOnce: break
    case .whenDurable: finish(effects)
    case .asked:
      for case .place(let order) in effects {
        desk?.query(order.clientOrderID, at: instruments[order.instrument])
      }
    }
  }

  /// The ticket of what is known already is the newest one: whoever tells it again may go on when it
  /// is on disk.
  private func commit(
    _ event: RoutingEvent, at instrument: Instrument, for use: JournalUse
  ) throws -> (ticket: JournalTicket?, effects: [RoutingEffect]) {
    let (ticket, effects) = try log.commit(
      .event(event, at: instrument, context.time.now), for: use)
    for case .report(_, let report) in effects {
      reports[RoutingCodec.kind(of: report)]?.increment()
    }
    openOrders.set(ledger.open.count)
    if Mutant.isOn(.effectBeforeRecord) { for effect in effects { carryOut(effect) } }
    return (ticket ?? log.lastTicket, effects)
  }

  /// What follows from an event that is on disk.
  private func finish(_ effects: [RoutingEffect]) {
    if Mutant.isOn(.effectBeforeRecord) { return }
    for effect in effects { carryOut(effect) }
  }

  private func carryOut(_ effect: RoutingEffect) {
    guard let desk else { return }
    switch effect {
    case .report(let id, let report): desk.alarm(report, of: id.description)
    case .place(let order): desk.place(order, at: instruments[order.instrument])
    case .cancel(let id, let child): desk.cancel(child, at: instruments[id])
    case .amend(let change, let version):
      desk.amend(change, version, at: instruments[change.instrument])
    case .query(let id, let child): desk.query(child, at: instruments[id])
    case .listFills(let id, let child, _): desk.query(child, at: instruments[id])
    }
  }

  private func untilDurable(_ ticket: JournalTicket?) async throws(RPCError) {
    do throws(JournalError) { try await ticket?.durable() } catch {
      throw RPCError(.unavailable, "the routing journal has ended: \(error.problem)")
    }
  }
}

extension JournalRefusal {
  var text: String { "the routing journal refuses: \(error.problem)" }

  var rpcError: RPCError {
    switch error {
    case .full, .tooManyInFlight, .recordTooLarge: RPCError(.resourceExhausted, text)
    default: RPCError(.unavailable, text)
    }
  }
}

extension ParentOrder {
  /// By its terms it trades at once or not at all.
  var endsAtOnce: Bool { type == .market || timeInForce == .ioc || timeInForce == .fok }
}

extension ExecutionV1.JournalRecord {
  init(report: ExecutionV1.ExecutionReport) {
    self.init()
    timeNs = report.timeNs
    record = .report(report)
  }
}
