import AuthService
import Calls
import Chrono
import Contracts
import Loop
import PortfolioManagerService
import Postgres
import RiskManagerService
import ServiceKit
import TestKit
import Testing
import Units
import Wire

@Suite(.needsPostgres) struct `What PostgreSQL keeps` {
  private func with(
    _ body: @escaping @Sendable (ServiceWorld, String, Database) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let url = try await TestCluster.newDatabase(loop)
      let database = Database(DatabaseSettings(url: url, connectionsMax: 2), loop: loop)
      do { try await body(ServiceWorld(loop), url, database) } catch {
        await database.close()
        throw error
      }
      await database.close()
    }
  }

  private static func count(_ table: String, _ database: Database) async throws -> Int64 {
    let rows = try await database.query("SELECT count(*) AS count FROM \(table)")
    return try #require(rows.first).read("count")
  }

  private static func recorded(_ database: Database) async throws -> UInt64 {
    let rows = try await database.query("SELECT sequence FROM oms.progress")
    let sequence: Int64 = try #require(rows.first).read("sequence")
    return UInt64(sequence)
  }

  @Test func `OMS-09 the record equals the API, and a restart goes on where it stopped`()
    async throws
  {
    try await with { world, url, database in
      let desk = try await OMSDesk.open(world, databaseURL: url)
      for number in 0..<20 {
        let id = try await desk.place("c-\(number)")
        desk.router.report(.acknowledged, id)
        desk.router.report(.fill, id, fill: fill("E\(number)", "0.4", at: "50000.01", fee: "0.1"))
        _ = try await desk.order(id) { $0.status == .partiallyFilled }
      }
      let last = try await desk.oms.getTradingState(.init()).sequence
      #expect(await eventually { (try? await Self.recorded(database)) == last })

      try await expectSame(desk, database)
      let events = try await Self.count("oms.order_events", database)
      #expect(events == 60)
      #expect(try await Self.count("oms.executions", database) == 20)

      // As if the power had gone between the work and its progress: everything is recorded again.
      _ = try await database.query("UPDATE oms.progress SET sequence = 0")
      let after = try world.afterPowerLoss()
      await desk.running.end()
      let again = try await OMSDesk.open(after, desk.router, databaseURL: url)
      _ = try await again.place("c-20")
      #expect(await eventually { (try? await Self.count("oms.orders", database)) == 21 })
      let newest = try await again.oms.getTradingState(.init()).sequence
      #expect(await eventually { (try? await Self.recorded(database)) == newest })
      #expect(try await Self.count("oms.order_events", database) == events + 1)
      #expect(try await Self.count("oms.executions", database) == 20)
      try await expectSame(again, database)
      await again.running.end()
    }
  }

  private func expectSame(_ desk: OMSDesk, _ database: Database) async throws {
    let rows = try await database.query(
      "SELECT message, filled_quantity, status FROM oms.orders ORDER BY order_id DESC")
    let stored = try rows.map { row in
      let bytes: [UInt8] = try row.read("message")
      return try OmsV1.Order(decoding: bytes)
    }
    #expect(try await desk.all() == stored)
    for (row, order) in zip(rows, stored) {
      let filled: Decimal = try row.read("filled_quantity")
      #expect(filled.normalized.description == text(order.filledQuantity))
    }
    let id = try #require(stored.last).orderId
    var request = OmsV1.ListOrderEventsRequest()
    request.orderId = id
    let events = try await desk.oms.listOrderEvents(request).events
    #expect(events.map(\.kind) == [.accepted, .acknowledged, .fill])
  }

  @Test func `RSK-18 limits and the kill switch outlive the risk-manager`() async throws {
    try await with { world, url, _ in
      world.serve("market-connector", ScriptedMarket().methods)
      let first = try await world.start(RiskManager.self, databaseURL: url)
      try #require(await first.ready())
      let client = RiskV1.RiskServiceClient(channel: first.channel)
      #expect(text(try await client.getLimits(.init()).defaultSymbol?.maxOrderSize) == "10")
      var symbol = RiskV1.SetSymbolLimitsRequest()
      symbol.symbol = "BTCUSDT"
      symbol.maxOrderSize = wire("2.5")
      _ = try await client.setSymbolLimits(symbol)
      var account = RiskV1.SetAccountLimitsRequest()
      account.ordersPerSecond = 7
      account.maxNotional = wire("250000.50")
      _ = try await client.setAccountLimits(account)
      var engage = RiskV1.EngageKillSwitchRequest()
      engage.reason = "drill"
      _ = try await client.engageKillSwitch(engage)
      let before = try await client.getLimits(.init())
      await first.end()

      let second = try await world.start(RiskManager.self, databaseURL: url)
      try #require(await second.ready())
      let after = try await RiskV1.RiskServiceClient(channel: second.channel).getLimits(.init())

      #expect(after.symbols == before.symbols)
      #expect(after.account == before.account)
      #expect(text(after.symbols.first?.maxOrderSize) == "2.5")
      #expect(after.account?.ordersPerSecond == 7)
      #expect(text(after.account?.maxNotional) == "250000.5")
      #expect(after.killSwitch?.engaged == true && after.killSwitch?.reason == "drill")
      #expect(after.killSwitch?.actor == "tester")
      #expect(after.version >= before.version)
      await second.end()
    }
  }

  @Test func `RSK-18 readers hear of a change at once; limits that make no sense are refused`()
    async throws
  {
    try await with { world, url, _ in
      world.serve("market-connector", ScriptedMarket().methods)
      let running = try await world.start(
        RiskManager.self, ["risk-manager.heartbeat=60s"], databaseURL: url)
      try #require(await running.ready())
      let client = RiskV1.RiskServiceClient(channel: running.channel)
      let stream = try await client.streamLimits(
        .init(), CallOptions(deadline: world.loop.uptime + .seconds(5)))
      defer { stream.cancel() }
      let first = try #require(try await stream.next())
      var request = RiskV1.SetSymbolLimitsRequest()
      request.symbol = "BTCUSDT"
      request.maxLong = wire("-1")
      #expect(await refusal { try await client.setSymbolLimits(request) }.fields == ["maxLong"])
      request.maxLong = wire("3")
      _ = try await client.setSymbolLimits(request)

      let next = try #require(try await stream.next())

      #expect(next.version == first.version + 1)
      #expect(text(next.symbols.first?.maxLong) == "3")
      await running.end()
    }
  }

  @Test func `OMS-09 positions in the database equal the API`() async throws {
    try await with { world, url, database in
      let desk = try await OMSDesk.open(world, databaseURL: url)
      world.serve("orderbook", ScriptedBooks(bid: "50000", ask: "50000").methods)
      let running = try await world.start(
        PortfolioManager.self, ["portfolio-manager.record_interval=10ms"], databaseURL: url)
      try #require(await running.ready())
      let id = try await desk.place("c-1", "0.5", at: "50000.01")
      desk.router.report(.acknowledged, id)
      desk.router.report(.fill, id, fill: fill("E1", "0.5", at: "50000.01", fee: "12.5"))
      let client = PortfolioV1.PortfolioServiceClient(channel: running.channel)

      var stored: [Decimal] = []
      #expect(
        await eventually {
          do {
            let rows = try await database.query(
              "SELECT quantity, cost, fees FROM portfolio.positions WHERE fills = 1")
            guard let row = rows.first else { return false }
            stored = [try row.read("quantity"), try row.read("cost"), try row.read("fees")]
            return true
          } catch { return false }
        })
      let position = try #require(try await client.listPositions(.init()).positions.first)
      #expect(
        stored.map(\.normalized.description)
          == [position.quantity, position.cost, position.fees].compactMap { text($0) })
      #expect(text(position.cost) == "25000.005")
      await running.end()
      await desk.running.end()
    }
  }

  @Test func `AUTH-01 users are taken over once, and a login is checked against their hash`()
    async throws
  {
    try await with { world, url, database in
      try makeFolder(world.state.bootstrap)
      try makeFolder(world.state.pki)
      try writeFile(
        world.state.credentials,
        #"{"users":[{"name":"trader","password":"correct horse battery","roles":["trader"]}]}"#,
        mode: 0o600)
      let running = try await world.start(Auth.self, databaseURL: url)
      try #require(await running.ready())
      let client = AuthV1.AuthServiceClient(channel: running.channel)
      var request = AuthV1.IssueTokenRequest()
      request.username = "trader"
      request.password = "correct horse battery"
      let token = try await client.issueToken(request)
      #expect(token.accessToken.split(separator: ".").count == 3)
      request.password = "wrong"
      let wrong = await refusal { try await client.issueToken(request) }
      request.username = "nobody"
      let nobody = await refusal { try await client.issueToken(request) }
      #expect(wrong.code == .unauthenticated && wrong == nobody)
      await running.end()

      let again = try await world.start(Auth.self, databaseURL: url)
      try #require(await again.ready())
      #expect(try await Self.count("auth.users", database) == 1)
      let rows = try await database.query("SELECT password_hash FROM auth.users")
      let hash: String = try #require(rows.first).read("password_hash")
      #expect(hash.hasPrefix("$scrypt$") && !hash.contains("horse"))
      await again.end()
    }
  }
}
