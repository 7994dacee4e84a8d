import Calls
import Chrono
import Contracts
import ExecutionRouterService
import Loop
import Orders
import ServiceKit
import Synchronization
import TestKit
import Testing
import Wire

/// An execution-router before a scripted venue.
struct RouterDesk: Sendable {
  let world: ServiceWorld
  let venue: ScriptedVenue
  let running: RunningService<ExecutionRouter>

  var router: ExecutionV1.ExecutionServiceClient { .init(channel: running.channel) }

  static func open(
    _ world: ServiceWorld, _ venue: ScriptedVenue, market: ScriptedMarket = ScriptedMarket(),
    settings: [String] = []
  ) async throws -> RouterDesk {
    world.serve("market-connector", market.methods + venue.methods)
    let running = try await world.start(
      ExecutionRouter.self,
      [
        "execution-router.journal_segment_bytes=4194304", "execution-router.query_interval=10ms",
        "execution-router.denial_after=50ms", "execution-router.place_timeout=2s",
      ] + settings)
    try #require(await running.ready())
    return RouterDesk(world: world, venue: venue, running: running)
  }

  func route(
    _ id: OrderID, _ quantity: String = "1", at price: String? = "50000",
    _ force: TypeV1.TimeInForce? = nil
  ) async throws -> String {
    var order = OMSDesk.order("c", quantity, at: price)
    if let force { order.timeInForce = force }
    order.orderId = id.description
    var request = ExecutionV1.RouteOrderRequest()
    request.order = order
    return try await router.routeOrder(request).childOrderId
  }

  func cancel(_ id: OrderID) async throws {
    var request = ExecutionV1.CancelRoutedOrderRequest()
    request.orderId = id.description
    _ = try await router.cancelOrder(request)
  }

  /// The first `count` reports.
  func reports(_ count: Int) async throws -> [ExecutionV1.ExecutionReport] {
    let stream = try await router.streamReports(
      .init(), CallOptions(deadline: world.loop.uptime + .seconds(5)))
    defer { stream.cancel() }
    var reports: [ExecutionV1.ExecutionReport] = []
    while reports.count < count, let report = try await stream.next() { reports.append(report) }
    return reports
  }
}

/// The router before a venue, asking often.
func withRouter(
  _ venue: ScriptedVenue = ScriptedVenue(), settings: [String] = [],
  _ body: @escaping @Sendable (RouterDesk) async throws -> Void
) async throws {
  try await withLoop { loop in
    let desk = try await RouterDesk.open(
      ServiceWorld(loop), venue, settings: ["execution-router.query_interval_max=40ms"] + settings)
    do { try await body(desk) } catch {
      await desk.running.end()
      throw error
    }
    await desk.running.end()
  }
}

@Suite struct `The execution-router` {
  @Test func `OMS-05 an order whose cancel came first is not taken when it comes`() async throws {
    try await withRouter { desk in
      #expect(await refusal { try await desk.cancel(OrderID(9)) }.code == .notFound)

      let late = await refusal { try await desk.route(OrderID(9)) }

      #expect(late.code == .failedPrecondition && late.reason == "WITHDRAWN")
      _ = try await desk.route(OrderID(10))
      #expect(await eventually { desk.venue.placed.count == 1 })
    }
  }

  @Test func `EX-19 an order that arrives too late is refused, whatever it is called again`()
    async throws
  {
    try await withRouter { desk in
      var order = OMSDesk.order("c", "1", at: nil)
      order.orderId = OrderID(11).description
      order.createdAt = .with { $0.seconds = desk.world.time.now.seconds - 6 }
      var request = ExecutionV1.RouteOrderRequest()
      request.order = order

      for _ in 0..<3 {
        let late = await refusal { try await desk.router.routeOrder(request) }
        #expect(late.code == .failedPrecondition && late.reason == "TOO_LATE")
      }
      #expect(desk.venue.placed.isEmpty)
    }
  }

