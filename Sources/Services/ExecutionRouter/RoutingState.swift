internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Journal
internal import Orders
internal import ServiceKit
internal import Tables
internal import Translation
internal import Venue
internal import Wire

/// What the routing journal keeps, once it is decided.
enum RoutingChange: Sendable {
  /// The rules of an instrument, before its first order and after each change.
  case instrument(MarketV1.Instrument)
  case event(RoutingEvent, at: Instrument, Instant)
  /// What is to be told to the oms of no event of now.
  case reports([ExecutionV1.ExecutionReport])
}

/// The ledger, the instruments under which it was made, and what is still to be told: what the
/// journal proves.
struct RoutingState: JournaledState {
  private(set) var instruments = InstrumentTable()
  private(set) var ledger = RoutingLedger()
  /// Reports of the newest event that no record has told so far. Only its own can be missing: a record
  /// is on disk when those before it are.
  private(set) var owed: [ExecutionV1.ExecutionReport] = []
  /// Orders that are done, in the order of their ends; those that live again are passed over.
  private var done = DoneOrders()
  private let ordersMax: Int

  init(_ config: Config) { ordersMax = config.ordersKeptMax }

  // MARK: Changes

  func room(for change: RoutingChange) -> JournalRoom.Size {
    switch change {
    case .instrument(let told):
      let bytes = told.encoded().count + 64
      return JournalRoom.Size(records: 1, bytes: bytes, largest: bytes)
    case .reports(let reports):
      return JournalRoom.Size(reports.map { ExecutionV1.JournalRecord(report: $0).encoded() })
    case .event(let event, _, _):
      // An event's reports repeat what it says itself, and what is known of its order.
      let known = RoutingLedger.parent(of: event).flatMap { ledger.orders[$0]?.textBytesMax } ?? 0
      let largest = Self.recordBytesMax + 2 * (event.textBytes + known)
      return JournalRoom.Size(
        records: 1 + Self.reportsMax, bytes: largest * (1 + Self.reportsMax), largest: largest)
    }
  }

  /// Of one event.
  private static let reportsMax = 8
  /// Without its texts.
  private static let recordBytesMax = 1024

  mutating func apply(
    _ change: RoutingChange, at sequence: UInt64
  ) throws -> Applied<RoutingEffect> {
    switch change {
    case .instrument(let told):
      guard try instruments.learn(told) else { return Applied(records: []) }
      var record = ExecutionV1.JournalRecord()
      record.record = .instrument(told)
      return Applied(records: [record.encoded()])
    case .reports(let reports):
      owed = []
      return Applied(records: reports.map { ExecutionV1.JournalRecord(report: $0).encoded() })
    case .event(let event, let instrument, let now):
      let codec = RoutingCodec(instrument: instrument)
      let (changed, effects) = ledger.apply(event)
      guard changed else { return Applied(records: []) }
      settle(RoutingLedger.parent(of: event))
      var records = [codec.record(event, now).encoded()]
      for case .report(let parent, let report) in effects {
        let message = codec.report(report, of: parent, now)
        records.append(ExecutionV1.JournalRecord(report: message).encoded())
      }
      return Applied(records: records, effects: effects)
    }
  }

  /// One comes, one goes: no order waits for many.
  private mutating func settle(_ id: OrderID?) {
    guard let id, !ledger.open.contains(id) else { return }
    done.append(id)
    while done.count > ordersMax, let old = done.popFirst() {
      ledger.forget(CollectionOfOne(old))
    }
  }

  // MARK: Records

  mutating func fold(_ record: JournalRecord) throws {
    let decoded = try ExecutionV1.JournalRecord(decoding: record.payload)
    switch decoded.record {
    case .instrument(let told): try instruments.learn(told)
    case .report(let told):
      if let index = owed.firstIndex(where: { $0.orderId == told.orderId && $0.kind == told.kind })
      {
        owed.remove(at: index)
      }
    default: try fold(decoded)
    }
  }

  private mutating func fold(_ record: ExecutionV1.JournalRecord) throws {
    guard let instrument = try instrument(of: record) else { return }
    let codec = RoutingCodec(instrument: instrument)
    guard let event = try codec.event(record) else { return }
    let time = Instant(nanoseconds: Int64(clamping: record.timeNs))
    owed = ledger.apply(event).effects.compactMap { effect in
      guard case .report(let parent, let report) = effect else { return nil }
      return codec.report(report, of: parent, time)
    }
    settle(RoutingLedger.parent(of: event))
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
    guard let id = OrderID(parsing: orderID) else {
      throw RoutingCodec.damaged("names order \(orderID), which is none")
    }
    guard let order = ledger.orders[id] else {
      throw RoutingCodec.damaged("names order \(orderID), which was never routed")
    }
    return instruments[order.parent.instrument]
  }

  // MARK: Snapshots

  static let snapshotForm: UInt32 = 1

  func write(to snapshot: some SnapshotSink) throws(JournalError) {
    try RoutingSnapshot.write(self, done: done.all, to: snapshot)
  }

  mutating func read(_ piece: [UInt8]) throws {
    switch try RoutingSnapshot.Piece(piece) {
    case .instrument(let told): try instruments.learn(told)
    case .owed(let reports): owed = reports
    case .orders(let orders):
      for order in orders {
        guard instruments.all.indices.contains(Int(order.parent.instrument.index)) else {
          throw SnapshotFault("order \(order.parent.id) is of an instrument that is not there")
        }
        ledger.restore(order)
      }
    case .done(let ids): for id in ids { done.append(id) }
    }
  }
}

extension RoutingEvent {
  /// Of what has no bound of its own.
  fileprivate var textBytes: Int {
    switch self {
    case .routed, .cancelRequested, .replaceRequested: 0
    case .reported(let report), .appeared(let report):
      report.clientOrderID.utf8.count + report.venueOrderID.utf8.count
        + report.rejectText.utf8.count
        + (report.fill.map { $0.executionID.utf8.count + $0.feeAsset.utf8.count } ?? 0)
    case .settled(let child), .denied(let child): child.utf8.count
    case .refused(let child, _, let text), .silent(let child, let text),
      .cancelUnproven(let child, let text), .cancelRejected(let child, _, let text),
      .amendRefused(let child, _, _, let text, _), .amendSilent(let child, _, let text):
      child.utf8.count + text.utf8.count
    case .amendSeen(let child, _, _, _): child.utf8.count
    }
  }
}
