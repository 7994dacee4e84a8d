import Calls
import Chrono
import Contracts
import Loop
import OMSService
import ServiceKit
import Telemetry
import TestKit
import Testing

/// What a venue says late, twice, too much, or against itself.
@Suite struct `The oms, and words of venues that do not fit` {
  private func events(_ desk: OMSDesk, _ id: String) async throws -> [OmsV1.OrderEvent] {
    let stream = try await desk.oms.streamEvents(
      .init(), CallOptions(deadline: desk.world.loop.uptime + .seconds(2)))
    defer { stream.cancel() }
    let version = try await desk.order(id).version
    var events: [OmsV1.OrderEvent] = []
    while (events.last?.order?.version ?? 0) < version, let event = try await stream.next() {
      if event.order?.orderId == id { events.append(event) }
    }
    return events
  }

  @Test func `OMS-14 an order that the venue has after all is open again, also over a restart`()
    async throws
  {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.unknown, id, text: "no answer")
      desk.router.report(.rejected, id, text: "the order never reached the venue")
      let denied = try await desk.order(id) { $0.status == .rejected }
      #expect(denied.openQuantity == nil)

      desk.router.report(.reappeared, id, price: "50000", quantity: "1")
      let back = try await desk.order(id) { $0.status == .pendingCancel }
      #expect(text(back.openQuantity) == "1" && back.rejectText == "")
      #expect(try await desk.oms.getTradingState(.init()).openOrders.map(\.orderId) == [id])

      desk.router.report(.fill, id, fill: fill("E1", "0.4", at: "50000"))
      _ = try await desk.order(id) { text($0.filledQuantity) == "0.4" }
      let after = try await desk.reopened()
      let kept = try await after.order(id)
      #expect(kept.status == .pendingCancel && text(kept.openQuantity) == "0.6")
      after.router.report(.cancelled, id)
      _ = try await after.order(id) { $0.status == .cancelled }
      #expect(try await after.oms.getTradingState(.init()).openOrders.isEmpty)
      await after.running.drop()
    }
  }

  @Test func `OMS-02 fills beyond the quantity and after a rejection count, and are set aside`()
    async throws
  {
    try await withOMS { desk in
      let over = try await desk.place("c-1")
      desk.router.report(.acknowledged, over)
      desk.router.report(.fill, over, fill: fill("E1", "1.2", at: "50000"))
      let filled = try await desk.order(over) { $0.status == .filled }
      #expect(text(filled.filledQuantity) == "1.2")

      let rejected = try await desk.place("c-2")
      desk.router.report(.rejected, rejected, text: "no money")
      desk.router.report(.fill, rejected, fill: fill("E2", "0.3", at: "50000"))
      let kept = try await desk.order(rejected) { text($0.filledQuantity) == "0.3" }

      #expect(kept.status == .rejected)
      #expect(try await desk.executions().map(\.executionId) == ["E2", "E1"])
      let told = try await events(desk, over)
      #expect(told.map(\.kind) == [.accepted, .acknowledged, .fill, .setAside])
      #expect(told.last?.text.contains("exceeds the open") == true)
      #expect(desk.running.context.metrics.exposition().contains("oms_set_aside_total 2"))
    }
  }

  @Test func `OMS-02 a rejection after the acknowledgement ends the order`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      desk.router.report(.rejected, id, text: "post only")

      let order = try await desk.order(id) { $0.status == .rejected }

      #expect(order.rejectText == "post only" && order.openQuantity == nil)
    }
  }

  @Test func `OMS-02 a cancel that nobody asked for says why`() async throws {
    try await withOMS { desk in
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      desk.router.report(.cancelled, id, text: "UNKNOWN_ORDER: the venue has forgotten it")

      let order = try await desk.order(id) { $0.status == .cancelled }
      #expect(order.rejectText == "UNKNOWN_ORDER: the venue has forgotten it")
      let after = try await desk.reopened()
      #expect(try await after.order(id) == order)
      await after.running.drop()
    }
  }

  @Test func `REC-05 orders keep their terms when their instrument's scale changes`() async throws {
    try await withLoop { loop in
      let market = ScriptedMarket()
      let desk = try await OMSDesk.open(ServiceWorld(loop), market: market)
      let id = try await desk.place("c-1")
      desk.router.report(.acknowledged, id)
      _ = try await desk.order(id) { $0.status == .new }
      let world = try desk.world.afterPowerLoss()
      await desk.running.drop()
      var finer = bitcoin()
      finer.priceScale = 3
      finer.tickSize = wire("0.001")
      market.changes(finer)

      let after = try await OMSDesk.open(world, desk.router, market: market)
      desk.router.report(.fill, id, fill: fill("E1", "0.4", at: "50000"))
      let old = try await after.order(id) { text($0.filledQuantity) == "0.4" }
      let new = try await after.place("c-2", "1", at: "50000.001")
      let again = try world.afterPowerLoss()
      await after.running.drop()
      let third = try await OMSDesk.open(again, desk.router, market: market)

      #expect(text(old.averagePrice) == "50000")
      #expect(try await third.order(id) == old)
      #expect(text(try await third.order(new).price) == "50000.001")
      await third.running.drop()
    }
  }
}
