import Calls
import Contracts
import Foundation
import Loop
import Security
import ServiceKit
import TestKit
import Testing
import Transport

@Suite struct `A service on its port` {
  typealias Status = GrpcHealthV1.HealthCheckResponse.ServingStatus

  func health(_ channel: NetworkChannel, of service: String = "") async throws -> Status {
    var request = GrpcHealthV1.HealthCheckRequest()
    request.service = service
    return try await GrpcHealthV1.HealthClient(channel: channel).check(request).status
  }

  func get(_ path: String, _ address: Address) async throws -> (status: Int, body: String) {
    let curl = try await run(
      "curl", ["-s", "-o", "-", "-w", "\n%{http_code}", "http://\(address)\(path)"])
    let cut = curl.output.lastIndex(of: "\n") ?? curl.output.startIndex
    let status = Int(curl.output[cut...].dropFirst()) ?? 0
    return (status, String(curl.output[..<cut]))
  }

  @Test func `RPC-07 is NOT_SERVING until it has begun and while it drains`() async throws {
    try await withExample { mesh, host, loop in
      let channel = try mesh.channel(as: nil, to: host.address, loop)

      #expect(try await health(channel) == .notServing)
      try await host.begin()
      #expect(try await health(channel) == .serving)
      #expect(try await health(channel, of: "oms") == .serving)
      #expect(try await health(channel, of: ExampleService.contract) == .serving)
      await #expect(throws: RPCError.self) { try await health(channel, of: "no.such.Service") }

      let ending = loop.spawn { await host.end(within: .seconds(1)) }
      #expect(await eventually { host.service.steps.reached.contains("drain") })
      #expect(try await health(channel) == .notServing)
      #expect(try await health(channel, of: "oms") == .notServing)
      host.service.steps.letDrain()
      await ending.value
      #expect(host.service.steps.reached == ["start", "drain", "stop"])
    }
  }

  @Test func `OBS-01 OBS-02 answers live, ready and metrics over HTTP in plaintext`() async throws {
    try await withExample { _, host, _ in
      let early = try await get("/health/ready", host.address)
      #expect(early.status == 503)
      #expect(early.body.contains(#"{"condition":"started","reason":"starting","since":"20"#))

      try await host.begin()
      let live = try await get("/health/live", host.address)
      let ready = try await get("/health/ready", host.address)
      let metrics = try await get("/metrics", host.address)
      let other = try await get("/admin", host.address)

      #expect(live.status == 200 && live.body.contains(#""status":"LIVE""#))
      #expect(ready.status == 200 && ready.body.contains(#""missing":[]"#))
      #expect(metrics.status == 200)
      #expect(metrics.body.contains("# TYPE rpc_server_started_total counter"))
      #expect(metrics.body.contains("rpc_cancelled_total"))
      for limit in TransportLimit.allCases {
        #expect(metrics.body.contains("transport_limits_total{limit=\"\(limit.rawValue)\"} 0"))
      }
      #expect(other.status == 401)
    }
  }

  @Test func `RPC-11 messages, calls and handshakes of several loops are counted`() async throws {
    try await withExample(mesh: .with(["loops": "3"])) { mesh, host, loop in
      try await host.begin()
      for _ in 0..<20 {
        let channel = try mesh.channel(as: "risk-manager", to: host.address, loop)
        #expect(await outcome(channel, ExampleService.anybody) == .success("hello stranger"))
        channel.close()
      }
      let labels =
        #"{grpc_service="\#(ExampleService.contract)",grpc_method="Anybody""#
      let text = try await get("/metrics", host.address).body

      // An empty request, and an answer of 16 bytes.
      #expect(text.contains("rpc_server_msg_received_bytes_count\(labels)} 20\n"))
      #expect(text.contains("rpc_server_msg_received_bytes_sum\(labels)} 0\n"))
      #expect(text.contains("rpc_server_msg_sent_bytes_sum\(labels)} 320\n"))
      #expect(text.contains("rpc_server_msg_sent_bytes_bucket\(labels),le=\"64\"} 20\n"))
      #expect(text.contains("rpc_server_in_flight\(labels)} 0\n"))
      #expect(text.contains(#"tls_handshakes_total{side="server",resumed="false"} 20"#))
      guard FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool") else { return }
      let verdict = try await run("promtool", ["check", "metrics"], input: text)
      #expect(verdict.status == 0, "\(verdict.output)")
    }
  }

