import Calls
import Chrono
import Contracts
import Foundation
import Loop
import PortfolioManagerService
import Postgres
import ServiceKit
import Telemetry
import TestKit
import Testing
import Wire

@Suite(.needsPostgres) struct `The record in PostgreSQL` {
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

  private static func texts(_ sql: String, _ database: Database) async throws -> [String] {
    try await database.query(sql).map { try $0.read("text") }
  }

  private static func isRecorded(_ desk: OMSDesk, _ database: Database) async throws -> Bool {
    let last = try await desk.oms.getTradingState(.init()).sequence
    return await eventually {
      do {
        let told = try await texts("SELECT sequence::text AS text FROM oms.progress", database)
        return told.first.flatMap { UInt64($0) } ?? 0 >= last
      } catch { return false }
    }
  }

  /// A new order that fills whole, by an execution of this id.
  private static func trade(
    _ desk: OMSDesk, _ name: String, _ execution: String, side: TypeV1.Side = .buy
  ) async throws {
    var order = OMSDesk.order(name)
    order.side = side
    let id = try #require(try await desk.accept(order).order).orderId
    desk.router.report(.acknowledged, id)
    desk.router.report(.fill, id, fill: fill(execution, "1", at: "50000"))
    _ = try await desk.order(id) { $0.status == .filled }
  }

