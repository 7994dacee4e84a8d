import Bytes
import Calls
import Chrono
import Contracts
import MarketQuality
import Security
import ServiceKit
import Telemetry
import TestKit
import Testing
import Units
import Venue
import Venues

@testable import MarketConnectorService

@Suite struct `The health of venues` {
  private static func health(
    _ desk: ConnectorDesk, _ venue: String = "binance"
  ) async throws -> MarketV1.VenueHealth {
    var request = MarketV1.GetVenueHealthRequest()
    request.venue = venue
    return try await desk.market.getVenueHealth(request)
  }

  /// Two looks, a second apart, with `body` between them.
  private static func look(_ desk: ConnectorDesk, _ body: () -> Void = {}) async {
    for link in desk.links { await link.tick() }
    body()
    desk.world.time.advance(by: .seconds(1))
    for link in desk.links { await link.tick() }
  }

  /// In the order of the message there: api, public and private stream, circuit breaker.
  @Test func `OBS-11 every field of source document 001's contract is told`() async throws {
    try await withConnector { desk in
      let session = desk.sessions[0]
      session.vitals = SessionVitals(
        limits: [
          LimitUse("REQUEST_WEIGHT", max: 6_000, used: 600), LimitUse("ORDERS", max: 100, used: 97),
        ],
        breaker: BreakerReport(
          state: .open(until: Uptime(nanoseconds: 1)), consecutiveFailures: 5, openings: 2,
          reason: "5 failures in a row, the last: no route", wait: .seconds(7)),
        clockUncertainty: .microseconds(2_300))
      let counters = session.counters
      let told = try await desk.notices(["md.health"], 2) {
        await Self.look(desk) {
          counters.open.increment()
          counters.reconnections.increment()
          for _ in 0..<10 { counters.requests.increment() }
          for _ in 0..<30 { counters.messages.increment() }
          counters.failures.increment()
          counters.throttled.increment()
          for milliseconds in [20, 40] { counters.answerTime.observe(.milliseconds(milliseconds)) }
        }
      }
      #expect(told.map(\.subject) == ["md.health.binance", "md.health.binance"])
      let health = try #require(told[1].health)
      #expect(health.venue == "binance")
      #expect(health.time == .init(desk.world.time.now))
      let api = try #require(health.api)
      #expect(api.requestsPerSecond == 10)
      #expect(api.rateLimitRemaining == 3)
      #expect(api.http429Count == 1)
      #expect(api.errorMillionths == 200_000 && api.windowSeconds == 60)
      #expect(api.averageLatencyUs == 30_000)
      #expect(api.limits.map(\.name) == ["REQUEST_WEIGHT", "ORDERS"])
      #expect(api.limits.map(\.max) == [6_000, 100] && api.limits.map(\.used) == [600, 97])
      #expect(api.limits.map(\.remaining) == [5_400, 3])
      let open = try #require(health.publicWs)
      #expect(open.connected && open.reconnects == 1 && open.messagesPerSecond == 30)
      #expect(open.lastMessage == .init(desk.world.time.now))
      #expect(health.privateWs != nil)
      #expect(health.circuitBreakerOpen)
      let breaker = try #require(health.breaker)
      #expect(breaker.state == .open && breaker.openings == 2 && breaker.consecutiveFailures == 5)
      #expect(breaker.reason == "5 failures in a row, the last: no route")
      #expect(breaker.openUntil == .init(desk.world.time.now + .seconds(7)))
      #expect(health.clockOffsetMs == -40 && health.clockUncertaintyMs == 3)
      #expect(health.failure.isEmpty)
      #expect(
        desk.context.metrics.exposition().contains(
          #"market_connector_breaker_open{venue="binance"} 1"#))
    }
  }

  @Test func `OBS-11 the private stream tells its rate, its last word and its losses`()
    async throws
  {
    try await withConnector { desk in
      await Self.look(desk)
      await desk.links[0].take(.connected(attempt: 1))
      for _ in 0..<3 { await desk.links[0].take(.balances([])) }
      desk.sessions[0].counters.privateReconnections.increment()
      desk.world.time.advance(by: .seconds(1))
      await desk.links[0].tick()
      let own = try #require(try await Self.health(desk).privateWs)
      #expect(own.connected && own.reconnects == 1 && own.messagesPerSecond == 4)
      #expect(own.lastMessage == .init(desk.world.time.now + .seconds(-1)))
      await desk.links[0].take(.disconnected(reason: "lost"))
      #expect(try await Self.health(desk).privateWs?.connected == false)
    }
  }

  @Test func `errors and latency are of the window alone`() async throws {
    try await withConnector([.binance], ["market-connector.health_window=5s"]) { desk in
      let counters = desk.sessions[0].counters
      await Self.look(desk) {
        for _ in 0..<4 { counters.requests.increment() }
        counters.failures.increment()
        counters.answerTime.observe(.milliseconds(8))
      }
      let bad = try #require(try await Self.health(desk).api)
      #expect(bad.errorMillionths == 250_000 && bad.averageLatencyUs == 8_000)
      for _ in 0..<3 { await Self.look(desk) }
      #expect(try await Self.health(desk).api?.errorMillionths == 250_000)
      for _ in 0..<3 {
        await Self.look(desk) { counters.requests.increment() }
      }
      let good = try #require(try await Self.health(desk).api)
      #expect(good.errorMillionths == 0 && good.averageLatencyUs == 0)
      #expect(good.windowSeconds == 5)
    }
  }

  // MARK: Venues that are not there

  @Test func `a venue that has not answered is named, and the others are listed`() async throws {
    try await withConnector([.binance, .kraken], away: [.kraken]) { desk in
      let told = try await desk.market.listInstruments(.init())
      #expect(told.instruments.map(\.venue) == ["binance", "binance"])
      #expect(told.unavailableVenues.map(\.venue) == ["kraken"])
      #expect(told.unavailableVenues.map(\.reason) == ["has not told its instruments yet"])
      var one = MarketV1.ListInstrumentsRequest()
      one.venue = "kraken"
      let asked = one
      #expect(await refusal { try await desk.market.listInstruments(asked) }.code == .unavailable)
      // Neither a doubt nor an empty answer: nothing was asked of the venue.
      let refused = try await desk.place("a", at: "kraken")
      #expect(refused?.reason == .venueUnavailable)
      var open = MarketV1.ListOpenVenueOrdersRequest()
      open.venue = "kraken"
      let questions = open
      #expect(
        await refusal { try await desk.orders.listOpenOrders(questions) }.code == .unavailable)
      #expect(desk.sessions[1].entry.placed.isEmpty)

      try await desk.links[1].load()
      let all = try await desk.market.listInstruments(.init())
      #expect(all.instruments.count == 4 && all.unavailableVenues.isEmpty)
    }
  }

