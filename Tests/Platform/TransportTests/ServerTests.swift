import Calls
import Chrono
import Contracts
import Loop
import Security
import Synchronization
import TestKit
import Testing
import Transport

@Suite struct `Server on a port` {
  @Test func `DEP-03 the peer's service is who its certificate says`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let channel = try mesh.channel(as: "risk-manager", on: loop)

      _ = try await channel.unary(EchoService.unary, [1], CallOptions())

      let identity = mesh.service.seen.withLock { $0.identity }
      #expect(identity == Identity(service: "risk-manager"))
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `DEP-03 without a certificate of the mesh there is no call`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let authority = TestMesh.shared.authority.certificate
      let stranger = try TestMesh()
      let nobody = try TLSContext.client(nil, trust: .authorities(authority), alpn: .h2)
      let foreign = try TLSContext.client(
        stranger.credentials("gateway"), trust: .authorities(authority), alpn: .h2)

      for tls in [nobody, foreign] {
        let channel = try mesh.channel(on: loop) { $0.tls = tls }
        #expect(await channel.error(EchoService.unary)?.code == .unavailable)
        channel.close()
      }
      let plain = try mesh.channel(on: loop) { $0.tls = nil }
      #expect(await plain.error(EchoService.unary)?.code == .unauthenticated)
      plain.close()
      #expect(mesh.observer.counts.withLock { $0.started } == 0)
      await mesh.server.stop()
    }
  }

  @Test func `DEP-03 a client does not talk to another service, nor to another mesh`() async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let stranger = try TestMesh()

      let wrongName = try mesh.channel(on: loop, to: "oms")
      let wrongMesh = try mesh.channel(on: loop) { options in
        options.tls = try! stranger.clientTLS("gateway")
      }

      let error = await wrongName.error(EchoService.unary)
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("the peer is echo, not oms") == true, "\(error as Any)")
      #expect(await wrongMesh.error(EchoService.unary)?.code == .unavailable)
      wrongName.close()
      wrongMesh.close()
      await mesh.server.stop()
    }
  }

  @Test func `SEC-05 TLS 1.2 is refused, 1.3 is taken with ALPN h2`() async throws {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)
      let target = ["s_client", "-connect", "127.0.0.1:\(mesh.port)", "-alpn", "h2"]

      let old = try await run("openssl", target + ["-tls1_2"])
      let new = try await run("openssl", target + ["-tls1_3"])

      #expect(old.output.contains("protocol version"), "\(old.output)")
      #expect(new.output.contains("ALPN protocol: h2"))
      #expect(new.output.contains("TLSv1.3"))
      await mesh.server.stop()
    }
  }

  @Test func `three tongues on one port, and health in each of them`() async throws {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)
      let folder = try TemporaryFolder()
      let authority = try folder.write("ca.pem", TestMesh.shared.authority.certificate)
      let plain = "http://127.0.0.1:\(mesh.port)"
      let curl = ["-sS", "-m", "5", "-w", "%{http_code} %{http_version}"]

      for version in [["--http1.1"], ["--http2-prior-knowledge"]] {
        let ready = try await run("curl", curl + version + ["\(plain)/health/ready"])
        #expect(ready.output.hasPrefix("ok\n200 "), "\(ready.output)")
        let metrics = try await run("curl", curl + version + ["\(plain)/metrics"])
        #expect(metrics.output.hasPrefix("up 1\n200 "))
        let other = try await run("curl", curl + version + ["\(plain)/echo"])
        #expect(other.output.contains("UNAUTHENTICATED") && other.output.contains("401 "))
      }
      for version in [["--http1.1"], ["--http2"]] {
        let answer = try await run(
          "curl",
          curl + version
            + ["--cacert", authority, "--data-binary", "x", "https://127.0.0.1:\(mesh.port)/echo"])
        #expect(
          answer.output == (version == ["--http2"] ? "x200 2" : "x200 1.1"), "\(answer.output)")
      }
      await mesh.server.stop()
    }
  }

  @Test func `RPC-07 health answers per service, streams changes, and turns when drained`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let channel = try mesh.channel(on: loop)
      let client = GrpcHealthV1.HealthClient(channel: channel)
      mesh.health.set(.serving, of: "test.Echo")
      var request = GrpcHealthV1.HealthCheckRequest()
      request.service = "test.Echo"

      let first = try await client.check(request)
      #expect(first.status == .serving)
      let watch = try await client.watch(request)
      #expect(try await watch.next()?.status == .serving)
      mesh.health.drain()
      #expect(try await watch.next()?.status == .notServing)
      #expect(try await client.check(request).status == .notServing)
      request.service = "nothing"
      await #expect(throws: RPCError.self) { try await client.check(request) }

      watch.cancel()
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `messages and headers beyond the limits are refused`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { $0.limits.messageBytesMax = 1_000 }
      let channel = try mesh.channel(on: loop)

      var code: StatusCode?
      do throws(RPCError) {
        _ = try await channel.unary(
          EchoService.unary, [UInt8](repeating: 0, count: 1_001), CallOptions())
      } catch { code = error.code }
      #expect(code == .resourceExhausted)

      var options = CallOptions()
      options.metadata.add("x-text", String(repeating: "x", count: 40_000))
      #expect(await channel.error(EchoService.unary, options)?.code == .resourceExhausted)
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `a drain lets calls finish and closes`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let channel = try mesh.channel(on: loop)
      let chat = try await channel.open(EchoService.chat, CallOptions())
      try await chat.send([1])
      #expect(try await chat.next() == [1])

      let draining = Task(executorPreference: loop) { await mesh.server.drain(within: .seconds(5)) }
      #expect(await eventually { await channel.readyConnections() == 0 })
      try await chat.send([2])
      #expect(try await chat.next() == [2])
      try await chat.finishSending()
      #expect(try await chat.next() == nil)

      await draining.value
      #expect(await mesh.server.connectionCount() == 0)
      channel.close()
    }
  }

  @Test func `a drain ends streams of answers, where it is asked to, and lets other calls finish`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { $0.drainEndsStreams = true }
      let channel = try mesh.channel(on: loop)
      let stream = try await channel.open(EchoService.silence, CallOptions())
      try await stream.send([1])
      let join = try await channel.open(EchoService.join, CallOptions())
      try await join.send([1])
      #expect(await eventually { mesh.observer.counts.withLock { $0.started } == 2 })

      let draining = Task(executorPreference: loop) {
        await mesh.server.drain(within: .seconds(20))
      }
      await #expect(throws: RPCError(.unavailable, "the server is going away; call again")) {
        try await stream.next()
      }
      try await join.send([2])
      try await join.finishSending()
      #expect(try await join.next() == [1, 2])

      await draining.value
      #expect(await mesh.server.connectionCount() == 0)
      channel.close()
    }
  }

  /// The same resets, beyond the burst and within it: only the limit tells the two apart.
  @Test(arguments: [100, 1_000]) func `only a flood of resets is sent away, and others are served`(
    burst: Int
  ) async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { configuration in
        configuration.limits.resetBurst = burst
        configuration.limits.resetsPerSecond = 1
      }
      let attacker = try mesh.channel(on: loop) { $0.backoff.initial = .milliseconds(5) }
      let friend = try mesh.channel(on: loop)
      #expect(await friend.error(EchoService.unary) == nil)

      for _ in 0..<300 {
        // An answer proves that the server knew the stream before its reset.
        guard let call = try? await attacker.open(EchoService.chat, CallOptions()),
          (try? await call.send([1])) != nil, (try? await call.next()) == [1]
        else { continue }
        call.cancel()
      }

      #expect(await friend.error(EchoService.unary) == nil)
      if burst < 300 {
        #expect(
          await eventually { mesh.observer.counts.withLock { $0.connectionsClosed } > 0 })
      } else {
        #expect(await attacker.error(EchoService.unary) == nil)
        #expect(mesh.observer.counts.withLock { $0.connectionsClosed } == 0)
      }
      attacker.close()
      friend.close()
      await mesh.server.stop()
    }
  }
}
