import Calls
import Contracts
import Foundation
import Loop
import Security
import ServiceKit
import TestKit
import Testing
import Transport

@Suite struct `An operator before a service` {
  /// The answer to `POST path` over HTTP/2 with the certificate of a service.
  func post(
    _ path: String, _ mesh: ExampleMesh, _ address: Address, method: String = "POST"
  ) async throws -> (status: Int, body: String) {
    let curl = try await run(
      "curl",
      [
        "-s", "--http2", "--cacert", mesh.state.authority,
        "--cert", mesh.state.certificate(of: "risk-manager"),
        "--key", mesh.state.key(of: "risk-manager"), "-X", method, "-w", "\n%{http_code}",
        "https://\(address)\(path)",
      ])
    let cut = curl.output.lastIndex(of: "\n") ?? curl.output.startIndex
    return (Int(curl.output[cut...].dropFirst()) ?? 0, String(curl.output[..<cut]))
  }

  func code(_ channel: NetworkChannel) async -> StatusCode {
    do {
      _ = try await channel.unary(
        ExampleService.anybody, GoogleProtobuf.StringValue(), CallOptions(),
        as: GoogleProtobuf.StringValue.self)
      return .ok
    } catch {
      return error.code
    }
  }

  func isServing(_ channel: NetworkChannel) async throws -> Bool {
    try await GrpcHealthV1.HealthClient(channel: channel).check(.init()).status == .serving
  }

  @Test func `OBS-01 a pause keeps new calls out and says NOT_SERVING, a resume undoes it`()
    async throws
  {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let channel = try mesh.channel(as: "risk-manager", to: host.address, loop)
      #expect(await code(channel) == .ok)

      let paused = try await post("/admin/pause", mesh, host.address)
      #expect(paused.status == 200)
      #expect(paused.body.contains(#""status":"PAUSED""#))
      #expect(paused.body.contains(#""by":"risk-manager""#))
      #expect(await code(channel) == .unavailable)
      #expect(try await isServing(channel) == false)
      #expect(host.context.readiness.missing.map(\.reason) == ["paused by risk-manager"])
      #expect(try await post("/admin/pause", mesh, host.address).status == 200)
      #expect(try await post("/metrics", mesh, host.address, method: "GET").status == 200)

      let resumed = try await post("/admin/resume", mesh, host.address)
      #expect(resumed.status == 200 && resumed.body.contains(#""status":"RUNNING""#))
      #expect(await code(channel) == .ok)
      #expect(try await isServing(channel) == true)
    }
  }

  @Test func `OBS-01 a drain lets go once and stays; health, metrics and commands still answer`()
    async throws
  {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let channel = try mesh.channel(as: "risk-manager", to: host.address, loop)
      host.service.steps.letDrain()

      let drained = try await post("/admin/drain", mesh, host.address)

      #expect(drained.status == 200 && drained.body.contains(#""status":"DRAINED""#))
      #expect(host.service.steps.reached == ["start", "drain"])
      #expect(await code(channel) == .unavailable)
      #expect(try await isServing(channel) == false)
      #expect(try await post("/admin/resume", mesh, host.address).status == 409)
      #expect(try await post("/admin/pause", mesh, host.address).status == 409)
      #expect(try await post("/admin/drain", mesh, host.address).status == 200)
      await host.end(within: .seconds(1))
      #expect(host.service.steps.reached == ["start", "drain", "stop"])
    }
  }

  @Test func `OBS-01 commands need a certificate of the mesh, and POST`() async throws {
    try await withExample { mesh, host, loop in
      try await host.begin()
      let plain = try await run(
        "curl", ["-s", "-X", "POST", "http://\(host.address)/admin/pause"])
      #expect(plain.output.contains("UNAUTHENTICATED"))
      let read = try await post("/admin/pause", mesh, host.address, method: "GET")
      #expect(read.status == 405)
      let channel = try mesh.channel(as: "risk-manager", to: host.address, loop)
      #expect(await code(channel) == .ok)
    }
  }
}
