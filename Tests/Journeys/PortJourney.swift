import Foundation
import JSON
import Testing

extension Journeys.`One mesh` {
  /// Every port as a stranger finds it.
  @Suite(.serialized) struct `Every port` {
    var mesh: Mesh { .current }

    /// curl gets life, readiness and metrics; a stock gRPC client gets SERVING and nothing else.
    private func answers(_ service: String, _ method: String, refusedWith code: String) async throws
    {
      let live = try await REST.get(mesh.url(service, "/health/live"))
      #expect(live.status == 200 && live.text("service") == service, "\(live)")
      let ready = try await REST.get(mesh.url(service, "/health/ready"))
      #expect(ready.status == 200 && ready.text("status") == "READY", "\(ready)")
      guard Program.python != nil else { return }
      let address = "127.0.0.1:\(mesh.port(service))"
      expectAllOK(
        try await mesh.python(
          "plaintext.py", [address, service, "/shrivenquant.\(method)", code]))
    }

    private func answers(_ service: String, _ method: String) async throws {
      try await answers(service, method, refusedWith: "UNAUTHENTICATED")
    }

    /// The gateway faces people: its port takes gRPC in plaintext, but serves none of the mesh's calls.
    @Test func `PORT-01 RPC-07 gateway answers health on its port`() async throws {
      try await answers(
        "gateway", "oms.v1.OrderService/ListOrders",
        refusedWith: "UNAUTHENTICATED,UNIMPLEMENTED,OK")
    }

    @Test func `PORT-02 RPC-07 auth answers health on its port`() async throws {
      try await answers("auth", "auth.v1.AuthService/IssueToken")
    }

    @Test func `PORT-03 RPC-07 market-connector answers health on its port`() async throws {
      try await answers("market-connector", "market.v1.MarketService/ListVenues")
    }

    @Test func `PORT-04 RPC-07 risk-manager answers health on its port`() async throws {
      try await answers("risk-manager", "risk.v1.RiskService/GetLimits")
    }

    @Test func `PORT-05 RPC-07 execution-router answers health on its port`() async throws {
      try await answers("execution-router", "execution.v1.ExecutionService/RouteOrder")
    }

    @Test func `PORT-11 RPC-07 oms answers health on its port`() async throws {
      try await answers("oms", "oms.v1.OrderService/ListOrders")
    }

    @Test func `PORT-12 RPC-07 trading-gateway answers health on its port`() async throws {
      try await answers("trading-gateway", "trading.v1.TradingService/SubmitOrder")
    }

    @Test func `PORT-14 RPC-07 portfolio-manager answers health on its port`() async throws {
      try await answers("portfolio-manager", "portfolio.v1.PortfolioService/GetPortfolio")
    }

    @Test func `PORT-16 RPC-07 orderbook answers health on its port`() async throws {
      try await answers("orderbook", "orderbook.v1.OrderbookService/GetBook")
    }

    @Test func `PORT-17 RPC-07 discovery answers health on its port`() async throws {
      try await answers("discovery", "discovery.v1.DiscoveryService/ListServices")
    }

    @Test(.needsPromtool) func `OBS-02 every port's metrics are what Prometheus takes`()
      async throws
    {
      for service in Mesh.services {
        let file = "\(mesh.state)/\(service).metrics"
        let metrics = try await REST.get(mesh.url(service, "/metrics"))
        #expect(metrics.status == 200)
        #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
        try metrics.text.write(toFile: file, atomically: false, encoding: .utf8)
        let checked = try await run("sh", ["-c", "promtool check metrics < '\(file)'"])
        #expect(checked.isGood, "\(service): \(checked.all)")
      }
    }

    @Test func `OBS-01 in plaintext a port of the mesh tells of health and metrics only`()
      async throws
    {
      for service in Mesh.services where service != "gateway" {
        let answer = try await REST.get(mesh.url(service, "/v1/orders"))
        #expect(answer.status == 401 && !answer.message.isEmpty, "\(service): \(answer)")
      }
    }

    @Test func `DEP-04 nothing of the mesh listens beyond loopback`() async throws {
      let ours = Set(mesh.allProcesses)
      let lines = try await run("ss", ["-ltnpH"]).output.split(separator: "\n")

      var listening = 0
      for line in lines {
        let pids = line.components(separatedBy: "pid=").dropFirst()
          .compactMap { Int32($0.prefix { $0.isNumber }) }
        guard !ours.isDisjoint(with: pids) else { continue }
        listening += 1
        let local = line.split(separator: " ", omittingEmptySubsequences: true)[3]
        #expect(local.hasPrefix("127.0.0.1:"), "\(line)")
      }
      #expect(listening >= Mesh.services.count + 1)
    }

    @Test func `SEC-05 nothing older than TLS 1.3 is spoken, and HTTP/2 is agreed on`() async throws
    {
      let pki = "\(mesh.state)/pki"
      let words = [
        "s_client", "-CAfile", "\(pki)/ca.crt", "-cert", "\(pki)/operator.crt", "-key",
        "\(pki)/operator.key", "-alpn", "h2", "-connect",
      ]
      for service in Mesh.services {
        let address = "127.0.0.1:\(mesh.port(service))"
        let old = try await run("openssl", words + [address, "-tls1_2"])
        #expect(!old.isGood && old.all.contains("alert protocol version"), "\(service): \(old.all)")
        let new = try await run("openssl", words + [address, "-tls1_3"])
        #expect(new.isGood, "\(service): \(new.error)")
        #expect(new.output.contains("TLSv1.3") && new.output.contains("ALPN protocol: h2"))
        #expect(new.output.contains("Verify return code: 0 (ok)"), "\(service)")
      }
    }

    @Test func `DISC-01 every service is listed where it listens, and healthy`() async throws {
      let found = try await soon { () -> [String: Int]? in
        let answer = try await mesh.get("/v1/services")
        var ports: [String: Int] = [:]
        for instance in answer["instances"]?.array?.map({ $0 }) ?? []
        where instance["health"]?.string == "SERVING" {
          ports[instance["service"]?.string ?? ""] = instance["port"]?.int
        }
        return ports.count == Mesh.services.count ? ports : nil
      }

      let ports = try #require(found, "not every service is listed as SERVING")
      for service in Mesh.services { #expect(ports[service] == mesh.port(service), "\(service)") }
    }
  }

  /// Stock gRPC clients with and without the operator's certificate.
  @Suite(.serialized, .needsGRPC) struct `Stock gRPC clients` {
    var mesh: Mesh { .current }

    @Test func `RPC-08 reflection lists and describes every method of every service`() async throws
    {
      expectAllOK(try await mesh.python("reflection.py", [mesh.state] + mesh.portWords))
    }

    @Test func `RPC-01 every unary method answers a stock client`() async throws {
      expectAllOK(try await mesh.python("unary.py", [mesh.state] + mesh.portWords))
    }

    @Test func `RPC-02 streams of five services reach a stock client`() async throws {
      _ = try await mesh.place("BUY", "ETHUSDT", "0.01", at: mesh.farBelow("ETHUSDT"))
      expectAllOK(try await mesh.python("streams.py", [mesh.state] + mesh.portWords))
    }

    @Test func `DEP-03 AUTH-01 no certificate, no call; no forged token on any port`() async throws
    {
      let forged = ForgedTokens(from: try await mesh.token("trader")).all
      expectAllOK(
        try await mesh.python("strangers.py", [mesh.state] + forged + ["--"] + mesh.portWords))
    }
  }
}
