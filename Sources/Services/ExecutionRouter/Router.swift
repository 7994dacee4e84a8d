internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
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

/// The routing ledger over its journal: room for an event and the reports that may follow from it is
/// reserved, the event is applied and journaled with them, and when all is on disk, and not before,
/// its commands are carried out. What cannot be journaled changes nothing.
///
/// An order that the oms has journaled for this very instance goes to the venue at once: the oms's
/// record is the intent, and ours may be lost with this instance. Any other instance takes such an order
/// in without sending it, and asks the venue (ADR 10).
actor Router {
  let journal: Journal
  /// Of this start, and no other one.
  nonisolated let instance: UInt64
  /// Another instance has left orders in the journal, and may have sent some that are not in it.
  nonisolated let hasPredecessor: Bool
  private let config: Config
  private let context: ServiceContext
  private var instruments: InstrumentTable
  private var ledger: RoutingLedger
  private var done = DoneOrders()
  private var desk: VenueDesk?
  private var followed: Set<String> = []
  private var lastTicket: JournalTicket?
  /// Routes that wait for the disk.
  private var waiting = 0
  /// Orders whose cancel came before they did, and when: the oms was told that they are not here, and
  /// has ended them. Their routes may still be under way, behind a connection that was cut.
  private var withdrawn: [OrderID: Instant] = [:]
  /// Reports of the last event on disk that a crash has cut off.
  private var owed: [ExecutionV1.ExecutionReport]
  private let reports: [ExecutionV1.ExecutionReport.Kind: Counter]
  private let openOrders: Gauge

  init(_ config: Config, _ context: ServiceContext, _ recovery: Recovery) {
    self.config = config
    self.context = context
    self.journal = recovery.journal
    self.instance = context.loop.randomNumber() | 1
    self.hasPredecessor = !recovery.ledger.orders.isEmpty
    self.instruments = recovery.instruments
    self.ledger = recovery.ledger
    self.owed = recovery.owed
    for id in recovery.ledger.orders.keys.sorted() where !recovery.ledger.open.contains(id) {
      done.append(id)
    }
    let reports = context.metrics.counters(
      "execution_router_reports_total", help: "Reports to the oms.", labels: ["kind"])
    self.reports = Dictionary(
      uniqueKeysWithValues: ExecutionV1.ExecutionReport.Kind.allCases.map {
        ($0, reports.with($0.name))
      })
    self.openOrders = context.metrics.gauge(
      "execution_router_orders_open", help: "Parent orders that are not done.")
    openOrders.set(recovery.ledger.open.count)
  }

  func use(_ desk: VenueDesk) { self.desk = desk }

  /// Journals the reports that a crash in the middle of a commit has cut off behind their event, before
  /// anything else is: nobody would ever tell them again.
  func tellOwed() async throws {
    while !owed.isEmpty {
      let records = owed.map { ExecutionV1.JournalRecord(report: $0).encoded() }
      do {
        let ticket = journal.append(records, in: try room(forOutcomeOf: records[0], .essential))
        owed = []
        try await untilDurable(ticket)
      } catch let refusal as JournalRefusal {
        context.log.warning(
          "reports that are owed wait for the routing journal", ["reason": .text(refusal.text)])
        await context.loop.sleep(for: config.queryInterval)
        try Task.checkCancellation()
      }
    }
  }

  // MARK: Instruments

  func learn(_ known: [MarketV1.Instrument]) async throws {
    for wire in known where try instruments.learn(wire) {
      var record = ExecutionV1.JournalRecord()
      record.record = .instrument(wire)
      let bytes = record.encoded()
      let ticket = journal.append([bytes], in: try room(forOutcomeOf: bytes, .essential))
      try await untilDurable(ticket)
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
    guard ledger.orders[parent.id] == nil else {
      // Known, and said so only when it is on disk. Who asks again and again is not kept waiting.
      do throws(JournalError) { try await lastTicket?.durableUnlessDiskFails() } catch {
        throw JournalRefusal(error)
      }
      return ChildID(parent: parent.id, sequence: 1).text
    }
    guard instance == 0 || instance == self.instance else {
      return try await takeIn(parent, at: instrument)
    }
    try refuseIfLate(wire, parent)
    guard withdrawn[parent.id] == nil else {
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
    let isOnOmsWord = instance != 0
    try await apply(
      .routed(parent), at: instrument, for: .business, isOnOmsWord ? .atOnce : .whenDurable)
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
    while true {
      do {
        try await apply(event, at: instrument, for: .essential)
        return
      } catch let refusal as JournalRefusal {
        try Task.checkCancellation()
        context.log.warning(
          "a venue's word waits for the routing journal", ["reason": .text(refusal.text)])
        await context.loop.sleep(for: config.queryInterval)
        try Task.checkCancellation()
      }
    }
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

  /// A fill of an order that is not in memory, if ever it was: told to the oms, which knows its own.
  func takeStray(_ report: VenueReport, at instrument: Instrument) async throws {
    guard let fill = report.fill, let id = ChildID(parsing: report.clientOrderID)?.parent else {
      return
    }
    let told = ParentReport.filled(fill, venueOrderID: report.venueOrderID)
    let message = RoutingCodec(instrument: instrument).report(told, of: id, context.time.now)
    let record = ExecutionV1.JournalRecord(report: message).encoded()
    while true {
      do {
        let ticket = journal.append([record], in: try room(forOutcomeOf: record, .essential))
        reports[message.kind]?.increment()
        return try await untilDurable(ticket)
      } catch let refusal as JournalRefusal {
        context.log.warning(
          "a venue's word waits for the routing journal", ["reason": .text(refusal.text)])
        await context.loop.sleep(for: config.queryInterval)
        try Task.checkCancellation()
      }
    }
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
    let codec = RoutingCodec(instrument: instrument)
    let now = context.time.now
    var records = [codec.record(event, now).encoded()]
    let room = try room(forOutcomeOf: records[0], use)
    let (changed, effects) = ledger.apply(event)
    guard changed else {
      // Known before; whoever tells it again may go on when it is on disk.
      try await untilDurable(lastTicket)
      return
    }
    for case .report(let parent, let report) in effects {
      let message = codec.report(report, of: parent, now)
      records.append(ExecutionV1.JournalRecord(report: message).encoded())
      reports[message.kind]?.increment()
    }
    letGoOfOld(after: event)
    openOrders.set(ledger.open.count)
    let ticket = journal.append(records, in: room)
    lastTicket = ticket
    let isAtOnce = departure == .atOnce || Mutant.isOn(.effectBeforeRecord)
    if isAtOnce { for effect in effects { carryOut(effect) } }
    try await untilDurable(ticket)
    if isAtOnce { return }
    for effect in effects {
      if case .place(let order) = effect, departure == .asked {
        desk?.query(order.clientOrderID, at: instruments[order.instrument])
      } else {
        carryOut(effect)
      }
    }
  }

  /// An event's reports repeat what it says itself, and what is known of its order.
  private func room(
    forOutcomeOf record: [UInt8], _ use: JournalUse
  ) throws(JournalRefusal) -> JournalRoom {
    let largest = record.count + Self.reportBytesMax
    do throws(JournalError) {
      return try journal.reserve(
        JournalRoom.Size(
          records: 1 + Self.reportsMax, bytes: largest * (1 + Self.reportsMax), largest: largest),
        for: use)
    } catch {
      throw JournalRefusal(error)
    }
  }

  /// Of one event.
  private static let reportsMax = 8
  private static let reportBytesMax = 512

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

  /// One ends, one goes: no order waits for the forgetting of many.
  private func letGoOfOld(after event: RoutingEvent) {
    guard let id = RoutingLedger.parent(of: event), !ledger.open.contains(id) else { return }
    done.append(id)
    while done.count > config.ordersKeptMax, let old = done.popFirst() {
      ledger.forget(CollectionOfOne(old))
    }
  }
}

/// The journal takes no record of it: nothing has changed.
struct JournalRefusal: Error {
  let error: JournalError

  init(_ error: JournalError) { self.error = error }

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

/// The ledger that the journal proves.
struct Recovery {
  private(set) var journal: Journal
  private(set) var owed: [ExecutionV1.ExecutionReport] = []
  private(set) var instruments = InstrumentTable()
  private(set) var ledger = RoutingLedger()

  init(
    _ path: String, _ config: Config, _ journaling: JournalSettings = JournalSettings()
  ) throws {
    var settings = journaling
    settings.segmentBytes = config.segmentBytes
    settings.reserveBytes = config.reserveBytes
    var replay = Replay()
    journal = try Journal.open(path, settings) { replay.take($0) }
    if let fault = replay.fault { throw fault }
    instruments = replay.instruments
    ledger = replay.ledger
    owed = replay.owed
  }

  private struct Replay {
    var instruments = InstrumentTable()
    var ledger = RoutingLedger()
    /// Reports of the newest event that no record has told so far. Only its own can be missing: a
    /// record is on disk when those before it are.
    var owed: [ExecutionV1.ExecutionReport] = []
    var fault: RPCError?

    mutating func take(_ record: JournalRecord) {
      guard fault == nil else { return }
      do {
        try apply(ExecutionV1.JournalRecord(decoding: record.payload))
      } catch {
        fault = RPCError(
          .dataLoss, "record \(record.sequence) of the execution-router's journal: \(error)")
      }
    }

    private mutating func apply(_ record: ExecutionV1.JournalRecord) throws {
      if case .instrument(let wire) = record.record {
        try instruments.learn(wire)
        return
      }
      if case .report(let told) = record.record {
        if let index = owed.firstIndex(where: { $0.orderId == told.orderId && $0.kind == told.kind }
        ) {
          owed.remove(at: index)
        }
        return
      }
      guard let instrument = try instrument(of: record) else { return }
      let codec = RoutingCodec(instrument: instrument)
      guard let event = try codec.event(record) else { return }
      let time = Instant(nanoseconds: Int64(clamping: record.timeNs))
      owed = ledger.apply(event).effects.compactMap { effect in
        guard case .report(let parent, let report) = effect else { return nil }
        return codec.report(report, of: parent, time)
      }
    }

    private func instrument(of record: ExecutionV1.JournalRecord) throws -> Instrument? {
      let orderID: String
      switch record.record {
      case .route(let route):
        guard let order = route.order, let known = instruments[order.venue, order.symbol] else {
          throw RoutingCodec.damaged("routes an order of no known instrument")
        }
        return known
      case .cancel(let cancel): orderID = cancel.orderId
      case .replace(let replace): orderID = replace.orderId
      case .child(let child):
        orderID = ChildID(parsing: child.childOrderId)?.parent.description ?? ""
      case .instrument, .report, nil: return nil
      }
      guard let id = OrderID(parsing: orderID), let order = ledger.orders[id] else {
        throw RoutingCodec.damaged("names order \(orderID), which was never routed")
      }
      return instruments[order.parent.instrument]
    }
  }
}
