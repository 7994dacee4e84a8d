import JSON
import Testing

extension Journeys.`One mesh` {
  /// Each limit refuses with its reason and its numbers; the limits come from the risk-manager while
  /// the gate is at work.
  @Suite(.serialized) struct `The risk gate` {
    var mesh: Mesh { .current }

    private func set(_ path: String, _ members: KeyValuePairs<String, String>) async throws {
      let answer = try await mesh.send("PUT", path, Mesh.object(members), as: "admin")
      guard answer.status == 200 else { throw Failure("PUT \(path): \(answer)") }
    }

    private func restore() async throws {
      try await set(
        "/v1/risk/limits/SOLUSDT",
        ["lot": "1", "maxOrderSize": "10", "maxLong": "10", "maxShort": "10"])
      try await mesh.cancelAll()
    }

    private func refuses(
      _ answer: Answer, _ reason: String, actual: String, limit: String,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(answer.status == 400, "\(answer)", sourceLocation: sourceLocation)
      #expect(answer.reason == reason, "\(answer)", sourceLocation: sourceLocation)
      #expect(
        units(answer.actual, scale: 18) == units(actual, scale: 18), "\(answer)",
        sourceLocation: sourceLocation)
      #expect(
        units(answer.limit, scale: 18) == units(limit, scale: 18), "\(answer)",
        sourceLocation: sourceLocation)
      #expect(!answer.message.isEmpty, sourceLocation: sourceLocation)
    }

    @Test func `RSK-03 an order above the largest size is refused with both numbers`() async throws
    {
      try await set("/v1/risk/limits/SOLUSDT", ["lot": "1", "maxOrderSize": "2"])
      let price = try await mesh.farBelow("SOLUSDT")
      #expect(try await mesh.gate(says: "MAX_SIZE", of: "BUY", "SOLUSDT", "2.001", at: price))

      let fits = try await mesh.submit("BUY", "SOLUSDT", "2", at: price)
      #expect(fits.status == 201, "\(fits)")
      let over = try await mesh.submit("BUY", "SOLUSDT", "2.001", at: price)
      refuses(over, "MAX_SIZE", actual: "2.001", limit: "2")
      try await restore()
    }

    @Test func `RSK-04 open orders count: two halves of the limit and a bit do not pass`()
      async throws
    {
      try await mesh.cancelAll()
      try await set("/v1/risk/limits/SOLUSDT", ["lot": "1", "maxOrderSize": "10", "maxLong": "3"])
      let price = try await mesh.farBelow("SOLUSDT")
      #expect(try await mesh.gate(says: "POSITION_LIMIT", of: "BUY", "SOLUSDT", "3.001", at: price))

      let first = try await mesh.submit("BUY", "SOLUSDT", "1.5", at: price)
      #expect(first.status == 201, "\(first)")
      let over = try await mesh.submit("BUY", "SOLUSDT", "1.501", at: price)
      refuses(over, "POSITION_LIMIT", actual: "3.001", limit: "3")
      let fits = try await mesh.submit("BUY", "SOLUSDT", "1.5", at: price)
      #expect(fits.status == 201, "\(fits)")
      try await mesh.cancelAll()
      let free = try await eventually {
        try await mesh.submit("BUY", "SOLUSDT", "3", at: price).status == 201
      }
      #expect(free, "what was cancelled still counts")
      try await restore()
    }

    @Test func `RSK-07 the notional limit holds to the last tick`() async throws {
      try await set("/v1/risk/limits", ["maxNotional": "250"])
      #expect(try await mesh.gate(says: "MAX_NOTIONAL", of: "BUY", "SOLUSDT", "2", at: "125.01"))

      let fits = try await mesh.submit("BUY", "SOLUSDT", "2", at: "125.00")
      #expect(fits.status == 201, "\(fits)")
      let over = try await mesh.submit("BUY", "SOLUSDT", "2", at: "125.01")
      refuses(over, "MAX_NOTIONAL", actual: "250.02", limit: "250")
      try await set("/v1/risk/limits", ["maxNotional": "1000000"])
      #expect(try await mesh.gate(says: nil, of: "BUY", "SOLUSDT", "2", at: "125.01"))
      try await restore()
    }

    @Test func `RSK-01 GWY-02 orders beyond the rate are 429 and say when to come again`()
      async throws
    {
      let price = try await mesh.farBelow("SOLUSDT")
      try await set("/v1/risk/limits", ["ordersPerSecond": "1"])
      let refused = try await soon { () -> Answer? in
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
          for _ in 0..<4 {
            group.addTask { try await mesh.submit("BUY", "SOLUSDT", "0.1", at: price) }
          }
          return try await group.reduce(into: [Answer]()) { $0.append($1) }
        }
        return answers.first { $0.status == 429 }
      }
      let answer = try #require(refused)
      #expect(answer.reason == "RATE_LIMIT" && answer.limit == "1", "\(answer)")
      #expect(answer.headers["retry-after"].flatMap { Int($0) } ?? 0 >= 1, "\(answer.headers)")
      try await set("/v1/risk/limits", ["ordersPerSecond": "100"])
      try await restore()
    }

    @Test func `the kill switch stops everything until it is released`() async throws {
      let price = try await mesh.farBelow("SOLUSDT")
      let resting = try await mesh.place("BUY", "SOLUSDT", "0.5", at: price)
      let engaged = try await mesh.post("/v1/kill-switch:engage", ["reason": "a journey"])
      #expect(engaged.status == 200 && engaged["engaged"]?.bool == true, "\(engaged)")

      #expect(try await mesh.gate(says: "KILL_SWITCH", of: "BUY", "SOLUSDT", "0.5", at: price))
      let refused = try await mesh.submit("BUY", "SOLUSDT", "0.5", at: price)
      #expect(refused.status == 400 && refused.reason == "KILL_SWITCH", "\(refused)")
      try await mesh.order(resting, becomes: "CANCELLED")
      let state = try await mesh.get("/v1/kill-switch")
      #expect(state.text("reason") == "a journey" && state.text("actor") == "trader", "\(state)")

      let released = try await mesh.post("/v1/kill-switch:release", ["reason": "over"], as: "admin")
      #expect(released.status == 200 && released["engaged"]?.bool != true, "\(released)")
      #expect(try await mesh.gate(says: nil, of: "BUY", "SOLUSDT", "0.5", at: price))
      _ = try await mesh.place("BUY", "SOLUSDT", "0.5", at: price)
      try await restore()
    }

    @Test func `RSK-11 refusals are counted by the rule that refused`() async throws {
      let metrics = try await REST.get(mesh.url("trading-gateway", "/metrics")).text
      let counts = metrics.split(separator: "\n")
        .filter { $0.hasPrefix("trading_gateway_orders_refused_by_") }
        .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
      #expect(counts.filter { $0 > 0 }.count >= 5, "\(metrics)")
    }
  }
}
