import Bytes
import Chrono
import Contracts
import Execution
import Foundation
import Journal
import Orders
import Tables
import TestKit
import Testing
import Translation
import Venue
import Wire

@testable import ExecutionRouterService
@testable import OMSService

/// The records of a journal that an earlier version wrote.
func keptRecords(_ name: String) throws -> [JournalRecord] {
  let packed = try Data(contentsOf: URL(filePath: fixture("journals/\(name).journal.gz")))
  var inflater = GzipInflater(outputMax: 8 << 20)
  var bytes: [UInt8] = []
  try inflater.inflate([UInt8](packed), into: &bytes)
  let folder =
    FileManager.default.temporaryDirectory.path
    + "/shrivenquant-\(name)-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try Data(bytes).write(to: URL(filePath: folder + "/00000000000000000001.journal"))
  var records: [JournalRecord] = []
  let journal = try Journal.open(folder) { records.append($0) }
  journal.close()
  return records
}

/// Journals that an earlier version wrote: orders at three venues, filled, cancelled, amended
/// and replaced, refused, lost and denied. Read by this version they say what they said then.
@Suite struct `Journals of an earlier version` {
  @Test func `REC-05 the oms's orders are what they were after every event`() throws {
    var instruments = InstrumentTable()
    var rows: [OrderID: OrderRow] = [:]
    var kinds: Set<OmsV1.OrderEvent.Kind> = []

    for record in try keptRecords("oms-2026-11") {
      switch try OmsV1.JournalRecord(decoding: record.payload).record {
      case .instrument(let wire): try instruments.learn(wire)
      case .event(let journaled):
        let wire = try #require(journaled.event?.order)
        let id = try #require(OrderID(parsing: wire.orderId))
        let instrument = try #require(instruments[wire.venue, wire.symbol])
        let event = try JournaledEvent(journaled, instrument)
        if case .accepted = event.event {
          rows[id] = OrderRow(
            try Order(wire, id: id, instrument, createdTime: event.time), createdBy: wire.createdBy)
        }
        guard case .applied = try rows[id]!.lifecycle.apply(event.event, at: event.time) else {
          Issue.record("record \(record.sequence) changes nothing")
          continue
        }
        kinds.insert(journaled.event!.kind)
        #expect(rows[id]!.message(instrument) == wire, "record \(record.sequence)")
      case nil: Issue.record("record \(record.sequence) is of no kind")
      }
    }
    #expect(rows.count >= 15 && kinds.count >= 8, "\(rows.count) orders, \(kinds)")
  }

  @Test func `REC-05 the router's events lead to the reports that followed from them then`() throws
  {
    var instruments = InstrumentTable()
    var ledger = RoutingLedger()
    var expected: [ExecutionV1.ExecutionReport] = []
    var told = 0

    for record in try keptRecords("execution-router-2026-11") {
      let decoded = try ExecutionV1.JournalRecord(decoding: record.payload)
      switch decoded.record {
      case .instrument(let wire):
        try instruments.learn(wire)
        continue
      case .report(let report):
        #expect(!expected.isEmpty, "record \(record.sequence): nothing was told")
        guard !expected.isEmpty else { continue }
        var mine = expected.removeFirst()
        mine.timeNs = report.timeNs
        #expect(mine == report, "record \(record.sequence)")
        told += 1
        continue
      default: break
      }
      #expect(expected.isEmpty, "before record \(record.sequence): \(expected)")
      let instrument = try #require(self.instrument(of: decoded, instruments, ledger))
      let codec = RoutingCodec(instrument: instrument)
      let event = try #require(try codec.event(decoded))
      let (changed, effects) = ledger.apply(event)
      #expect(changed, "record \(record.sequence) changes nothing: \(event)")
      for case .report(let parent, let report) in effects {
        expected.append(codec.report(report, of: parent, .epoch))
      }
    }
    #expect(told >= 30, "\(told) reports")
  }

  private func instrument(
    of record: ExecutionV1.JournalRecord, _ instruments: InstrumentTable, _ ledger: RoutingLedger
  ) -> Instrument? {
    let parent: String
    switch record.record {
    case .route(let route):
      return route.order.flatMap { instruments[$0.venue, $0.symbol] }
    case .cancel(let cancel): parent = cancel.orderId
    case .replace(let replace): parent = replace.orderId
    case .child(let child): parent = String(child.childOrderId.prefix { $0 != "-" })
    case .instrument, .report, nil: return nil
    }
    return OrderID(parsing: parent).flatMap { ledger.orders[$0] }
      .map { instruments[$0.parent.instrument] }
  }
}
