import Foundation
import JSON
import Testing

extension Journeys {
  /// A recorded day through venue-sim, market-connector and orderbook, as processes.
  @Suite(
    .serialized,
    .enabled(
      if: FileManager.default.fileExists(atPath: RecordedDay.capture),
      "recorded data is absent (RECORDED_DATA): the capture is not replayed through the mesh"),
    .mesh("--replay", RecordedDay.capture, "--replay-speed", "instant"))
  struct `A replayed day` {
    var mesh: Mesh { .current }

    private func checks(_ result: String) async throws -> Int {
      let metrics = try await REST.get(mesh.url("orderbook", "/metrics")).text
      let line = metrics.split(separator: "\n").first {
        $0.hasPrefix("orderbook_top_checks_total{") && $0.contains("symbol=\"BTCUSDT\"")
          && $0.contains("result=\"\(result)\"")
      }
      return line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? 0
    }

    @Test func `MD-04 OB-01 the book equals the recorded top at every shared update id`()
      async throws
    {
      let counted = try await run(
        "python3", [Project.script("capture_tops.py"), RecordedDay.capture])
      let capture = try JSONDocument(parsing: counted.output)
      let comparable = try #require(capture["comparable"]?.int, "\(counted.all)")
      #expect(comparable > 500 && capture["different"]?.int == 0)
      let last = try #require(capture["lastUpdateId"]?.uint64)

      let isOver = try await eventually(within: .seconds(60)) {
        try await mesh.get("/v1/books/BTCUSDT?depth=1").text("updateId") == "\(last)"
      }
      let book = try await mesh.get("/v1/books/BTCUSDT?depth=1")
      #expect(isOver, "the last update id is \(last): \(book)")
      _ = try await eventually(within: .seconds(5)) { try await checks("equal") == comparable }
      #expect(try await checks("equal") == comparable)
      #expect(try await checks("different") == 0)
    }

    @Test func `MD-03 nothing of the capture is lost on the way`() async throws {
      let health = try await mesh.get("/v1/venues/binance/health")
      #expect(health["gaps"]?.string ?? "0" == "0", "\(health)")
      #expect(health["publicWs"]?["reconnects"]?.string ?? "0" == "0", "\(health)")
      let trades = try await mesh.get("/v1/trades/BTCUSDT?limit=1000")
      #expect(trades["trades"]?.array?.count == 1_000)
    }
  }

  /// The same day, slow enough to trade on.
  @Suite(
    .serialized,
    .enabled(
      if: FileManager.default.fileExists(atPath: RecordedDay.capture),
      "recorded data is absent (RECORDED_DATA): no strategy trades on a capture"),
    .mesh("--replay", RecordedDay.capture, "--replay-speed", "10x"))
  struct `A day traded` {
    var mesh: Mesh { .current }

    @Test func `POS-02 the market maker trades on a recorded market and its P&L adds up`()
      async throws
    {
      let started = try await mesh.post("/v1/strategies/mm-btcusdt:start")
      #expect(started.status == 200, "\(started)")
      // Long enough for fills to cross with replacements on their way.
      _ = try await eventually(within: .seconds(10)) {
        try await mesh.pages("/v1/executions?symbol=BTCUSDT", "executions").count >= 100
      }
      let state = try await mesh.get("/v1/strategies")
      _ = try await mesh.post("/v1/strategies/mm-btcusdt:stop")
      try await mesh.cancelAll()

      let fills = try await mesh.pages("/v1/executions?symbol=BTCUSDT", "executions")
      #expect(fills.count >= 3, "\(state)")
      #expect(fills.allSatisfy { $0["strategyId"]?.string == "mm-btcusdt" })
      var ledger = HandLedger()
      for fill in fills.reversed() { try ledger.apply(fill) }
      let position = try await soon { () -> JSONValue? in
        let found = try await mesh.get("/v1/positions?symbol=BTCUSDT")["positions"]?[0]
        return found?["fills"]?.string == "\(fills.count)" ? found : nil
      }
      #expect(units(position?["quantity"]?.string, scale: 8) == ledger.net)
      #expect(units(position?["cost"]?.string, scale: 10) == ledger.cost)
      #expect(units(position?["realisedPnl"]?.string, scale: 10) == ledger.realised)
      #expect(units(position?["fees"]?.string, scale: 18) == ledger.fees)
    }
  }
}

/// Binance's BTCUSDT, 23:54 to 24:00 UTC on 2024-08-08.
enum RecordedDay {
  static let capture = Project.capture("binance/spot_btcusdt_20240808.gz")
}