  @Test(arguments: ["--http1.1", "--http2-prior-knowledge"])
  func `OBS-01 health and metrics take GET and HEAD in both versions of HTTP`(version: String)
    async throws
  {
    try await withExample { _, host, _ in
      try await host.begin()
      for path in ["/health/live", "/health/ready", "/metrics"] {
        let ask = ["-s", "-m", "10", "-i", version]
        let url = "http://\(host.address)\(path)"

        let whole = try await run("curl", ask + [url])
        let head = try await run("curl", ["-s", "-m", "10", "-I", version, url])
        let post = try await run("curl", ask + ["-d", "x", url])

        #expect(whole.output.contains(" 200") && whole.output.count > head.output.count)
        #expect(head.output.contains(" 200") && head.output.contains("content-length: "))
        #expect(post.output.contains(" 405") && post.output.contains("allow: GET, HEAD"))
      }
    }
  }

  @Test func `DEP-03 calls in plaintext and without a certificate are refused`() async throws {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let plain = try mesh.channel(as: nil, to: host.address, loop)

      #expect(await outcome(plain, ExampleService.anybody) == .failure(.unauthenticated))
      let curl = try await run(
        "curl", ["-s", "--cacert", mesh.state.authority, "https://\(host.address)/health/live"])
      #expect(curl.status != 0)
    }
  }

  @Test func `calls are UNAVAILABLE until the service has begun`() async throws {
    try await withExample { mesh, host, loop in
      let channel = try mesh.channel(as: "risk-manager", to: host.address, loop)

      #expect(await outcome(channel, ExampleService.anybody) == .failure(.unavailable))
      try await host.begin()
      #expect(await outcome(channel, ExampleService.anybody) == .success("hello stranger"))
    }
  }

  enum Outcome: Equatable {
    case success(String)
    case failure(StatusCode)
  }

  func outcome(
    _ channel: NetworkChannel, _ method: MethodDescriptor, token: String? = nil
  ) async -> Outcome {
    var options = CallOptions()
    if let token { options.metadata.add("authorization", "Bearer \(token)") }
    do {
      let answer = try await channel.unary(
        method, GoogleProtobuf.StringValue(), options, as: GoogleProtobuf.StringValue.self)
      return .success(answer.value)
    } catch {
      return .failure(error.code)
    }
  }

  @Test func `AUTH-04 a service acts for itself, a user within their scopes`() async throws {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let peer = try mesh.channel(as: "risk-manager", to: host.address, loop)
      let good = mesh.token(scopes: ["orders.read"])
      let poor = mesh.token(scopes: ["positions.read"])

      #expect(await outcome(peer, ExampleService.reader) == .success("hello stranger"))
      #expect(await outcome(peer, ExampleService.reader, token: good) == .success("hello ada"))
      #expect(
        await outcome(peer, ExampleService.reader, token: poor) == .failure(.permissionDenied))
      #expect(await outcome(peer, ExampleService.somebody, token: poor) == .success("hello ada"))
      #expect(await outcome(peer, ExampleService.peer) == .success("hello stranger"))
    }
  }

  @Test func `the gateway speaks for people only`() async throws {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let gateway = try mesh.channel(as: "gateway", to: host.address, loop)
      let good = mesh.token(scopes: ["orders.read"])

      #expect(await outcome(gateway, ExampleService.reader) == .failure(.unauthenticated))
      #expect(await outcome(gateway, ExampleService.somebody) == .failure(.unauthenticated))
      #expect(await outcome(gateway, ExampleService.reader, token: good) == .success("hello ada"))
      #expect(await outcome(gateway, ExampleService.anybody) == .success("hello stranger"))
      #expect(await outcome(gateway, ExampleService.peer) == .success("hello stranger"))
    }
  }

  @Test func `AUTH-01 a token that is not sound is refused, whatever the method asks`() async throws
  {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let peer = try mesh.channel(as: "risk-manager", to: host.address, loop)
      let good = mesh.token(scopes: ["orders.read"])
      let cut = good.lastIndex(of: ".")!
      let none =
        "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ"
        + good[good.firstIndex(of: ".")!...cut]
      let wrong = [
        String(good[..<cut]) + ".AAAA", none, mesh.token(scopes: ["orders.read"], keyID: "k2"),
        mesh.token(scopes: ["orders.read"], expires: .seconds(-60)),
        mesh.token(scopes: ["orders.read"], issuer: "somebody"),
        mesh.token(scopes: ["orders.read"], key: try .generate()), "x", "x.y", "a.b.c",
      ]

      for token in wrong {
        for method in [ExampleService.anybody, ExampleService.reader, ExampleService.peer] {
          let outcome = await outcome(peer, method, token: token)
          #expect(outcome == .failure(.unauthenticated), "\(token)")
        }
      }
    }
  }
}
