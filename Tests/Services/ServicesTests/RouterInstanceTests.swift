import Calls
import Chrono
import Contracts
import Execution
import ExecutionRouterService
import Loop
import OMSService
import Orders
import ServiceKit
import TestKit
import Testing
import Wire

@Suite struct `Orders sent on the oms's word` {
  private func withVenue(
    _ body: @escaping @Sendable (ServiceWorld, ScriptedVenue) async throws -> Void
  ) async throws {
    try await withLoop { loop in try await body(try ServiceWorld(loop), ScriptedVenue()) }
  }

  private static func instance(_ desk: RouterDesk) async throws -> UInt64 {
    var request = ExecutionV1.StreamReportsRequest()
    request.withInstance = true
    let reports = try await desk.router.streamReports(request)
    defer { reports.cancel() }
    return try #require(try await reports.next()).instance
  }

  private static func order(_ id: OrderID) -> OmsV1.Order {
    var order = OMSDesk.order("c")
    order.orderId = id.description
    return order
  }

  private static func route(
    _ desk: RouterDesk, _ id: OrderID, _ instance: UInt64
  ) async throws -> String {
    var request = ExecutionV1.RouteOrderRequest()
    request.order = order(id)
    request.instance = instance
    return try await desk.router.routeOrder(request).childOrderId
  }

  private static func cancel(
    _ desk: RouterDesk, _ id: OrderID, _ instance: UInt64
  ) async throws {
    var request = ExecutionV1.CancelRoutedOrderRequest()
    request.orderId = id.description
    request.order = order(id)
    request.instance = instance
    _ = try await desk.router.cancelOrder(request)
  }

  /// An instance that has sent order 7, or was to, and whose record of it is lost; and its successor.
  private func withSuccessor(
    _ manner: ScriptedVenue.Manner = .answers,
    _ body: @escaping @Sendable (RouterDesk, _ before: UInt64) async throws -> Void
  ) async throws {
    try await withVenue { world, venue in
      venue.behave(manner)
      let first = try await RouterDesk.open(world, venue)
      let before = try await Self.instance(first)
      let disk = try world.afterPowerLoss()
      _ = try await Self.route(first, OrderID(7), before)
      let wasPlaced = await eventually { venue.placed.count == 1 }
      #expect(wasPlaced)
      await first.running.drop()
      venue.behave(.answers)
      let second = try await RouterDesk.open(disk, venue)
      let after = try await Self.instance(second)
      #expect(after != before)
      try await body(second, before)
      await second.running.drop()
    }
  }

  @Test
  func `REC-04 one whose record is lost is asked about by the next instance, and not sent again`()
    async throws
  {
    try await withSuccessor { desk, before in
      let child = try await Self.route(desk, OrderID(7), before)
      let reports = try await desk.reports(1)

      #expect(reports.map(\.kind) == [.acknowledged])
      #expect(desk.venue.queried.contains(child))
      #expect(desk.venue.placed.count == 1 && desk.venue.cancelled.isEmpty)
    }
  }

  @Test func `REC-04 one that never reached the venue is denied, and rejected`() async throws {
    try await withSuccessor(.losesOrders) { desk, before in
      _ = try await Self.route(desk, OrderID(7), before)
      let reports = try await desk.reports(1)

      #expect(reports.map(\.kind) == [.rejected])
      #expect(desk.venue.placed.count == 1)
    }
  }

  @Test func `OMS-05 a cancel finds one that an earlier instance has sent`() async throws {
    try await withSuccessor { desk, before in
      try await Self.cancel(desk, OrderID(7), before)
      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .cancelled])
      #expect(desk.venue.cancelled == [ChildID(parent: OrderID(7), sequence: 1).text])
    }
  }

  @Test func `OMS-05 what no instance can have sent was never here, and is not taken afterwards`()
    async throws
  {
    try await withVenue { world, venue in
      let desk = try await RouterDesk.open(world, venue)
      let instance = try await Self.instance(desk)

      for named in [instance, 0] {
        let id = OrderID(20 + (named & 1))
        let absent = await refusal { try await Self.cancel(desk, id, named) }
        let late = await refusal { _ = try await Self.route(desk, id, named) }
        #expect(absent.code == .notFound && late.reason == "WITHDRAWN")
      }
      #expect(venue.placed.isEmpty)
      await desk.running.drop()
    }
  }

  @Test func `IDM-01 the oms names the instance that it heard, also after both have started again`()
    async throws
  {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let router = ScriptedRouter()
      router.instance = 41
      let first = try await OMSDesk.open(world, router)
      var id = ""
      // The stream of reports may begin after the first orders.
      let isNamed = await eventually {
        do {
          id = try await first.accept(OMSDesk.order("c\(router.routed.count)")).order?.orderId ?? ""
        } catch {
          return false
        }
        let wasRouted = await eventually { router.routed.last?.orderId == id }
        return wasRouted && router.named.last == 41
      }
      #expect(isNamed)

      router.instance = 42
      let second = try await first.reopened()
      let isTold = await eventually { router.routed.filter { $0.orderId == id }.count == 2 }

      #expect(isTold)
      let again = zip(router.routed, router.named).filter { $0.0.orderId == id }
      #expect(again.map(\.1) == [41, 41])
      await second.running.drop()
    }
  }
}
