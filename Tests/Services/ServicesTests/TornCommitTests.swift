import Calls
import Contracts
import Journal
import Loop
import Orders
import ServiceKit
import TestKit
import Testing
import Wire

/// A crash may cut a commit anywhere, also between an event and the reports that follow from it.
@Suite struct `A commit of the router that was cut` {
  private let id = OrderID(parsing: "0SB7RCZV00001")!

  private var records: [[UInt8]] {
    var order = OMSDesk.order("c", "1")
    order.orderId = id.description
    var route = ExecutionV1.RouteOrderRequest()
    route.order = order
    var child = ExecutionV1.ChildRecord()
    child.childOrderId = "\(id)-1"
    child.kind = .resolved
    child.venueOrderId = "V-1"
    child.status = .filled
    child.venueFilled = wire("1")
    child.fill = fill("E-1", "1", at: "50000")
    let all: [ExecutionV1.JournalRecord.Record] = [
      .instrument(bitcoin()), .route(route), .child(child),
    ]
    return all.map { each in
      var record = ExecutionV1.JournalRecord()
      record.timeNs = 1_700_000_000_000_000_000
      record.record = each
      return record.encoded()
    }
  }

  private func reports(
    _ desk: RouterDesk, _ count: Int
  ) async throws -> [ExecutionV1.ExecutionReport.Kind] {
    try await desk.reports(count).map(\.kind)
  }

  @Test(arguments: 0...2)
  func `REC-02 reports that were cut off are told after the start, once, in their order`(
    kept: Int
  ) async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let folder = world.state.journal(of: "execution-router")
      var told: [[UInt8]] = []
      for kind in [ExecutionV1.ExecutionReport.Kind.acknowledged, .fill].prefix(kept) {
        var report = ExecutionV1.ExecutionReport()
        (report.orderId, report.kind) = (id.description, kind)
        var record = ExecutionV1.JournalRecord()
        record.record = .report(report)
        told.append(record.encoded())
      }
      let journal = try Journal.open(folder)
      for record in records + told { _ = try await journal.append(record) }
      journal.close()

      let desk = try await RouterDesk.open(world, ScriptedVenue())
      let kinds = try await reports(desk, 2)
      #expect(kinds == [.acknowledged, .fill])
      let next = OrderID(id.raw + 1)
      _ = try await desk.route(next)
      let after = try await desk.reports(3)
      #expect(after.filter { $0.orderId == id.description }.count == 2)
      await desk.running.end()
    }
  }
}
