import JSON
import Testing

extension Journeys.`One mesh` {
  /// Who may do what, over REST.
  @Suite(.serialized) struct `Tokens and roles` {
    var mesh: Mesh { .current }

    @Test func `GWY-05 without a token every route but logins and keys is 401`() async throws {
      for route in try Routes.all() where !route.isAnonymous {
        let url = mesh.url("gateway", route.filled(order: "none"))
        let answer = try await REST.send(route.method, url, route.method == "GET" ? nil : "{}")
        #expect(answer.status == 401, "\(route.method) \(route.path): \(answer)")
        #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true, "\(route.path)")
      }
      let keys = try await REST.get(mesh.url("gateway", "/.well-known/jwks.json"))
      #expect(keys.status == 200 && keys["keys"]?[0]?["crv"]?.string == "Ed25519", "\(keys)")
    }

    @Test func `AUTH-01 a token that was tampered with is 401`() async throws {
      for forged in ForgedTokens(from: try await mesh.token("trader")).all {
        let answer = try await REST.get(mesh.url("gateway", "/v1/orders"), token: forged)
        #expect(answer.status == 401, "\(forged.prefix(60)): \(answer)")
      }
    }

    @Test func `AUTH-01 a password makes a token, a wrong one does not`() async throws {
      let wrong = try await REST.send(
        "POST", mesh.url("gateway", "/v1/auth/token"),
        Mesh.object(["username": "trader", "password": "not-the-password"]))
      #expect(wrong.status == 401, "\(wrong)")

      let me = try await mesh.get("/v1/users/me")
      #expect(me.status == 200 && me.text("name") == "trader", "\(me)")
    }

    @Test func `AUTH-04 GWY-05 a viewer looks and may not touch`() async throws {
      let order = try await mesh.post(
        "/v1/orders", ["symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"],
        as: "viewer")
      #expect(order.status == 403 && order.message.contains("orders.write"), "\(order)")
      let kill = try await mesh.post("/v1/kill-switch:engage", ["reason": "no"], as: "viewer")
      #expect(kill.status == 403, "\(kill)")
      let strategy = try await mesh.post("/v1/strategies/mm-btcusdt:start", as: "viewer")
      #expect(strategy.status == 403, "\(strategy)")
      let limits = try await mesh.send(
        "PUT", "/v1/risk/limits", Mesh.object(["maxNotional": "1"]), as: "trader")
      #expect(limits.status == 403, "\(limits)")
      let release = try await mesh.post("/v1/kill-switch:release", as: "trader")
      #expect(release.status == 403, "\(release)")

      #expect(try await mesh.get("/v1/orders", as: "viewer").status == 200)
      #expect(try await mesh.get("/v1/kill-switch", as: "viewer")["engaged"]?.bool != true)
    }

    @Test func `AUTH-09 passwords are kept as scrypt hashes`() async throws {
      let rows = try await mesh.psql("SELECT name, password_hash FROM auth.users ORDER BY name")

      #expect(rows.map { $0[0] } == ["admin", "trader", "viewer"])
      for row in rows { #expect(row[1].hasPrefix("$scrypt$"), "\(row[0])") }
    }
  }
}
