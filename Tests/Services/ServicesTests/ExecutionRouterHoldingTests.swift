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

extension OrderIDMint {
  /// An order of now: of old ones less is asked.
  fileprivate static func today(_ desk: RouterDesk) -> OrderID {
    var mint = OrderIDMint()
    return mint.next(now: desk.world.time.now)
  }
}

extension RouterDesk {
  /// What readiness says of the venue's orders; nil while nothing is open.
  fileprivate var openMatters: String? {
    running.context.readiness.degraded.first { $0.name == "orders at binance" }?.reason
  }
}

@Suite struct `The execution-router, while a venue does not do as it is told` {
  @Test(arguments: [
    TypeV1.RejectReason.rateLimit, .venueUnavailable, .overloaded, .marketClosed, .venuePolicy,
  ])
  func `KS-01 a cancel is sent again until the order is gone, whatever refuses it`(
    reason: TypeV1.RejectReason
  ) async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.cancels(.refuses(reason))
      try await desk.cancel(OrderID(7))
      #expect(await eventually { desk.venue.cancelled.count >= 12 })
      #expect(
        await eventually { desk.openMatters?.hasPrefix("1 cancels unanswered since") == true })

      desk.venue.cancels(.answers)
      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .cancelled])
      #expect(Set(desk.venue.cancelled) == [child])
      #expect(await eventually { desk.openMatters == nil })
    }
  }

  @Test func `KS-01 a cancel that the venue refuses because the order has filled is proven by it`()
    async throws
  {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.has(child, .filled, filled: "1", fills: [fill("E1", "1", at: "50000")])
      try await desk.cancel(OrderID(7))

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .fill])
      #expect(desk.venue.cancelled == [child])
    }
  }

  @Test func `KS-01 cancels go out side by side, so many at a time as are allowed`() async throws {
    try await withRouter(settings: ["execution-router.cancels_max=5"]) { desk in
      for id in 1...20 { _ = try await desk.route(OrderID(UInt64(id))) }
      _ = try await desk.reports(20)
      desk.venue.cancels(.gathers(5))
      try await withThrowingTaskGroup { group in
        for id in 1...20 { group.addTask { try await desk.cancel(OrderID(UInt64(id))) } }
        try await group.waitForAll()
      }

      let reports = try await desk.reports(40)

      #expect(reports.suffix(20).map(\.kind) == Array(repeating: .cancelled, count: 20))
      #expect(desk.venue.cancelsAtOnceMax == 5)
    }
  }

  @Test func `OMS-14 questions that fail get rarer, and readiness says what is not proven`()
    async throws
  {
    let venue = ScriptedVenue()
    venue.behave(.losesAnswers)
    venue.asked(.refuses(.rateLimit))
    try await withRouter(
      venue,
      settings: ["execution-router.query_interval_max=1h", "execution-router.questions_max=2"]
    ) { desk in
      for id in 1...30 { _ = try await desk.route(OrderID(UInt64(id))) }
      _ = try await desk.reports(30)

      #expect(
        await eventually { desk.openMatters?.hasPrefix("30 orders unproven since") == true },
        "\(desk.openMatters ?? "nothing"), \(desk.venue.queried.count) asked")

      // Each of two places is kept for 10, 20, 40 ms and so on.
      #expect(desk.venue.queried.count < 40, "\(desk.venue.queried.count) questions")
      #expect(desk.openMatters?.contains("RATE_LIMIT") == true)
    }
  }

  @Test func `OMS-14 a question that is refused proves nothing, and is asked again`() async throws {
    let venue = ScriptedVenue()
    venue.behave(.losesAnswers)
    venue.asked(.refuses(.rateLimit))
    try await withRouter(venue) { desk in
      _ = try await desk.route(OrderID(7))
      #expect(await eventually { desk.venue.queried.count > 5 })
      desk.venue.asked(.answers)

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.unknown, .acknowledged])
    }
  }

  /// A venue that answers, but not the question, is not asked without pause.
  @Test(arguments: [
    ScriptedVenue.Answering.refuses(.venuePolicy), .refuses(.rateLimit),
    .fails(.invalid("symbol", "BTCUSDT is not listed at binance")),
    .fails(RPCError(.unavailable, "nobody is there")),
  ])
  func `OMS-14 a question that leads to nothing is asked after longer and longer pauses`(
    answering: ScriptedVenue.Answering
  ) async throws {
    let venue = ScriptedVenue()
    venue.behave(.losesAnswers)
    venue.asked(answering)
    try await withRouter(venue, settings: ["execution-router.query_interval_max=1h"]) { desk in
      let loop = desk.running.context.loop
      let began = loop.uptime
      _ = try await desk.route(OrderID(7))
      #expect(await eventually { desk.venue.queried.count >= 5 })

      // 10, 20, 40 and 80 ms.
      #expect(loop.uptime - began >= .milliseconds(150))
    }
  }

  @Test func `KS-01 a cancel of an order that the venue has forgotten comes to an end`()
    async throws
  {
    try await withRouter { desk in
      _ = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.cancels(.refuses(.unknownOrder))
      desk.venue.asked(.forgets)
      try await desk.cancel(OrderID(7))

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .setAside, .cancelled])
    }
  }

  /// It is about one order, or one market: the others are asked about as before.
  @Test func `OMS-14 a market that is no longer listed holds up no cancel of another`() async throws
  {
    try await withRouter(
      settings: ["execution-router.cancels_max=1", "execution-router.cancel_interval_max=1h"]
    ) { desk in
      for id in 1...2 { _ = try await desk.route(OrderID(UInt64(id))) }
      _ = try await desk.reports(2)
      desk.venue.cancels(.fails(.invalid("symbol", "BTCUSDT is not listed at binance")))
      try await desk.cancel(OrderID(1))
      #expect(await eventually { desk.venue.cancelled.count >= 14 })
      desk.venue.cancels(.answers)
      try await desk.cancel(OrderID(2))

      let reports = try await desk.reports(4)

      #expect(reports.suffix(2).map(\.kind) == [.cancelled, .cancelled])
    }
  }

  @Test(arguments: [
    (ScriptedVenue.Manner.answersStrangely, [ExecutionV1.ExecutionReport.Kind.unknown]),
    (.answersFinely, []),
  ])
  func `OMS-14 an order is not rejected for a venue's answer that nobody can read`(
    manner: ScriptedVenue.Manner, first: [ExecutionV1.ExecutionReport.Kind]
  ) async throws {
    try await withRouter { desk in
      desk.venue.behave(manner)
      _ = try await desk.route(OrderID(7))

      let reports = try await desk.reports(first.count + 1)

      #expect(reports.map(\.kind) == first + [.acknowledged])
    }
  }

  @Test
  func `REC-03 orphans are looked for until the venue lists its orders, and cancelled for good`()
    async throws
  {
    let venue = ScriptedVenue()
    venue.has("\(OrderID(99))-1")
    venue.lists(.refuses(.rateLimit))
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
      #expect(await eventually { venue.listed > 3 })
      #expect(!running.context.readiness.isReady)
      venue.lists(.answers)
      #expect(await running.ready())
      #expect(await eventually { venue.cancelled.count > 3 })
      // Seen once more while somebody is at it, and again when it was done.
      venue.resynchronise()
      let lists = venue.listed
      #expect(await eventually { venue.listed > lists })
      venue.cancels(.answers)

      #expect(await eventually { venue.open.isEmpty })
      #expect(await eventually { running.context.readiness.degraded.isEmpty })
      venue.has("\(OrderID(99))-1")
      venue.resynchronise()
      #expect(await eventually { venue.open.isEmpty })
      await running.end()
    }
  }
}

