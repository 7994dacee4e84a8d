import Calls
import Chrono
import Contracts
import Loop
import Postgres
import Risk
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing
import Wire

@testable import RiskManagerService

/// A log whose disk fails when the test says so.
final class ScriptedLog: ChangeLog {
  private let state = Mutex(State())

  private struct State {
    var records: [RiskV1.JournalRecord] = []
    var problem: String?
    var isBroken = false
  }

  var records: [RiskV1.JournalRecord] { state.withLock { $0.records } }

  func fail(_ problem: String?) { state.withLock { $0.problem = problem } }

  func append(_ record: RiskV1.JournalRecord) async throws(RPCError) {
    let problem = state.withLock { state -> String? in
      if state.problem == nil { state.records.append(record) } else { state.isBroken = true }
      return state.problem
    }
    if let problem { throw RPCError(.unavailable, problem) }
  }

  func reopened() throws(RPCError) -> RiskRegister? {
    let records = state.withLock { state -> [RiskV1.JournalRecord]? in
      guard state.isBroken, state.problem == nil else { return nil }
      state.isBroken = false
      return state.records
    }
    guard let records else { return nil }
    do {
      var register = RiskRegister()
      for record in records { register.apply(try RiskEvent(record)) }
      return register
    } catch { throw RPCError(.dataLoss, "\(error)") }
  }
}

private func standardConfig() throws -> RiskManagerService.Config {
  try LoadedSettings<RiskManagerService.Config>(
    RiskManager.name,
    from: SettingsSources(
      flags: [try SettingsSources.Flag(parsing: "risk-manager.durable_wait=20ms")]),
    sections: []
  ).config
}

private struct AllListed: Listings {
  func require(_ symbol: String) async throws(RPCError) {}
}

/// A risk-manager on a world without PostgreSQL.
struct RiskDesk: Sendable {
  let world: ServiceWorld
  let running: RunningService<RiskManager>
  var risk: RiskV1.RiskServiceClient { .init(channel: running.channel) }

  static func open(_ world: ServiceWorld, databaseURL: String? = nil) async throws -> RiskDesk {
    world.serve("market-connector", ScriptedMarket().methods)
    let settings = ["risk-manager.heartbeat=60s"]
    let running =
      if let databaseURL {
        try await world.start(RiskManager.self, settings, databaseURL: databaseURL)
      } else { try await world.start(RiskManager.self, settings) }
    return RiskDesk(world: world, running: running)
  }

  @discardableResult
  func engage(_ reason: String) async throws -> RiskV1.KillSwitch {
    var request = RiskV1.EngageKillSwitchRequest()
    request.reason = reason
    return try await risk.engageKillSwitch(request)
  }

  @discardableResult
  func release(_ reason: String) async throws -> RiskV1.KillSwitch {
    var request = RiskV1.ReleaseKillSwitchRequest()
    request.reason = reason
    return try await risk.releaseKillSwitch(request)
  }

  func restarted() async throws -> RiskDesk {
    let after = try world.afterPowerLoss()
    await running.drop()
    return try await Self.open(after)
  }
}

private func withRisk(_ body: @escaping @Sendable (RiskDesk) async throws -> Void) async throws {
  try await withLoop { loop in
    let desk = try await RiskDesk.open(ServiceWorld(loop))
    do { try await body(desk) } catch {
      await desk.running.drop()
      throw error
    }
    await desk.running.drop()
  }
}

@Suite struct `The kill switch of the risk-manager` {
  @Test func `KS-01 is engaged, told and kept over a loss of power without PostgreSQL`()
    async throws
  {
    try await withRisk { desk in
      let stream = try await desk.risk.streamLimits(
        .init(), CallOptions(deadline: desk.world.loop.uptime + .seconds(20)))
      defer { stream.cancel() }
      let engaged = try await desk.engage("drill")
      #expect(engaged.engaged && engaged.warning.isEmpty && engaged.change == 1)
      let told = try #require(try await stream.next())
      #expect(told.killSwitch?.engaged == true && told.account == nil)

      // On the limits nobody knows anything yet, and nobody is told defaults.
      #expect(await refusal { try await desk.risk.getLimits(.init()) }.code == .unavailable)
      #expect(!desk.running.context.readiness.isReady)

      let after = try await desk.restarted()
      let known = try await after.risk.getKillSwitch(.init())
      #expect(known.engaged && known.reason == "drill" && known.actor == "tester")
      #expect(try await after.release("over").engaged == false)
      let last = try await after.restarted()
      #expect(try await last.risk.getKillSwitch(.init()).engaged == false)
      await last.running.drop()
    }
  }

