import Calls
import Chrono
import Loop
import Synchronization
import TestKit
import Testing
import Transport

@Suite struct `Network channel` {
  private static func quick(_ options: inout ChannelOptions) {
    options.backoff.initial = .milliseconds(5)
    options.backoff.max = .milliseconds(20)
  }

  @Test func `nobody listens: UNAVAILABLE, or waiting until somebody does`() async throws {
    try await withLoop { loop in
      // A port that was free a moment ago.
      let probe = try await MeshServer.startForRestarts(on: loop)
      await probe.server.stop()
      let channel = try probe.channel(on: loop, adjust: Self.quick)

      #expect(await channel.error(EchoService.unary)?.code == .unavailable)
      var options = CallOptions(deadline: loop.uptime + .seconds(5))
      options.waitsForReady = true
      let waiting = Task(executorPreference: loop) { [options] in
        await channel.error(EchoService.unary, options)
      }
      await loop.sleep(for: .milliseconds(10))
      let mesh = try await MeshServer.start(on: loop, port: probe.port)

      #expect(await waiting.value == nil)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `calls go around all instances, and around one that is lost`() async throws {
    try await withLoop { loop in
      let one = try await MeshServer.start(on: loop)
      let two = try await MeshServer.start(on: loop)
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      Self.quick(&options)
      let channel = NetworkChannel(
        to: "echo", at: [one.address, two.address], options: options, loop: loop)
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await eventually { await channel.readyConnections() == 2 })

      for _ in 0..<10 { #expect(await channel.error(EchoService.unary) == nil) }
      let shares = [one, two].map { mesh in mesh.observer.counts.withLock { $0.started } }
      #expect(shares.min()! >= 4, "\(shares)")
      await one.server.stop()
      for _ in 0..<10 { #expect(await channel.error(EchoService.unary) == nil) }

      channel.close()
      await two.server.stop()
    }
  }

  @Test func `a rolling restart fails not one idempotent call`() async throws {
    try await withLoop { loop in
      var one = try await MeshServer.startForRestarts(on: loop)
      let two = try await MeshServer.start(on: loop)
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      Self.quick(&options)
      let channel = NetworkChannel(
        to: "echo", at: [one.address, two.address], options: options, loop: loop)
      let stop = Counter()
      let failures = Counter()
      let calls = Counter()
      let load = Task(executorPreference: loop) {
        while stop.value == 0 {
          if await channel.error(EchoService.unary) != nil { failures.add() }
          calls.add()
        }
      }
      #expect(await eventually { calls.value > 50 })

      await one.server.drain(within: .seconds(2))
      let port = one.port
      let before = calls.value
      #expect(await eventually { calls.value > before + 50 })
      one = try await MeshServer.start(on: loop, port: port)
      #expect(await eventually { await channel.readyConnections() == 2 })
      await two.server.drain(within: .seconds(2))
      let after = calls.value
      #expect(await eventually { calls.value > after + 50 })
      stop.add()
      await load.value

      #expect(failures.value == 0, "\(failures.value) of \(calls.value) calls failed")
      channel.close()
      await one.server.stop()
    }
  }

  @Test func `only idempotent calls are tried again`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { configuration in
        configuration.interceptors = [FailingAtFirst(failures: 2)]
      }
      let channel = try mesh.channel(on: loop)

      #expect(await channel.error(EchoService.fail)?.code == .unavailable)
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `instances come and go with the resolver`() async throws {
    try await withLoop { loop in
      let one = try await MeshServer.start(on: loop)
      let two = try await MeshServer.start(on: loop)
      let resolver = ChangingResolver()
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      Self.quick(&options)
      let channel = NetworkChannel(to: "echo", resolver: resolver, options: options, loop: loop)

      #expect(await channel.error(EchoService.unary)?.code == .unavailable)
      resolver.addresses.withLock { $0 = [one.address] }
      var waits = CallOptions(deadline: loop.uptime + .seconds(5))
      waits.waitsForReady = true
      #expect(await channel.error(EchoService.unary, waits) == nil)
      resolver.addresses.withLock { $0 = [two.address] }
      #expect(
        await eventually {
          _ = await channel.error(EchoService.unary)
          return two.observer.counts.withLock { $0.started } > 0
        })

      channel.close()
      await one.server.stop()
      await two.server.stop()
    }
  }
}

/// Answers UNAVAILABLE to the first calls.
private final class FailingAtFirst: ServerInterceptor {
  private let left: Mutex<Int>
  init(failures: Int) { left = Mutex(failures) }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    let fails = left.withLock { left in
      left -= 1
      return left >= 0
    }
    if fails { throw RPCError(.unavailable, "not yet") }
    try await next()
  }
}

private final class ChangingResolver: NameResolver {
  let addresses = Mutex<[Address]>([])
  var refreshInterval: Duration? { .milliseconds(5) }
  func addresses(of service: String) async throws(RPCError) -> [Address] {
    addresses.withLock { $0 }
  }
}
