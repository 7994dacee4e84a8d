import Calls
import Chrono
import Contracts
import ExecutionRouterService
import Loop
import Orders
import ServiceKit
import Telemetry
import TestKit
import Testing
import Wire

extension RouterDesk {
  /// What readiness says of the venue's orders; nil while nothing is open.
  fileprivate var openMatters: String? {
    running.context.readiness.degraded.first { $0.name == "orders at binance" }?.reason
  }
}

@Suite struct `The execution-router, and words that do not fit` {
  @Test func `REC-03 a fill behind a venue's long reason has room in the journal`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let missing = fill("E1", "0.4", at: "50000")
      var end = desk.venue.has(child, .cancelled, filled: "0.4", fills: [])
      end.rejectReason = .venuePolicy
      end.rejectText = String(repeating: "for a long reason, ", count: 300)
      desk.venue.tell(end)
      let wasAsked = await eventually { desk.venue.queried.contains(child) }
      #expect(wasAsked)
      desk.venue.tell(desk.venue.has(child, .cancelled, filled: "0.4", fills: [missing]))

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .cancelled])
      #expect(reports.last?.text.contains("for a long reason") == true)
    }
  }

  @Test func `OMS-02 a rejection after the acknowledgement ends the order`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      var rejection = desk.venue.has(child, .rejected)
      rejection.rejectReason = .wouldTakeLiquidity
      rejection.rejectText = "post only"
      desk.venue.tell(rejection)

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .rejected])
      #expect(reports.last?.rejectReason == .wouldTakeLiquidity)
    }
  }

  @Test func `OMS-02 an over-fill is told, set aside, and asked about until the venue answers`()
    async throws
  {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let over = fill("E1", "1.2", at: "50000")
      desk.venue.tell(desk.venue.has(child, .filled, filled: "1.2", fills: [over]), fill: over)

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .setAside])
      #expect(reports.last?.text.contains("fill E1 makes") == true)
      #expect(await eventually { desk.venue.queried.contains(child) })
      let metrics = desk.running.context.metrics.exposition()
      #expect(metrics.contains(#"execution_router_reports_total{kind="SET_ASIDE"} 1"#))
    }
  }

  @Test func `REC-03 a fill after the end is told, whoever missed it`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.tell(desk.venue.has(child, .cancelled))
      _ = try await desk.reports(2)
      let late = fill("E1", "0.4", at: "50000")
      desk.venue.tell(desk.venue.has(child, .cancelled, filled: "0.4", fills: [late]))

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .cancelled, .fill])
    }
  }

  @Test
  func `REC-05 an order keeps its terms when its venue's tick gets finer, also over a restart`()
    async throws
  {
    try await withLoop { loop in
      let market = ScriptedMarket()
      let desk = try await RouterDesk.open(ServiceWorld(loop), ScriptedVenue(), market: market)
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let world = try desk.world.afterPowerLoss()
      await desk.running.end()
      var finer = bitcoin()
      finer.priceScale = 3
      finer.tickSize = wire("0.001")
      market.changes(finer)

      let after = try await RouterDesk.open(world, desk.venue, market: market)
      let first = fill("E1", "0.4", at: "49999.999")
      desk.venue.tell(
        desk.venue.has(child, .partiallyFilled, filled: "0.4", fills: [first]), fill: first)
      let reports = try await after.reports(2)
      _ = try await after.route(OrderID(8), at: "50000.001")
      _ = try await after.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill])
      #expect(text(reports.last?.fill?.price) == "50000")
      #expect(desk.venue.placed.map { text($0.price) } == ["50000", "50000.001"])
      await after.running.end()
    }
  }

  @Test func `REC-03 a fill of an order that is not known here goes to the oms all the same`()
    async throws
  {
    try await withRouter { desk in
      let child = "\(OrderID(99))-1"
      let stray = fill("E1", "0.4", at: "50000")
      desk.venue.tell(
        desk.venue.has(child, .partiallyFilled, filled: "0.4", fills: [stray]), fill: stray)

      let reports = try await desk.reports(1)

      #expect(reports.map(\.kind) == [.fill] && reports[0].orderId == OrderID(99).description)
      #expect(await eventually { desk.venue.cancelled.contains(child) })
    }
  }

  @Test func `OMS-14 an order that the venue has forgotten ends after its fills are listed`()
    async throws
  {
    try await withRouter(settings: ["execution-router.verify_interval=1h"]) { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.has(child, .cancelled, filled: "0.4", fills: [fill("E1", "0.4", at: "50000")])
      desk.venue.asked(.forgetsOrders)
      desk.venue.resynchronise()

      let reports = try await desk.reports(4)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .setAside, .cancelled])
      #expect(await eventually { desk.openMatters == nil })
    }
  }

  @Test func `OMS-14 an order that the venue has forgotten with its fills ends`() async throws {
    try await withRouter(settings: ["execution-router.verify_interval=1h"]) { desk in
      _ = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.asked(.forgets)
      desk.venue.resynchronise()

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .setAside, .cancelled])
      #expect(await eventually { desk.openMatters == nil })
    }
  }

  @Test func `OMS-14 a list of fills that is not whole ends no order that the venue denies`()
    async throws
  {
    try await withRouter(settings: ["execution-router.verify_interval=1h"]) { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.has(child, .cancelled, filled: "0.4", fills: [fill("E1", "0.4", at: "50000")])
      desk.venue.asked(.forgetsOrders)
      desk.venue.lists(.omits)
      desk.venue.resynchronise()
      let fills = try await desk.reports(2)
      let asked = desk.venue.queried.count
      #expect(await eventually { desk.venue.queried.count > asked + 20 })
      desk.venue.lists(.answers)

      let reports = try await desk.reports(4)

      #expect(fills.map(\.kind) == [.acknowledged, .fill])
      #expect(reports.map(\.kind) == [.acknowledged, .fill, .setAside, .cancelled])
    }
  }

  @Test
  func `REC-03 a list that is not whole finds its orphans, and is asked for until it is whole`()
    async throws
  {
    let venue = ScriptedVenue()
    for number in 1...3 { venue.has("\(OrderID(99))-\(number)") }
    venue.lists(.omits)
    venue.cancels(.refuses(.venueUnavailable))
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      world.serve("market-connector", ScriptedMarket().methods + venue.methods)
      let running = try await world.start(
        ExecutionRouter.self,
        [
          "execution-router.journal_segment_bytes=4194304", "execution-router.query_interval=10ms",
          "execution-router.query_interval_max=20ms",
        ])
      // On every page.
      #expect(await eventually { Set(venue.cancelled).count == 3 })
      venue.cancels(.answers)
      #expect(await eventually { venue.open.isEmpty })
      let lists = venue.listed
      #expect(await eventually { venue.listed > lists + 3 })
      // Orders of ours wait for no row of somebody else's.
      #expect(await running.ready())
      let isTold = await eventually {
        running.context.readiness.degraded.contains { $0.reason.contains("the list is not whole") }
      }
      #expect(isTold)
      venue.lists(.answers)

      let isOver = await eventually { running.context.readiness.degraded.isEmpty }
      #expect(isOver)
      await running.end()
    }
  }
}
