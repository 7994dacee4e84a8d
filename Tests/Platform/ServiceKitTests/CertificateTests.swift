import Calls
import Chrono
import Contracts
import Loop
import Security
import Telemetry
import TestKit
import Testing
import Transport

@testable import ServiceKit

@Suite struct `Certificates that are replaced` {
  /// New credentials of every service, by an authority of its own.
  private static func replaceAll(_ mesh: ExampleMesh) throws {
    let now = SystemTime().now
    let authority = try CertificateAuthority.create(now: now)
    try writeFile(mesh.state.authority, authority.certificate, mode: 0o644)
    for name in ["oms", "gateway", "risk-manager"] {
      let credentials = try authority.issue(service: name, now: now)
      try writeFile(mesh.state.certificate(of: name), credentials.certificate, mode: 0o644)
      try writeFile(mesh.state.key(of: name), credentials.key, mode: 0o600)
    }
  }

  private static func status(_ channel: NetworkChannel) async -> Bool {
    do {
      return try await GrpcHealthV1.HealthClient(channel: channel).check(.init()).status == .serving
    } catch {
      return false
    }
  }

  @Test func `an open stream goes on, and new connections see the new certificate`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try ExampleMesh()
      let tls = try MeshTLS(mesh.state, name: "oms", facesPeople: false)
      let host = try await ServiceHost<ExampleService>(
        mesh.context(loop), .defaults, tls: tls, listen: .tcp(host: "127.0.0.1", port: 0))
      host.service.steps.letDrain()
      let before = try mesh.channel(as: "risk-manager", to: host.address, loop)
      let stream = try await GrpcHealthV1.HealthClient(channel: before).watch(.init())
      #expect(try await stream.next()?.status == .notServing)

      let files = CertificateWatch(tls.files) { try tls.reload() }
      #expect(try files.look() == false)
      let stale = try mesh.channel(as: "gateway", to: host.address, loop)
      try Self.replaceAll(mesh)
      #expect(try files.look())
      #expect(try files.look() == false)

      // The stream and its connection are as they were.
      try await host.begin()
      #expect(try await stream.next()?.status == .serving)
      #expect(await Self.status(before))
      // Old proof is worth nothing to a new connection, in either direction.
      #expect(await Self.status(stale) == false)
      let fresh = try mesh.channel(as: "gateway", to: host.address, loop)
      #expect(await Self.status(fresh))

      stream.cancel()
      for channel in [before, stale, fresh] { channel.close() }
      await host.end(within: .seconds(1))
    }
  }

  @Test func `files that do not fit are tried again at the next look`() throws {
    let mesh = try ExampleMesh()
    let tls = try MeshTLS(mesh.state, name: "oms", facesPeople: false)
    let files = CertificateWatch(tls.files) { try tls.reload() }
    let key = try readText(mesh.state.key(of: "oms"))

    try writeFile(mesh.state.key(of: "oms"), "half a key", mode: 0o600)
    #expect(throws: (any Error).self) { try files.look() }
    #expect(throws: (any Error).self) { try files.look() }
    try writeFile(mesh.state.key(of: "oms"), key, mode: 0o600)
    #expect(try files.look())
  }
}

@Suite struct `Signals that stop a service` {
  @Test func `the second one ends the process at once`() async {
    await #expect(processExitsWith: .exitCode(143)) {
      let loop = EventLoop(name: "signals")
      loop.execute {
        let signals = StopSignals(loop, .silent)
        signals.received(15)
        signals.received(15)
      }
      loop.run()
    }
  }

  @Test func `the first one lets the service end in its own time`() async throws {
    try await withLoop { loop in
      let signals = StopSignals(loop, .silent)
      let waiting = loop.spawn { await signals.wait() }
      loop.onLoop { signals.received(2) }
      await waiting.value
      await signals.wait()
    }
  }
}
