internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Tables
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// What the journal keeps, once it is decided.
enum OrderChange: Sendable {
  /// The rules of an instrument, before its first order and after each change.
  case instrument(MarketV1.Instrument)
  case accepted(Order, createdBy: String, routerInstance: UInt64)
  /// `report`: how far the router's reports are taken with it; the start for what began here.
  case event(OrderID, OrderEvent, Instant, report: LogPosition)
}

/// What has become of an order by a change.
enum OrderConsequence: Sendable, Hashable {
  case changed(OrderID, OrderEventKind)
  /// It has ended.
  case closed(OrderID)
  /// It lives: it is new, or its end was taken back.
  case opened(OrderID)
}

/// Every order that is open or was lately, and how far the router's reports are taken: what the
/// journal proves.
struct OrderState: JournaledState {
  private(set) var instruments = InstrumentTable()
  var rows = OrderTable()
  private(set) var open = ShardedDictionary<OrderID, Void>()
  private(set) var clients: ClientIndex
  private(set) var accounts: Set<String> = []
  /// Closed orders in order of their closing, for eviction.
  private var closed = ClosedOrders()
  private(set) var executions = RecentList<OmsV1.Execution>()
  /// True once something has left memory that PostgreSQL still knows.
  private(set) var hasEvicted = false
  /// The report that was taken last, and which log it is of.
  var reports = LogPosition.start
  /// The newest event, instruments not counted.
  private(set) var lastEvent: UInt64 = 0
  /// The newest order ever, also when it has left memory: the next one is named after it.
  private(set) var lastID = OrderID(0)
  private let ordersMax: Int
  private let keptFor: Duration
  private let executionsMax: Int

  init(_ config: Config) {
    ordersMax = config.ordersKeptMax
    keptFor = config.ordersKeptFor
    executionsMax = config.executionsKeptMax
    clients = ClientIndex(evictedMax: config.clientOrderIDsKeptMax)
  }

  subscript(id: OrderID) -> OrderRow? { rows[id] }

  func instrument(of row: OrderRow) -> Instrument { instruments[row.order.instrument] }

  // MARK: Changes

  func room(for change: OrderChange) -> JournalRoom.Size {
    let bytes =
      switch change {
      case .instrument(let told): told.encoded().count + 64
      case .accepted(let order, let createdBy, _):
        Self.eventBytesMax + order.textBytes + createdBy.utf8.count
      case .event(let id, let event, _, _):
        Self.eventBytesMax + event.textBytes
          + (rows[id].map { $0.textBytes } ?? 0)
      }
    return JournalRoom.Size(records: 1, bytes: bytes, largest: bytes)
  }

  /// Of an event without its texts: the order as it is then, and an execution.
  private static let eventBytesMax = 4096

  mutating func apply(
    _ change: OrderChange, at sequence: UInt64
  ) throws -> Applied<OrderConsequence> {
    switch change {
    case .instrument(let told):
      guard try instruments.learn(told) else { return Applied(records: []) }
      return Applied(records: [OmsV1.JournalRecord(told).encoded()])
    case .accepted(let order, let createdBy, let routerInstance):
      var row = OrderRow(order, createdBy: createdBy, routerInstance: routerInstance)
      _ = try row.lifecycle.apply(.accepted, at: order.createdTime)
      let event = JournaledEvent(event: .accepted, time: order.createdTime, report: .start)
      let record = event.record(row, instruments[order.instrument])
      add(row)
      lastEvent = sequence
      return Applied(records: [record.encoded()], effects: [.opened(order.id)])
    case .event(let id, let event, let time, let report):
      let journaled = JournaledEvent(event: event, time: time, report: report)
      let updated = try rows.update(id) { row -> (record: OmsV1.JournalRecord, isClosed: Bool)? in
        guard case .applied = try row.lifecycle.apply(event, at: time) else { return nil }
        return (
          journaled.record(row, instruments[row.order.instrument]), row.lifecycle.isTerminal
        )
      }
      guard let updated, let (record, isClosed) = updated else { return Applied(records: []) }
      if case .event(let written) = record.record { book(written.event?.execution, sequence) }
      lastEvent = sequence
      return Applied(
        records: [record.encoded()],
        effects: [.changed(id, event.kind)] + settle(id, isClosed: isClosed))
    }
  }

  private mutating func add(_ row: consuming OrderRow) {
    let order = row.order
    let isOpen = !row.lifecycle.isTerminal
    rows.append(row)
    lastID = max(lastID, order.id)
    clients[ClientKey(account: order.account, clientOrderID: order.clientOrderID)] = order.id
    accounts.insert(order.account)
    if isOpen { _ = open.insert(order.id) }
  }

  private mutating func book(_ execution: OmsV1.Execution?, _ sequence: UInt64) {
    guard var execution else { return }
    execution.sequence = sequence
    executions.append(execution)
    if executions.trim(to: executionsMax) { hasEvicted = true }
  }

  private mutating func settle(_ id: OrderID, isClosed: Bool) -> [OrderConsequence] {
    if isClosed {
      guard open.remove(id) else { return [] }
      closed.append(id, lastEvent)
      return [.closed(id)]
    }
    // It had closed, and lives again.
    return open.insert(id) ? [.opened(id)] : []
  }