  @Test func `as long as no venue has answered instruments are UNAVAILABLE`() async throws {
    try await withConnector([.binance, .kraken], away: [.binance, .kraken]) { desk in
      let error = await refusal { try await desk.market.listInstruments(.init()) }
      #expect(error.code == .unavailable)
      #expect(error.message.contains("binance") && error.message.contains("kraken"))
    }
  }

  @Test func `a venue that cannot be connected is told with its reason, and the others run`()
    async throws
  {
    let failed = FailedVenue(known: .kraken, reason: "secret: not Base64")
    try await withConnector([.binance], failed: [failed]) { desk in
      let venues = try await desk.market.listVenues(.init()).venues
      #expect(venues.map(\.venue) == ["binance", "kraken"])
      #expect(venues.map(\.failure) == ["", "secret: not Base64"])
      #expect(try await Self.health(desk, "kraken").failure == "secret: not Base64")
      let told = try await desk.market.listInstruments(.init())
      #expect(told.instruments.count == 2)
      #expect(told.unavailableVenues.map(\.reason) == ["is not connected: secret: not Base64"])
      let refused = await refusal { try await desk.place("a", at: "kraken") }
      #expect(refused.code == .failedPrecondition)
      let reached = try await desk.place("b")
      #expect(reached == nil)
    }
  }

  @Test func `a session that cannot be made does not stop the service`() async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      try makeFolder(world.state.bootstrap, mode: 0o700)
      try makeFolder(world.state.path + "/pki", mode: 0o700)
      try writeFile(
        world.state.simulatorKey, #"{"apiKey":"key","secretKey":"secret"}"#, mode: 0o600)
      try writeFile(
        world.state.authority, TestMesh.shared.authority.certificate, mode: 0o600)
      let journal = world.state.journal(of: "market-connector")
      try makeFolder(journal, mode: 0o700)
      try writeFile(journal + "/kraken.nonce", "not a number", mode: 0o600)

      let running = try await world.start(
        MarketConnector.self, ["market-connector.venues=binance,kraken"])
      let market = MarketV1.MarketServiceClient(channel: running.channel)
      let venues = try await market.listVenues(.init()).venues
      #expect(venues.map(\.venue) == ["binance", "kraken"])
      #expect(venues[0].failure.isEmpty)
      #expect(venues[1].failure.contains("does not hold one whole number"))
      #expect(running.context.readiness.missing.map(\.name) == ["instruments"])
      let degraded = running.context.readiness.degraded
      #expect(degraded.map(\.name).contains("session of kraken"))
      #expect(degraded.contains { $0.reason.contains("does not hold one whole number") })
      var request = MarketV1.StreamNoticesRequest()
      request.venue = "kraken"
      let notices = try await market.streamNotices(request)
      let told = try #require(try await notices.next())
      #expect(told.subject == "md.health.kraken")
      #expect(told.health?.failure == venues[1].failure)
      notices.cancel()
      await running.end()
    }
  }
}