  @Test func `REC-03 an intent is on disk before the venue sees the order`() async throws {
    try await withRouter { desk in
      let crashed = Mutex<ServiceWorld?>(nil)
      desk.venue.beforePlacing { _ in
        let world = try desk.world.afterPowerLoss()
        crashed.withLock { $0 = world }
      }
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)

      // The power went as the venue took the order: the next run asks about it, and sends no other.
      let world = try #require(crashed.withLock { $0 })
      let after = try await RouterDesk.open(world, desk.venue)
      let reports = try await after.reports(1)

      #expect(reports.map(\.kind) == [.acknowledged])
      #expect(reports.map(\.orderId) == [OrderID(7).description])
      #expect(desk.venue.queried.contains(child))
      #expect(desk.venue.placed.count == 1)
      await after.running.end()
    }
  }

  @Test func `IDM-01 an order that is routed again is not sent again, also after a restart`()
    async throws
  {
    try await withRouter { desk in
      let first = try await desk.route(OrderID(7))
      let second = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let world = try desk.world.afterPowerLoss()
      let after = try await RouterDesk.open(world, desk.venue)
      let third = try await after.route(OrderID(7))

      #expect(first == "\(OrderID(7))-1")
      #expect([second, third] == [first, first])
      #expect(desk.venue.placed.map(\.clientOrderId) == [first])
      await after.running.end()
    }
  }

  @Test func `OMS-14 an answer that is lost is UNKNOWN, and a question finds the order`()
    async throws
  {
    try await withRouter { desk in
      desk.venue.behave(.losesAnswers)
      let child = try await desk.route(OrderID(7))

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.unknown, .acknowledged])
      #expect(reports.last?.venueOrderId == "V-\(child)")
      #expect(desk.venue.placed.count == 1)
    }
  }

  @Test func `OMS-14 an order that the venue denies, often and late enough, was never there`()
    async throws
  {
    try await withRouter { desk in
      desk.venue.behave(.losesOrders)
      _ = try await desk.route(OrderID(7))

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.unknown, .rejected])
      #expect(reports.last?.rejectReason == .venueUnavailable)
      #expect(reports.last?.text == "the order never reached the venue")
      #expect(desk.venue.queried.count >= 2)
      #expect(desk.venue.placed.count == 1)
    }
  }

  @Test func `a refusal of the venue is told with its reason`() async throws {
    try await withRouter { desk in
      desk.venue.behave(.refuses(.insufficientBalance))
      _ = try await desk.route(OrderID(7))

      let reports = try await desk.reports(1)

      #expect(reports.map(\.kind) == [.rejected])
      #expect(reports.map(\.rejectReason) == [.insufficientBalance])
      #expect(reports.map(\.text) == ["the venue says no"])
    }
  }

  @Test func `a fill is reported once, whoever tells it and how often`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let first = fill("E1", "0.4", at: "50000")
      let second = fill("E2", "0.6", at: "50000.01")
      let partial = desk.venue.has(child, .partiallyFilled, filled: "0.4", fills: [first])
      desk.venue.tell(partial, fill: first)
      desk.venue.tell(partial, fill: first)
      desk.venue.resynchronise()
      let whole = desk.venue.has(child, .filled, filled: "1", fills: [first, second])
      // The second fill's report was lost with the stream: the list has it.
      desk.venue.tell(whole)

      let reports = try await desk.reports(3)
      desk.venue.tell(whole, fill: second)
      _ = try await desk.route(OrderID(8))
      let more = try await desk.reports(4)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .fill])
      #expect(reports.compactMap(\.fill?.executionId) == ["E1", "E2"])
      #expect(more.last?.orderId == OrderID(8).description)
    }
  }

  @Test func `REC-03 an end that names more than is known waits for the fills`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let missed = fill("E1", "0.4", at: "50000")
      desk.venue.tell(desk.venue.has(child, .cancelled, filled: "0.4", fills: [missed]))

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .cancelled])
    }
  }

  @Test func `OMS-14 a fill that no stream ever told is found by asking now and then`() async throws
  {
    try await withLoop { loop in
      let desk = try await RouterDesk.open(
        ServiceWorld(loop), ScriptedVenue(), settings: ["execution-router.verify_interval=20ms"])
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      desk.venue.has(child, .filled, filled: "1", fills: [fill("E1", "1", at: "50000")])

      let reports = try await desk.reports(2)

      #expect(reports.map(\.kind) == [.acknowledged, .fill])
      #expect(desk.venue.queried.contains(child))
      await desk.running.end()
    }
  }

  @Test
  func `OMS-14 a market order is asked about before those that rest, whatever its time in force`()
    async throws
  {
    try await withLoop { loop in
      let desk = try await RouterDesk.open(
        ServiceWorld(loop), ScriptedVenue(),
        settings: ["execution-router.verify_interval=20ms", "execution-router.verify_max=2"])
      for id in 1...30 { _ = try await desk.route(OrderID(UInt64(id))) }
      let market = try await desk.route(OrderID(31), at: nil, .gtc)
      _ = try await desk.reports(31)
      let isAsked = await eventually { desk.venue.queried.contains(market) }
      #expect(isAsked)
      let before = desk.venue.queried.count
      let isAskedAgain = await eventually {
        desk.venue.queried.dropFirst(before).count { $0 == market } >= 5
      }
      #expect(isAskedAgain)

      // In every second round at least; in turn it would be one of thirty-one.
      let questions = desk.venue.queried.dropFirst(before)
      let fifth = questions.enumerated().filter { $0.element == market }.dropFirst(4).first?.offset
      #expect((fifth ?? .max) < 31, "\(questions.count) questions")
      await desk.running.end()
    }
  }

  @Test func `REC-03 after a restart open orders are asked about, and their fills are found`()
    async throws
  {
    try await withRouter { desk in
      let open = try await desk.route(OrderID(7))
      let ended = try await desk.route(OrderID(8))
      _ = try await desk.reports(2)
      let world = try desk.world.afterPowerLoss()
      await desk.running.end()
      desk.venue.has(
        open, .partiallyFilled, filled: "0.4", fills: [fill("E1", "0.4", at: "50000")])
      desk.venue.has(ended, .cancelled)

      let after = try await RouterDesk.open(world, desk.venue)
      let reports = try await after.reports(4)

      let told = Dictionary(grouping: reports, by: \.orderId).mapValues { $0.map(\.kind) }
      #expect(told[OrderID(7).description] == [.acknowledged, .fill])
      #expect(told[OrderID(8).description] == [.acknowledged, .cancelled])
      #expect(desk.venue.placed.count == 2)
      await after.running.end()
    }
  }

  @Test func `REC-03 orders of ours at the venue that no journal knows are cancelled`()
    async throws
  {
    let venue = ScriptedVenue()
    venue.has("\(OrderID(99))-1")
    venue.has("somebody-elses")
    try await withRouter(venue) { desk in
      #expect(await eventually { !desk.venue.cancelled.isEmpty })
      #expect(desk.venue.cancelled == ["\(OrderID(99))-1"])
    }
  }

  @Test func `OMS-01 a cancel goes to the venue, and its confirmation is reported`() async throws {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)

      try await desk.cancel(OrderID(7))
      let reports = try await desk.reports(2)

      #expect(desk.venue.cancelled == [child])
      #expect(reports.map(\.kind) == [.acknowledged, .cancelled])
      #expect(await refusal { try await desk.cancel(OrderID(8)) }.code == .notFound)
    }
  }

  @Test func `OMS-05 a replacement cancels the child and sends the rest as the next`()
    async throws
  {
    try await withRouter { desk in
      let child = try await desk.route(OrderID(7))
      _ = try await desk.reports(1)
      let first = fill("E1", "0.4", at: "50000")
      desk.venue.tell(
        desk.venue.has(child, .partiallyFilled, filled: "0.4", fills: [first]), fill: first)
      _ = try await desk.reports(2)
      var request = ExecutionV1.ReplaceRoutedOrderRequest()
      request.orderId = OrderID(7).description
      request.version = 4
      request.price = wire("50001")
      request.quantity = wire("2")
      _ = try await desk.router.replaceOrder(request)

      let reports = try await desk.reports(3)

      #expect(reports.map(\.kind) == [.acknowledged, .fill, .replaced])
      #expect(desk.venue.placed.map(\.clientOrderId) == [child, "\(OrderID(7))-2"])
      #expect(desk.venue.placed.map { text($0.quantity) } == ["1", "1.6"])
      #expect(desk.venue.placed.map { text($0.price) } == ["50000", "50001"])
    }
  }
}
