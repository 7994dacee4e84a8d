import JSON
import Testing

extension Journeys.`One mesh` {
  @Suite(.serialized) struct `A strategy` {
    var mesh: Mesh { .current }

    private func strategy() async throws -> JSONValue {
      let answer = try await mesh.get("/v1/strategies")
      let found = answer["strategies"]?.array?.first { $0["strategyId"]?.string == "mm-btcusdt" }
      return try #require(found, "\(answer)")
    }

    private func quotes() async throws -> [JSONValue] {
      try await mesh.pages("/v1/orders?openOnly=true&symbol=BTCUSDT", "orders")
        .filter { $0["strategyId"]?.string == "mm-btcusdt" }
    }

    /// The market maker leans against the account's position, and quotes one side when it is large.
    private func flatten() async throws {
      let position = try await mesh.get("/v1/positions?symbol=BTCUSDT")["positions"]?[0]
      let held = units(position?["quantity"]?.string ?? "0", scale: 8) ?? 0
      // In lots of 0.00001.
      let lots = abs(held) / 1_000
      guard lots > 0 else { return }
      let digits = String(String(lots % 100_000 + 100_000).dropFirst())
      let quantity = "\(lots / 100_000).\(digits)"
      let order = try await mesh.place(held > 0 ? "SELL" : "BUY", "BTCUSDT", quantity)
      try await mesh.order(order, becomes: "FILLED")
    }

    @Test func `the market maker quotes both sides when started, and nothing when stopped`()
      async throws
    {
      try await flatten()
      #expect(try await strategy()["running"]?.bool != true)
      let started = try await mesh.post("/v1/strategies/mm-btcusdt:start")
      #expect(started.status == 200 && started["running"]?.bool == true, "\(started)")

      let quoted = try await eventually(within: .seconds(20)) {
        Set(try await quotes().compactMap { $0["side"]?.string }) == ["BUY", "SELL"]
      }
      let running = try await strategy()
      #expect(quoted, "\(running)")
      let signals = try await mesh.get("/v1/signals?limit=5")
      #expect(signals["signals"]?[0]?["strategyId"]?.string == "mm-btcusdt", "\(signals)")

      let stopped = try await mesh.post("/v1/strategies/mm-btcusdt:stop")
      #expect(stopped.status == 200 && stopped["running"]?.bool != true, "\(stopped)")
      let isQuiet = try await eventually(within: .seconds(20)) { try await quotes().isEmpty }
      let left = try await quotes()
      #expect(isQuiet, "\(left)")
      try await mesh.cancelAll()
    }
  }
}