  @Test func `POS-01 both legs of a self-trade are executions, rows and part of the position`()
    async throws
  {
    try await with { world, url, database in
      let desk = try await OMSDesk.open(world, databaseURL: url)
      world.serve("orderbook", ScriptedBooks(bid: "50000", ask: "50000").methods)
      let running = try await world.start(PortfolioManager.self, databaseURL: url)
      try #require(await running.ready())

      try await Self.trade(desk, "maker", "77", side: .sell)
      try await Self.trade(desk, "taker", "77", side: .buy)

      #expect(try await desk.executions().map(\.executionId) == ["77", "77"])
      #expect(try await Self.isRecorded(desk, database))
      let sides = try await Self.texts(
        "SELECT side AS text FROM oms.executions ORDER BY side", database)
      #expect(sides == ["BUY", "SELL"])
      let client = PortfolioV1.PortfolioServiceClient(channel: running.channel)
      var position = PortfolioV1.Position()
      #expect(
        await eventually {
          position = (try? await client.listPositions(.init()).positions.first) ?? position
          return position.fills == 2
        })
      #expect(text(position.quantity) == "0")
      #expect(text(position.boughtQuantity) == "1" && text(position.soldQuantity) == "1")
      await running.end()
      await desk.running.end()
    }
  }

  /// Three orders are recorded, one of them also in a copy of the journal. Then the copy is restored, and
  /// `more` orders follow it before PostgreSQL is asked how far it goes.
  @Test(arguments: [0, 2, 5])
  func `REC-02 a restored copy of the journal is recorded from its beginning`(more: Int)
    async throws
  {
    try await with { world, url, database in
      let desk = try await OMSDesk.open(world, databaseURL: url)
      try await Self.trade(desk, "kept", "E-kept")
      let copy = try world.afterPowerLoss()
      copy.time.advance(by: .seconds(60))
      for name in ["lost-1", "lost-2"] { try await Self.trade(desk, name, "E-\(name)") }
      #expect(try await Self.isRecorded(desk, database))
      await desk.running.end()

      let away = try await OMSDesk.open(copy, desk.router)
      // A client order id of the lost history, and a venue's execution that the journal has lost.
      for name in ["lost-1", "x", "lost-2", "y", "z"].prefix(more) {
        try await Self.trade(away, name, name == "x" ? "E-lost-1" : "N-\(name)")
      }
      let after = try copy.afterPowerLoss()
      after.time.advance(by: .seconds(120))
      await away.running.drop()
      let again = try await OMSDesk.open(after, away.router, databaseURL: url)
      try await Self.trade(again, "last", "N-last")

      let generation = "SELECT generation::text AS text FROM oms.progress"
      #expect(await eventually { (try? await Self.texts(generation, database)) == ["2"] })
      #expect(try await Self.isRecorded(again, database))
      let executions = try await again.executions()
      #expect(executions.count == more + 2)
      let rows = try await database.query(
        "SELECT message FROM oms.executions ORDER BY sequence DESC")
      let stored = try rows.map { row in
        let bytes: [UInt8] = try row.read("message")
        return try OmsV1.Execution(decoding: bytes)
      }
      #expect(stored == executions)
      let orders = try await Self.texts(
        "SELECT order_id AS text FROM oms.orders ORDER BY order_id DESC", database)
      #expect(try await again.all().map(\.orderId) == orders)
      let reasons = try await Self.texts(
        "SELECT reason AS text FROM oms.generations ORDER BY generation", database)
      #expect(reasons.count == 2, "\(reasons)")
      // What the lost history had is put away.
      let lost = try await Self.texts(
        "SELECT client_order_id AS text FROM oms.former_orders ORDER BY 1", database)
      let rest = try await Self.texts(
        "SELECT execution_id AS text FROM oms.former_executions ORDER BY 1", database)
      #expect(rest == ["E-lost-1", "E-lost-2"])
      #expect(lost == ["lost-1", "lost-2"])
      await again.running.end()
    }
  }

  @Test func `REC-02 a row that PostgreSQL does not take is set aside, told, and the rest goes on`()
    async throws
  {
    try await with { world, url, database in
      let first = try await OMSDesk.open(world, databaseURL: url)
      try await Self.trade(first, "before", "E0")
      #expect(try await Self.isRecorded(first, database))
      try await database.query(
        "ALTER TABLE oms.orders ADD CONSTRAINT picky CHECK (client_order_id <> 'bad')")

      for name in ["one", "bad", "two", "three"] { try await Self.trade(first, name, "E-\(name)") }

      #expect(try await Self.isRecorded(first, database))
      let names = try await Self.texts(
        "SELECT client_order_id AS text FROM oms.orders ORDER BY order_id", database)
      #expect(names == ["before", "one", "two", "three"])
      let kinds = try await Self.texts(
        "SELECT kind AS text FROM oms.set_aside ORDER BY sequence", database)
      #expect(kinds == ["ACCEPTED", "ACKNOWLEDGED", "FILL"])
      let errors = try await Self.texts("SELECT error AS text FROM oms.set_aside LIMIT 1", database)
      #expect(errors.first?.contains("picky") == true)
      let readiness = first.running.context.readiness
      #expect(
        await eventually { readiness.degraded.map(\.name) == ["record complete"] })
      #expect(readiness.isReady)

      // A person has mended it.
      try await database.query("DELETE FROM oms.set_aside")
      #expect(await eventually { readiness.degraded.isEmpty })
      await first.running.end()
    }
  }

  @Test func `OBS-01 a record that falls behind is told, then not SERVING, and heals by itself`()
    async throws
  {
    try await withLoop { loop in
      let folder = "/tmp/shrivenquant-record-\(UInt64.random(in: 0...(.max)))"
      let cluster = try PrivateCluster.start(folder: folder, durability: .throwaway)
      defer {
        try? cluster.abandon()
        try? FileManager.default.removeItem(atPath: folder)
      }
      let world = try ServiceWorld(loop)
      let desk = try await OMSDesk.open(
        world, ScriptedRouter(), ["oms.record_lag_time_max=1s"], databaseURL: cluster.url)
      let readiness = desk.running.context.readiness
      #expect(await eventually { readiness.degraded.isEmpty })
      try await Self.trade(desk, "before", "E0")
      let database = Database(DatabaseSettings(url: cluster.url, connectionsMax: 1), loop: loop)
      #expect(try await Self.isRecorded(desk, database))
      await database.close()

      try cluster.abandon()
      #expect(await eventually { readiness.degraded.map(\.name) == ["record"] })
      let since = try #require(readiness.degraded.first).since
      try await Self.trade(desk, "while-away", "E1")
      #expect(await eventually { readiness.missing.map(\.name) == ["record"] })
      #expect(readiness.missing.first?.since == since)
      #expect(readiness.missing.first?.reason.contains("record_lag_time_max is 1 s") == true)
      // Orders and cancels are taken all the while.
      try await Self.trade(desk, "late", "E2")
      let lag = Self.lag(desk)
      #expect(lag > 0)

      try cluster.run { _ in }
      #expect(await eventually { readiness.isReady && readiness.degraded.isEmpty })
      #expect(await eventually { Self.lag(desk) == 0 })
      await desk.running.end()
    }
  }

  private static func lag(_ desk: OMSDesk) -> Double {
    let page = desk.running.context.metrics.exposition()
    let line = page.split(separator: "\n").first { $0.hasPrefix("oms_record_lag_events ") }
    return line.flatMap { Double($0.dropFirst("oms_record_lag_events ".count)) } ?? -1
  }

  @Test func `REC-02 positions of a history that is gone leave the database`() async throws {
    try await with { world, url, database in
      let desk = try await OMSDesk.open(world, databaseURL: url)
      world.serve("orderbook", ScriptedBooks(bid: "50000", ask: "50000").methods)
      try await Self.trade(desk, "1", "E1")
      let first = try await world.start(PortfolioManager.self, databaseURL: url)
      try #require(await first.ready())
      let count = "SELECT count(*)::text AS text FROM portfolio.positions"
      #expect(await eventually { (try? await Self.texts(count, database)) == ["1"] })
      try await database.query(
        """
        INSERT INTO portfolio.positions (account, venue, symbol, quantity, cost, realised_pnl, fees,
          bought_quantity, sold_quantity, fills, quote_currency, updated_at)
        VALUES ('main', 'gone', 'GONEUSDT', 1, 1, 0, 0, 1, 0, 1, 'USDT', now())
        """)
      await first.end()

      let second = try await world.start(PortfolioManager.self, databaseURL: url)
      try #require(await second.ready())

      #expect(await eventually { (try? await Self.texts(count, database)) == ["1"] })
      await second.end()
      await desk.running.end()
    }
  }
}