  @Test func `KS-01 engaging it again without a reason keeps the first, a release clears it`()
    async throws
  {
    try await withRisk { desk in
      try await desk.engage("fat finger at desk 3")
      let again = try await desk.engage("")
      #expect(again.engaged && again.reason == "fat finger at desk 3" && again.change == 2)
      #expect(try await desk.engage("and the venue is down").reason == "and the venue is down")
      let released = try await desk.release("")
      #expect(!released.engaged && released.reason.isEmpty)

      let history = try await desk.risk.getKillSwitch(.init()).changes
      #expect(history.map(\.change) == [4, 3, 2, 1])
      #expect(history.map(\.engaged) == [false, true, true, true])
      #expect(history.last?.reason == "fat finger at desk 3")
    }
  }

  @Test func `KS-01 a mark on the machine engages it, at the start and while it runs`() async throws
  {
    try await withRisk { desk in
      let mark = KillMark(desk.world.state)
      try mark.leave(.init(reason: "by hand", actor: "operator"), at: desk.world.time.now)
      #expect(
        await eventually { (try? await desk.risk.getKillSwitch(.init()).reason) == "by hand" })
      #expect(await eventually { !mark.isThere }, "the journal has it, the mark goes")

      try await desk.release("over")
      let other = KillMark(desk.world.state)
      try other.leave(.init(reason: "again", actor: "operator"), at: desk.world.time.now)
      let after = try await desk.restarted()
      #expect(try await after.risk.getKillSwitch(.init()).reason == "again")
      await after.running.drop()
    }
  }

  @Test func `KS-01 a disk that fails delays no engagement, and no release passes before it heals`()
    async throws
  {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let running = try await world.start(
        RiskManager.self, ["risk-manager.heartbeat=60s"])
      let log = ScriptedLog()
      let book = LimitBook(
        RiskRegister(), log, AllListed(), try standardConfig(), running.context)
      log.fail("no room")
      let mark = KillMark(world.state)

      let engaged = await book.engage(reason: "why", by: "ada")
      #expect(engaged.engaged && engaged.warning.contains("no room"), "\(engaged.warning)")
      #expect(await book.told?.killSwitch?.engaged == true)
      #expect(await eventually { mark.isThere })
      let refused = await refusal { try await book.release(reason: "", by: "ada") }
      #expect(refused.code == .unavailable)
      #expect(await book.killSwitch.engaged)

      log.fail(nil)
      #expect(await eventually { await book.killSwitch.warning.isEmpty })
      #expect(log.records.count == 1)
      #expect(try await book.release(reason: "over", by: "ada").engaged == false)
      #expect(!mark.isThere && log.records.count == 2)
      await running.drop()
    }
  }

  @Test func `KS-01 an engagement that comes during a release wins`() throws {
    func change(_ number: UInt64, _ isEngaged: Bool) -> RiskEvent {
      .killSwitch(
        KillSwitchChange(
          number: number, isEngaged: isEngaged, reason: "", actor: "",
          time: Instant(nanoseconds: 1)))
    }
    var register = RiskRegister()
    for event in [change(1, true), change(3, true), change(2, false)] { register.apply(event) }
    #expect(register.killSwitch.isEngaged && register.killSwitch.number == 3)
    #expect(register.killSwitch.history.count == 3)
  }
}

@Suite(.needsPostgres) struct `The limits of the risk-manager` {
  /// The schema as the version before this one left it.
  private static func leaveEarlierVersion(in database: Database) async throws {
    try await database.migrate(schema: "risk", Array(PostgresLimitStore.migrations.prefix(1)))
    for statement in [
      "INSERT INTO risk.account_limits VALUES (true, 41, 'USDT', 7, 70, 500)",
      "INSERT INTO risk.symbol_limits VALUES ('*', 1, 5, 6, 7, 1000), "
        + "('BTCUSDT', 1, 2, 3, 4, 1000)",
      "UPDATE risk.kill_switch SET engaged = true, reason = 'old drill', actor = 'ada'",
    ] { _ = try await database.query(statement) }
  }

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

