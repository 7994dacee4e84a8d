import Foundation
import JSON
import Testing

extension Journeys.`One mesh` {
  /// What must not pass, and how it is told.
  @Suite(.serialized) struct `Refusals` {
    var mesh: Mesh { .current }

    /// A field and what it is set to, raw JSON; nil takes the field away.
    private static let badFields: [(field: String, value: String?)] = [
      ("price", #""NaN""#), ("price", #""1e5""#), ("price", #""Infinity""#), ("price", #""-1.00""#),
      ("price", #""0""#), ("price", #""50000.001""#), ("price", #""""#),
      ("price", #""0.12345678901234567890123""#), ("price", #""99999999999999999999""#),
      ("price", nil),
      ("quantity", #""NaN""#), ("quantity", #""1e-2""#), ("quantity", #""-0.001""#),
      ("quantity", #""0""#), ("quantity", #""0.000000001""#), ("quantity", #""+0.001""#),
      ("quantity", nil), ("symbol", #""DOGEUSDT""#), ("symbol", #""""#), ("symbol", "7"),
      ("side", #""HOLD""#), ("side", nil), ("type", #""STOP""#), ("type", nil),
      ("timeInForce", #""LATER""#), ("clientOrderId", #""with space""#),
      ("clientOrderId", #""0123456789012345678901234567890123456""#), ("venue", #""nowhere""#),
      ("colour", #""red""#),
    ]

    private func body(_ field: String, _ value: String?) -> String {
      var members = [
        "symbol": #""BTCUSDT""#, "side": #""BUY""#, "type": #""LIMIT""#, "price": #""50000.00""#,
        "quantity": #""0.001""#,
      ]
      members[field] = value
      return "{" + members.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    @Test func `GWY-07 RSK-33 a bad field is 400 and named`() async throws {
      for (field, value) in Self.badFields {
        let answer = try await mesh.send("POST", "/v1/orders", body(field, value))
        #expect(answer.status == 400, "\(field) = \(value ?? "absent"): \(answer)")
        #expect(answer.field == field, "\(field) = \(value ?? "absent"): \(answer)")
      }
    }

    @Test func `GWY-07 what is no JSON is 400, what is too long 413`() async throws {
      let broken = [
        #"{"symbol": "#, #"{"symbol": "BTCUSDT"} x"#, #"{"price": NaN}"#, #"[]"#, "null", "\"x\"",
        #"{"symbol": "BTCUSDT", "symbol": "ETHUSDT"}"#, String(repeating: "[", count: 5_000),
      ]
      for text in broken {
        let answer = try await mesh.send("POST", "/v1/orders", text)
        #expect(answer.status == 400 && !answer.message.isEmpty, "\(text.prefix(40)): \(answer)")
      }
      let long = #"{"symbol": ""# + String(repeating: "x", count: 2_000_000) + #""}"#
      let answer = try await mesh.send("POST", "/v1/orders", long)
      #expect(answer.status == 413, "\(answer)")
      let type = try await REST.send(
        "POST", mesh.url("gateway", "/v1/orders"), "<order/>", token: mesh.token("trader"),
        type: "application/xml")
      #expect(type.status == 415, "\(type)")
    }

    @Test func `GWY-02 every kind of failure has its status`() async throws {
      let id = try await mesh.place("BUY", "SOLUSDT", "0.5", at: mesh.farBelow("SOLUSDT"))
      _ = try await mesh.send("DELETE", "/v1/orders/\(id)")
      try await mesh.order(id, becomes: "CANCELLED")
      let cases: [(method: String, path: String, body: String?, status: Int, code: String)] = [
        ("GET", "/v1/orders/nosuchorder", nil, 404, "NOT_FOUND"),
        ("GET", "/v1/nothing", nil, 404, "NOT_FOUND"),
        ("GET", "/v1/venues/nowhere", nil, 404, "NOT_FOUND"),
        ("DELETE", "/v1/books/BTCUSDT", nil, 405, "UNIMPLEMENTED"),
        ("GET", "/v1/books/BTCUSDT?depth=99999", nil, 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/books/BTCUSDT?depth=some", nil, 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/books/BTCUSDT?colour=red", nil, 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/books/DOGEUSDT", nil, 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/orders?pageSize=5000", nil, 400, "INVALID_ARGUMENT"),
        ("PATCH", "/v1/orders/\(id)", #"{"price": "100.00"}"#, 400, "FAILED_PRECONDITION"),
        ("POST", "/v1/strategies/nosuch:start", "{}", 404, "NOT_FOUND"),
      ]
      for one in cases {
        let answer = try await mesh.send(one.method, one.path, one.body)
        #expect(answer.status == one.status, "\(one.method) \(one.path): \(answer)")
        #expect(answer["error"]?["status"]?.string == one.code, "\(one.path): \(answer)")
        #expect(answer["error"]?["code"]?.int == one.status, "\(one.path): \(answer)")
        if one.status == 405 { #expect(answer.headers["allow"]?.contains("GET") == true) }
      }
    }

    @Test func `GWY-01 every route of the contracts that reads answers its JSON`() async throws {
      let order = try await mesh.place("BUY", "SOLUSDT", "0.5", at: mesh.farBelow("SOLUSDT"))
      for route in try Routes.all() where route.method == "GET" {
        let answer = try await mesh.get(route.filled(order: order), as: "admin")
        #expect(answer.status == 200 && answer.json?.root.object != nil, "\(route.path): \(answer)")
      }
      _ = try await mesh.send("DELETE", "/v1/orders/\(order)")
    }
  }
}