@Suite struct `The execution-router, and orders that nobody here knows` {
  @Test func `REC-03 what an orphan has filled is told to the oms when it is gone`() async throws {
    let venue = ScriptedVenue()
    let orphan = "\(OrderID(99))-2"
    venue.has(orphan, .partiallyFilled, filled: "0.4", fills: [fill("E1", "0.4", at: "50000")])
    try await withRouter(venue) { desk in
      let reports = try await desk.reports(1)

      #expect(reports.map(\.kind) == [.fill] && reports.map(\.orderId) == ["\(OrderID(99))"])
      #expect(reports.first?.fill?.executionId == "E1")
      #expect(venue.cancelled == [orphan])
    }
  }
}

@Suite struct `The execution-router, and orders that the venue had denied` {
  @Test func `OMS-14 one that appears after its denial is taken back, filled and cancelled`()
    async throws
  {
    try await withRouter { desk in
      desk.venue.behave(.losesOrders)
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(2)
      let first = fill("E1", "0.4", at: "50000")
      desk.venue.tell(
        desk.venue.has(child, .partiallyFilled, filled: "0.4", fills: [first]), fill: first)

      let reports = try await desk.reports(5)

      #expect(
        reports.map(\.kind) == [.unknown, .rejected, .reappeared, .fill, .cancelled])
      #expect(text(reports[2].quantity) == "1" && text(reports[2].price) == "50000")
      #expect(desk.venue.cancelled == [child])
    }
  }

  @Test func `OMS-14 one that appears unheard is found by the list of open orders`() async throws {
    try await withRouter { desk in
      desk.venue.behave(.losesOrders)
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(2)
      desk.venue.has(child)
      desk.venue.resynchronise()

      let reports = try await desk.reports(4)

      #expect(reports.map(\.kind) == [.unknown, .rejected, .reappeared, .cancelled])
      #expect(desk.venue.cancelled == [child])
    }
  }

  @Test(arguments: [false, true])
  func `OMS-14 one that has filled unheard is found by asking again, also after a restart`(
    isAfterRestart: Bool
  ) async throws {
    try await withRouter { desk in
      desk.venue.behave(.losesOrders)
      let child = try await desk.route(OrderIDMint.today(desk))
      _ = try await desk.reports(2)
      let world = try desk.world.afterPowerLoss()
      desk.venue.has(child, .filled, filled: "1", fills: [fill("E1", "1", at: "50000")])
      let now = isAfterRestart ? try await RouterDesk.open(world, desk.venue) : desk
      if !isAfterRestart { desk.venue.resynchronise() }

      let reports = try await now.reports(4)

      #expect(reports.map(\.kind) == [.unknown, .rejected, .reappeared, .fill])
      if isAfterRestart { await now.running.end() }
    }
  }

  @Test func `OMS-14 no denial counts before it is known how long requests take effect`()
    async throws
  {
    try await withLoop { loop in
      let (venue, market) = (ScriptedVenue(), ScriptedMarket(settlesAfter: .milliseconds(1)))
      venue.behave(.losesOrders)
      market.hidesVenues(true)
      let desk = try await RouterDesk.open(
        ServiceWorld(loop), venue, market: market,
        settings: ["execution-router.query_interval_max=20ms"])
      _ = try await desk.route(OrderID(7))
      let wasAsked = await eventually { venue.queried.count > 10 }
      #expect(wasAsked)
      let first = try await desk.reports(1)
      market.hidesVenues(false)

      let reports = try await desk.reports(2)

      #expect(first.map(\.kind) == [.unknown])
      #expect(reports.map(\.kind) == [.unknown, .rejected])
      #expect(venue.queried.count > 10)
      await desk.running.end()
    }
  }

  @Test func `OMS-14 a denial waits for as long as requests can take effect at the venue`()
    async throws
  {
    try await withLoop { loop in
      let venue = ScriptedVenue()
      venue.behave(.losesOrders)
      let desk = try await RouterDesk.open(
        ServiceWorld(loop), venue, market: ScriptedMarket(settlesAfter: .milliseconds(400)),
        settings: ["execution-router.query_interval_max=20ms"])
      let began = loop.uptime
      _ = try await desk.route(OrderID(7))

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.unknown, .rejected])
      #expect(loop.uptime - began >= .milliseconds(400))
      await desk.running.end()
    }
  }
}
