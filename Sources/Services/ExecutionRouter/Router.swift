internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Journal
internal import Loop
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// The routing ledger over its journal: an event is applied, journaled together with the reports that
/// follow from it, and only then are its commands carried out.
actor Router {
  let journal: Journal
  private let config: Config
  private let context: ServiceContext
  private var instruments: InstrumentTable
  private var ledger: RoutingLedger
  private var done: [OrderID] = []
  private var desk: VenueDesk?
  private var followed: Set<String> = []
  private let reports: CounterFamily
  private let openOrders: Gauge

  init(_ config: Config, _ context: ServiceContext, _ recovery: Recovery) {
    self.config = config
    self.context = context
    self.journal = recovery.journal
    self.instruments = recovery.instruments
    self.ledger = recovery.ledger
    self.reports = context.metrics.counters(
      "execution_router_reports_total", help: "Reports to the oms.", labels: ["kind"])
    self.openOrders = context.metrics.gauge(
      "execution_router_orders_open", help: "Parent orders that are not done.")
    self.done = recovery.ledger.orders.keys.filter { !recovery.ledger.open.contains($0) }.sorted()
    openOrders.set(recovery.ledger.open.count)
  }

  func use(_ desk: VenueDesk) { self.desk = desk }

  // MARK: Instruments

  func learn(_ known: [MarketV1.Instrument]) async throws {
    for wire in known where try instruments.put(wire) {
      var record = ExecutionV1.JournalRecord()
      record.record = .instrument(wire)
      _ = try await append([record.encoded()]).value
    }
  }

  func instrument(_ id: InstrumentID) -> Instrument { instruments[id] }
  func instrument(venue: String, symbol: String) -> Instrument? { instruments[venue, symbol] }

  /// True once for each venue: from then on it is followed.
  func takesOn(_ venue: String) -> Bool { followed.insert(venue).inserted }

  // MARK: Requests

  func route(_ wire: OmsV1.Order) async throws -> String {
    let instrument = try instruments.find(venue: wire.venue, symbol: wire.symbol)
    let parent = try ParentOrder(wire, instrument)
    try await apply(.routed(parent), at: instrument)
    return ChildID(parent: parent.id, sequence: 1).text
  }

  func cancel(_ orderID: String) async throws {
    let id = try RoutingCodec.orderID(orderID)
    try await apply(.cancelRequested(parent: id), at: try known(id))
  }

  func replace(_ request: ExecutionV1.ReplaceRoutedOrderRequest) async throws {
    let id = try RoutingCodec.orderID(request.orderId)
    let instrument = try known(id)
    let terms = try RoutingCodec(instrument: instrument).terms(request)
    try await apply(
      .replaceRequested(parent: id, version: request.version, terms, instrument.amendable),
      at: instrument)
  }

  private func known(_ id: OrderID) throws(RPCError) -> Instrument {
    guard let order = ledger.orders[id] else {
      throw RPCError(.notFound, "order \(id) was never routed here")
    }
    return instruments[order.parent.instrument]
  }

  // MARK: The venue's word

  func take(_ event: RoutingEvent, at instrument: Instrument) async throws {
    try await apply(event, at: instrument)
  }

  func child(_ id: String) -> (order: RoutedOrder, child: ChildOrder)? { ledger.child(id) }

  /// Every child that lives, with its instrument.
  var liveChildren: [(id: String, instrument: Instrument)] {
    ledger.open.sorted().compactMap { id in
      guard let order = ledger.orders[id], let child = order.live else { return nil }
      return (
        ChildID(parent: id, sequence: child.sequence).text, instruments[order.parent.instrument]
      )
    }
  }

  // MARK: Applying

  private func apply(_ event: RoutingEvent, at instrument: Instrument) async throws {
    let (changed, effects) = ledger.apply(event)
    guard changed else {
      // Known before; whoever tells it again may go on when it is on disk.
      _ = try await lastAppend?.value
      return
    }
    let codec = RoutingCodec(instrument: instrument)
    let now = context.time.now
    var records = [codec.record(event, now).encoded()]
    for case .report(let parent, let report) in effects {
      var record = ExecutionV1.JournalRecord()
      let message = codec.report(report, of: parent, now)
      record.timeNs = message.timeNs
      record.record = .report(message)
      records.append(record.encoded())
      reports.with(message.kind.name).increment()
    }
    letGoOfOld()
    openOrders.set(ledger.open.count)
    _ = try await append(records).value
    for effect in effects { carryOut(effect) }
  }

  private func carryOut(_ effect: RoutingEffect) {
    guard let desk else { return }
    switch effect {
    case .report: break
    case .place(let order): desk.place(order, at: instruments[order.instrument])
    case .cancel(let id, let child): desk.cancel(child, at: instruments[id])
    case .amend(let change, let version):
      desk.amend(change, version, at: instruments[change.instrument])
    case .query(let id, let child): desk.query(child, at: instruments[id])
    case .listFills(let id, let child, let venueOrderID):
      desk.listFills(child, venueOrderID, at: instruments[id])
    }
  }

  private var lastAppend: Task<UInt64, any Error>?

  private func append(_ records: [[UInt8]]) -> Task<UInt64, any Error> {
    let appended: Task<UInt64, any Error> = Task.immediate(executorPreference: context.loop) {
      [journal] in
      do throws(JournalError) {
        return try await journal.append(contentsOf: records)
      } catch {
        throw RPCError(.unavailable, "the routing journal refuses: \(error.problem)")
      }
    }
    lastAppend = appended
    return appended
  }

  private func letGoOfOld() {
    guard ledger.orders.count > ledger.open.count + config.ordersKeptMax * 2 else { return }
    let done = ledger.orders.keys.filter { !ledger.open.contains($0) }.sorted()
    ledger.forget(done.prefix(done.count - config.ordersKeptMax))
  }
}

/// The ledger that the journal proves.
struct Recovery {
  private(set) var journal: Journal
  private(set) var instruments = InstrumentTable()
  private(set) var ledger = RoutingLedger()

  init(_ path: String, _ config: Config) throws {
    var settings = JournalSettings()
    settings.segmentBytes = config.segmentBytes
    var replay = Replay()
    journal = try Journal.open(path, settings) { replay.take($0) }
    if let fault = replay.fault { throw fault }
    instruments = replay.instruments
    ledger = replay.ledger
  }

  private struct Replay {
    var instruments = InstrumentTable()
    var ledger = RoutingLedger()
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
        try instruments.put(wire)
        return
      }
      guard let instrument = try instrument(of: record) else { return }
      if let event = try RoutingCodec(instrument: instrument).event(record) {
        _ = ledger.apply(event)
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
