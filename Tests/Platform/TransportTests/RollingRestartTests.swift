import Calls
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// Two instances of a service, each on a loop of its own as processes have, under load.
@Suite struct `Instances that come and go under load` {
  private static let callers = 200

  /// What the callers saw.
  private struct Load: Sendable {
    let calls = Counter()
    let failures = Counter()
    let stop = Counter()
    let lastError = Trail()

    /// `sharesOnce`: every second caller makes calls that must not be sent twice.
    func run(
      _ channel: NetworkChannel, on loop: EventLoop, callers: Int, sharesOnce: Bool
    ) -> Task<Void, Never> {
      Task(executorPreference: loop) {
        await withTaskGroup(of: Void.self) { group in
          for caller in 0..<callers {
            let once = sharesOnce && caller % 2 == 0
            group.addTask {
              while stop.value == 0 {
                let error = once ? await join(channel) : await channel.error(EchoService.unary)
                if let error {
                  failures.add()
                  lastError.add(error.message)
                }
                calls.add()
              }
            }
          }
        }
      }
    }

    private func join(_ channel: NetworkChannel) async -> RPCError? {
      do throws(RPCError) {
        let call = try await channel.open(EchoService.join, CallOptions())
        try await call.send([1, 2])
        try await call.send([3])
        try await call.finishSending()
        let answer = try await call.next()
        guard try await call.next() == nil, answer == [1, 2, 3] else {
          return RPCError(.internalError, "the answer was \(answer ?? [])")
        }
        return nil
      } catch {
        return error
      }
    }

    func goesOn(for count: Int) async -> Bool {
      let before = calls.value
      return await eventually { calls.value >= before + count }
    }
  }

  private static func channel(
    to servers: [MeshServer], on loop: EventLoop, adjust: (inout ChannelOptions) -> Void = { _ in }
  ) throws -> NetworkChannel {
    var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
    options.backoff.initial = .milliseconds(5)
    options.backoff.max = .milliseconds(20)
    adjust(&options)
    return NetworkChannel(
      to: "echo", at: servers.map(\.address), options: options, loop: loop)
  }

  private static func started(_ servers: [MeshServer]) -> [Int] {
    servers.map { server in server.observer.counts.withLock { $0.started } }
  }

  @Test(arguments: LoadBalancing.allCases)
  func `GWY-09 a rolling restart under load fails not one call, and both have their share`(
    policy: LoadBalancing
  ) async throws {
    try await withLoop { loop in
      try await withLoop { first in
        try await withLoop { second in
          var servers = [
            try await MeshServer.startForRestarts(on: first),
            try await MeshServer.startForRestarts(on: second),
          ]
          let loops = [first, second]
          let channel = try Self.channel(to: servers, on: loop) { $0.loadBalancing = policy }
          let load = Load()
          let running = load.run(channel, on: loop, callers: Self.callers, sharesOnce: true)
          #expect(await eventually { await channel.readyConnections() == 2 })
          let before = Self.started(servers)
          #expect(await load.goesOn(for: 1_000))
          let shares = zip(Self.started(servers), before).map { $0 - $1 }
          #expect(shares.min()! * 8 > shares.max()!, "\(shares)")

          for _ in 0..<3 {
            for index in servers.indices {
              await servers[index].server.drain(within: .seconds(10))
              #expect(await load.goesOn(for: 200))
              servers[index] = try await MeshServer.start(
                on: loops[index], port: servers[index].port)
              #expect(await eventually { await channel.readyConnections() == 2 })
            }
          }
          #expect(await load.goesOn(for: 500))
          load.stop.add()
          await running.value

          #expect(load.failures.value == 0, "\(load.lastError.words.first ?? "")")
          #expect(Self.started(servers).min()! > 0)
          channel.close()
          for server in servers { await server.server.stop() }
        }
      }
    }
  }

  @Test func `GWY-09 an instance that dies under load fails no idempotent call`() async throws {
    try await withLoop { loop in
      try await withLoop { other in
        let servers = [
          try await MeshServer.start(on: other), try await MeshServer.start(on: other),
        ]
        let channel = try Self.channel(to: servers, on: loop)
        let load = Load()
        let running = load.run(channel, on: loop, callers: Self.callers, sharesOnce: false)
        #expect(await load.goesOn(for: 500))

        await servers[0].server.stop()
        #expect(await load.goesOn(for: 500))
        load.stop.add()
        await running.value

        #expect(load.failures.value == 0, "\(load.lastError.words.first ?? "")")
        channel.close()
        await servers[1].server.stop()
      }
    }
  }
}