  /// Memory ends before patience with PostgreSQL does: the journal has them all the same.
  private static let unrecordedFactor = 10

  /// Lets closed orders beyond the limit go that PostgreSQL has, at most so many at a time.
  mutating func evict(recorded: UInt64, now: Instant, atMost most: Int) {
    var left = most
    while left > 0, closed.count > ordersMax, let (old, closedAt) = closed.first {
      // A venue's last word of an order may come a while after its end. One that lives again holds up
      // nobody behind it.
      let isYoung =
        !open.contains(old)
        && rows[old].map { now - $0.lifecycle.updatedTime < keptFor } ?? false
      guard (closedAt <= recorded && !isYoung) || closed.count > ordersMax * Self.unrecordedFactor
      else { return }
      closed.removeFirst()
      left -= 1
      // One that lives again is not done.
      guard !open.contains(old), let row = rows[old] else { continue }
      rows.remove(old)
      clients.evict(
        ClientKey(account: row.order.account, clientOrderID: row.order.clientOrderID), old)
      hasEvicted = true
    }
  }

  // MARK: Records

  mutating func fold(_ record: JournalRecord) throws {
    // Almost all are events; without the record around it, one is copied less.
    let isEvent = try record.payload.withUnsafeBytes { payload in
      guard let event = try WireReader.field(PublishedEvents.Field.event, in: payload) else {
        return false
      }
      try fold(OmsV1.JournaledEvent(decoding: event), record.sequence)
      return true
    }
    if isEvent { return }
    guard case .instrument(let told) = try OmsV1.JournalRecord(decoding: record.payload).record
    else { throw RPCError(.dataLoss, "it is empty, or of a later version") }
    try instruments.learn(told)
  }

  private mutating func fold(_ journaled: OmsV1.JournaledEvent, _ sequence: UInt64) throws {
    if journaled.reportSequence > 0 {
      // The newest, not the largest: it counts from 1 again when the router's log was another one.
      reports = LogPosition(sequence: journaled.reportSequence, mark: journaled.reportMark)
    }
    lastEvent = sequence
    // What an order was made under stays its own, whatever its name means later.
    guard let id = journaled.event?.order.flatMap({ OrderID(parsing: $0.orderId) }),
      let instrument = rows.instrument(of: id).map({ instruments[$0] })
        ?? journaled.event?.order.flatMap({ instruments[$0.venue, $0.symbol] })
    else { throw RPCError(.dataLoss, "it names no known order or instrument") }
    let event = try JournaledEvent(journaled, instrument)
    if case .accepted = event.event, let wire = journaled.event?.order {
      var row = OrderRow(
        try Order(wire, id: id, instrument, createdTime: event.time), createdBy: wire.createdBy,
        routerInstance: journaled.routerInstance)
      guard lastID < id else {
        throw RPCError(.dataLoss, "order \(id) is accepted after a later one")
      }
      _ = try row.lifecycle.apply(.accepted, at: event.time)
      return add(row)
    }
    let isClosed = try rows.update(id) { row in
      _ = try row.lifecycle.apply(event.event, at: event.time)
      return row.lifecycle.isTerminal
    }
    guard let isClosed else { throw RPCError(.dataLoss, "order \(id) was never accepted") }
    if case .filled = event.event { book(journaled.event?.execution, sequence) }
    _ = settle(id, isClosed: isClosed)
  }

  // MARK: Snapshots

  static let snapshotForm: UInt32 = 2

  func write(to snapshot: some SnapshotSink) throws(JournalError) {
    try OrderSnapshot.write(self, closed, to: snapshot)
  }

  mutating func read(_ piece: [UInt8]) throws {
    switch try OrderSnapshot.Piece(piece) {
    case .head(let reports, let lastEvent, let lastID, let hasEvicted, let accounts):
      self.reports = reports
      self.lastEvent = lastEvent
      self.lastID = lastID
      self.hasEvicted = hasEvicted
      self.accounts = accounts
    case .instrument(let told): try instruments.learn(told)
    case .rows(let some):
      for row in some {
        guard instruments.all.indices.contains(Int(row.order.instrument.index)) else {
          throw SnapshotFault("order \(row.order.id) is of an instrument that is not there")
        }
        guard rows.last.map({ $0 < row.order.id }) ?? true else {
          throw SnapshotFault("order \(row.order.id) comes after a later one")
        }
        add(row)
      }
    case .closed(let closed): for (id, at) in closed { self.closed.append(id, at) }
    case .executions(let executions):
      for execution in executions { self.executions.append(execution) }
    case .clients(let clients): for (key, id) in clients { self.clients.restore(key, id) }
    }
  }
}

extension OrderRow {
  /// Of the texts that each record of its events repeats.
  fileprivate var textBytes: Int {
    let closing =
      switch lifecycle.closing {
      case .rejected(_, let text), .cancelled(let text): 2 * text.utf8.count
      case .filled, .expired, nil: 0
      }
    return order.textBytes + createdBy.utf8.count + closing
  }
}

extension Order {
  fileprivate var textBytes: Int {
    2 * (clientOrderID.utf8.count + account.utf8.count + strategy.utf8.count)
  }
}

extension OmsV1.JournalRecord {
  init(_ instrument: MarketV1.Instrument) {
    self.init()
    record = .instrument(instrument)
  }
}
