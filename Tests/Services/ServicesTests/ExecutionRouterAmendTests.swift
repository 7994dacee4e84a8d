import Calls
import Contracts
import Orders
import Synchronization
import TestKit
import Testing
import Wire

/// An execution-router whose venue changes orders in place: `AMEND` all of their terms, `REDUCE` their
/// quantity down.
private func withAmending(
  _ feature: String = "AMEND",
  _ body: @escaping @Sendable (RouterDesk) async throws -> Void
) async throws {
  try await withLoop { loop in
    let desk = try await RouterDesk.open(
      ServiceWorld(loop), ScriptedVenue(), market: ScriptedMarket(features: [feature]))
    do { try await body(desk) } catch {
      await desk.running.end()
      throw error
    }
    await desk.running.end()
  }
}

extension RouterDesk {
  fileprivate func replace(
    _ id: OrderID, _ quantity: String, at price: String = "50000", version: UInt32 = 4
  ) async throws {
    var request = ExecutionV1.ReplaceRoutedOrderRequest()
    request.orderId = id.description
    request.version = version
    request.price = wire(price)
    request.quantity = wire(quantity)
    _ = try await router.replaceOrder(request)
  }

  /// An order of one that rests at the venue; its child.
  fileprivate func resting() async throws -> String {
    let child = try await route(OrderID(7))
    _ = try await reports(1)
    return child
  }
}

@Suite struct `The execution-router, at venues that amend` {
  @Test func `OMS-05 price and quantity change in place, and the order keeps its ids`() async throws
  {
    try await withAmending { desk in
      let child = try await desk.resting()
      try await desk.replace(OrderID(7), "2", at: "50001")

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .replaced])
      #expect(reports.map(\.venueOrderId) == ["V-\(child)", "V-\(child)"])
      #expect(text(reports[1].price) == "50001" && text(reports[1].quantity) == "2")
      #expect(desk.venue.amended.map(\.clientOrderId) == [child])
      #expect(desk.venue.amended.map { text($0.price) } == ["50001"])
      #expect(desk.venue.amended.map { text($0.quantity) } == ["2"])
      #expect(desk.venue.cancelled.isEmpty && desk.venue.placed.count == 1)
    }
  }

  @Test func `OMS-05 where quantities only get smaller, the rest is cancelled and placed`()
    async throws
  {
    try await withAmending("REDUCE") { desk in
      let child = try await desk.resting()
      try await desk.replace(OrderID(7), "0.5")
      _ = try await desk.reports(2)
      #expect(desk.venue.amended.map(\.clientOrderId) == [child])
      #expect(desk.venue.amended.map { $0.price == nil } == [true])

      try await desk.replace(OrderID(7), "0.5", at: "49999", version: 6)
      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .replaced, .replaced])
      #expect(desk.venue.amended.count == 1 && desk.venue.cancelled == [child])
      #expect(desk.venue.placed.map(\.clientOrderId) == [child, "\(OrderID(7))-2"])
    }
  }

  @Test func `OMS-05 what the venue cannot do in place is cancelled and placed`() async throws {
    try await withAmending { desk in
      let child = try await desk.resting()
      desk.venue.amends(.refuses(.venuePolicy, notInPlace: true))
      try await desk.replace(OrderID(7), "2")

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .replaced])
      #expect(desk.venue.cancelled == [child])
      #expect(desk.venue.placed.map { text($0.quantity) } == ["1", "2"])
    }
  }

  @Test func `OMS-05 any other refusal is told, and the order is as it was`() async throws {
    try await withAmending { desk in
      _ = try await desk.resting()
      // Refused by our own registry: a cancel would lose the order for nothing.
      desk.venue.amends(.refuses(.venuePolicy, notInPlace: false))
      try await desk.replace(OrderID(7), "2")
      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .replaceRejected])
      #expect(reports.map(\.rejectReason).last == .venuePolicy)
      #expect(reports.map(\.text).last == "the venue says no")
      #expect(desk.venue.cancelled.isEmpty && desk.venue.placed.count == 1)
    }
  }

  @Test func `OMS-14 an answer that is lost is UNKNOWN, and the venue's terms prove the change`()
    async throws
  {
    try await withAmending { desk in
      let child = try await desk.resting()
      desk.venue.amends(.losesAnswers)
      try await desk.replace(OrderID(7), "2")

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .unknown, .replaced])
      #expect(desk.venue.queried.contains(child) && desk.venue.amended.count == 1)
    }
  }

  @Test func `OMS-14 a request that is lost is refused when it can no longer arrive`() async throws
  {
    try await withAmending { desk in
      let child = try await desk.resting()
      desk.venue.amends(.losesRequests)
      try await desk.replace(OrderID(7), "2")

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .unknown, .replaceRejected])
      #expect(reports.last?.text == "the venue did not carry the amendment out")
      #expect(desk.venue.queried.filter { $0 == child }.count >= 2)
      #expect(desk.venue.amended.count == 1 && desk.venue.cancelled.isEmpty)
    }
  }

  @Test func `OMS-05 an order that fills before it is changed goes on with the rest`() async throws
  {
    try await withAmending { desk in
      let child = try await desk.resting()
      let whole = fill("E1", "1", at: "50000")
      desk.venue.beforeAmending { [venue = desk.venue] in
        venue.has(child, .filled, filled: "1", fills: [whole])
      }
      try await desk.replace(OrderID(7), "1.5")

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .replaced])
      #expect(desk.venue.placed.map { text($0.quantity) } == ["1", "0.5"])
    }
  }

  @Test func `REC-03 a change is on disk before the venue sees it, and a restart asks`()
    async throws
  {
    try await withAmending { desk in
      let child = try await desk.resting()
      let crashed = Mutex<ServiceWorld?>(nil)
      desk.venue.beforeAmending {
        let world = try desk.world.afterPowerLoss()
        crashed.withLock { $0 = world }
      }
      try await desk.replace(OrderID(7), "2")
      _ = try await desk.reports(2)

      // The power went as the venue took the change: the next run asks, and sends it no more.
      let world = try #require(crashed.withLock { $0 })
      let after = try await RouterDesk.open(
        world, desk.venue, market: ScriptedMarket(features: ["AMEND"]))
      let reports = try await after.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .replaced])
      #expect(text(reports[1].quantity) == "2")
      #expect(desk.venue.queried.contains(child))
      #expect(desk.venue.amended.count == 1 && desk.venue.placed.count == 1)
      await after.running.end()
    }
  }
}