  @Test func `KS-01 what an earlier version kept in PostgreSQL is taken over once`() async throws {
    try await with { world, url, database in
      try await Self.leaveEarlierVersion(in: database)
      let desk = try await RiskDesk.open(world, databaseURL: url)
      try #require(await desk.running.ready())
      let limits = try await desk.risk.getLimits(.init())
      #expect(limits.account?.ordersPerSecond == 7 && limits.version >= 41)
      #expect(text(limits.symbols.first?.maxLong) == "3")
      #expect(text(limits.account?.maxNotional) == "1000")
      #expect(limits.killSwitch?.engaged == true && limits.killSwitch?.reason == "old drill")
      try await desk.release("over")
      await desk.running.end()

      // From here on the journal is the authority, with PostgreSQL or without it.
      let after = try await RiskDesk.open(try world.afterPowerLoss())
      try #require(await after.running.ready())
      let known = try await after.risk.getLimits(.init())
      #expect(known.account == limits.account && known.symbols == limits.symbols)
      #expect(known.killSwitch?.engaged == false)
      #expect(
        after.running.context.readiness.degraded.contains { $0.name == "record" }
          || !after.running.context.readiness.isReady)
      await after.running.drop()
    }
  }

  @Test func `KS-01 the record in PostgreSQL follows, with every change of the kill switch`()
    async throws
  {
    try await with { world, url, database in
      let desk = try await RiskDesk.open(world, databaseURL: url)
      try #require(await desk.running.ready())
      var symbol = RiskV1.SetSymbolLimitsRequest()
      symbol.symbol = "BTCUSDT"
      symbol.priceBand = wire("0.05")
      _ = try await desk.risk.setSymbolLimits(symbol)
      try await desk.engage("one")
      try await desk.release("two")
      #expect(
        await eventually {
          let rows = try? await database.query(
            "SELECT engaged, reason FROM risk.kill_switch_changes ORDER BY change")
          let reasons: [String]? = try? rows?.map { try $0.read("reason") }
          return reasons == ["one", "two"]
        })
      let band = try await database.query(
        "SELECT price_band::text AS band FROM risk.symbol_limits WHERE symbol = 'BTCUSDT'")
      let read: String = try #require(band.first).read("band")
      #expect(read == "0.05")
      #expect(
        desk.running.context.metrics.exposition().contains("risk_manager_record_lag_changes 0"))
      await desk.running.end()
    }
  }

  @Test func `RSK-29 RSK-30 RSK-06 band, gross exposure and trading state are set, kept and shown`()
    async throws
  {
    try await with { world, url, _ in
      let desk = try await RiskDesk.open(world, databaseURL: url)
      try #require(await desk.running.ready())
      var symbol = RiskV1.SetSymbolLimitsRequest()
      symbol.symbol = "BTCUSDT"
      symbol.priceBand = wire("1.5")
      #expect(
        await refusal { try await desk.risk.setSymbolLimits(symbol) }.code == .invalidArgument)
      symbol.priceBand = wire("0.05")
      #expect(text(try await desk.risk.setSymbolLimits(symbol).priceBand) == "0.05")
      var account = RiskV1.SetAccountLimitsRequest()
      account.maxGrossExposure = wire("2000")
      _ = try await desk.risk.setAccountLimits(account)
      var state = RiskV1.SetTradingStateRequest()
      #expect(await refusal { try await desk.risk.setTradingState(state) }.fields == ["state"])
      state.state = .reducing
      state.reason = "close of business"
      _ = try await desk.risk.setTradingState(state)
      _ = try await desk.risk.resetDailyLoss(.init())

      let after = try await desk.restarted()
      let known = try await after.risk.getLimits(.init())
      #expect(text(known.symbols.first?.priceBand) == "0.05")
      #expect(text(known.account?.maxGrossExposure) == "2000")
      #expect(known.tradingState?.state == .reducing)
      #expect(known.tradingState?.reason == "close of business")
      #expect(known.dailyLossReset?.actor == "tester")
      symbol.priceBand = wire("0")
      #expect(try await after.risk.setSymbolLimits(symbol).priceBand == nil)
      await after.running.drop()
    }
  }

  @Test func `RSK-03 limits of a symbol that nobody lists are refused with the nearest names`()
    async throws
  {
    try await with { world, url, _ in
      let desk = try await RiskDesk.open(world, databaseURL: url)
      try #require(await desk.running.ready())
      var symbol = RiskV1.SetSymbolLimitsRequest()
      symbol.symbol = "BTCUSTD"
      symbol.maxLong = wire("1")
      let error = await refusal { try await desk.risk.setSymbolLimits(symbol) }
      #expect(error.code == .invalidArgument && error.fields == ["symbol"])
      #expect(error.message.contains("BTCUSDT"), "\(error.message)")
      await desk.running.end()

      // Nobody to ask: not known is not accepted.
      let alone = try await ServiceWorld(world.loop).start(RiskManager.self, databaseURL: url)
      try #require(await alone.ready())
      symbol.symbol = "BTCUSDT"
      let client = RiskV1.RiskServiceClient(channel: alone.channel)
      #expect(await refusal { try await client.setSymbolLimits(symbol) }.code == .unavailable)
      await alone.end()
    }
  }
}
