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
      #expect(health["reconnects"]?.string ?? "0" == "0", "\(health)")
      let trades = try await mesh.get("/v1/trades/BTCUSDT?limit=1000")
      #expect(trades["trades"]?.array?.count == 1_000)
    }
  }
}

/// Binance's BTCUSDT, 23:54 to 24:00 UTC on 2024-08-08.
enum RecordedDay {
  static let capture = Project.capture("binance/spot_btcusdt_20240808.gz")
}
