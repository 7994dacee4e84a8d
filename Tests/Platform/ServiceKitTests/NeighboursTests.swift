import Calls
import Chrono
import Contracts
import Loop
import Security
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport

@testable import ServiceKit

/// A service that calls another one, which discovery knows.
@Suite struct `A service and its neighbours` {
  /// Instances of the example on loops of their own, and a neighbour that calls them.
  private final class World: Sendable {
    let mesh: ExampleMesh
    let neighbours: Neighbours
    let metrics = MetricsRegistry()
    let channel: NetworkChannel

    init(_ loop: EventLoop, _ settings: [String: String] = [:]) throws {
      mesh = try ExampleMesh()
      neighbours = Neighbours(
        ports: .empty, mesh: try .with(settings),
        client: try MeshTLS(mesh.state, name: "risk-manager", facesPeople: false).client,
        metrics: metrics, loop: loop)
      channel = neighbours.channel(to: "oms") as! NetworkChannel
    }

    /// On a port that is still free when the instance has ended.
    func start(on loop: EventLoop) async throws -> ServiceHost<ExampleService> {
      try await StablePort.use { try await start(on: loop, port: $0) }
    }

    func start(on loop: EventLoop, port: Int) async throws -> ServiceHost<ExampleService> {
      let tls = try MeshTLS(mesh.state, name: "oms", facesPeople: false)
      let host = try await ServiceHost<ExampleService>(
        mesh.context(loop), .defaults, tls: tls, listen: .tcp(host: "127.0.0.1", port: port))
      host.service.steps.letDrain()
      try await host.begin()
      return host
    }

    func port(of host: ServiceHost<ExampleService>) -> Int {
      if case .tcp(_, let port) = host.address { return port }
      return 0
    }

    func tell(
      _ kind: DiscoveryV1.WatchResponse.Kind, _ host: ServiceHost<ExampleService>,
      _ health: DiscoveryV1.InstanceHealth = .serving
    ) {
      var event = DiscoveryV1.WatchResponse()
      event.kind = kind
      var instance = DiscoveryV1.Instance()
      instance.service = "oms"
      instance.instanceId = host.context.instance
      instance.host = "127.0.0.1"
      instance.port = UInt32(port(of: host))
      instance.health = health
      event.instance = instance
      neighbours.directory.take(event)
    }

    func call(_ options: CallOptions = CallOptions()) async -> RPCError? {
      do {
        _ = try await channel.unary(
          ExampleService.anybody, GoogleProtobuf.StringValue(), options,
          as: GoogleProtobuf.StringValue.self)
        return nil
      } catch {
        return error
      }
    }
  }

  private final class Tally: Sendable {
    private let state = Mutex((calls: 0, failures: [String](), isOver: false))

    var calls: Int { state.withLock { $0.calls } }
    var failures: [String] { state.withLock { $0.failures } }
    var isOver: Bool { state.withLock { $0.isOver } }
    func end() { state.withLock { $0.isOver = true } }

    func count(_ error: RPCError?) {
      state.withLock { state in
        state.calls += 1
        if let error { state.failures.append(error.message) }
      }
    }
  }

  @Test(arguments: ["round_robin", "least_outstanding"])
  func `GWY-09 DISC-02 a rolling restart of two instances fails not one call`(policy: String)
    async throws
  {
    try await withLoop { loop in
      try await withLoop { first in
        try await withLoop { second in
          let world = try World(loop, ["load_balancing": policy])
          let loops = [first, second]
          var hosts = [try await world.start(on: first), try await world.start(on: second)]
          for host in hosts { world.tell(.added, host) }
          let tally = Tally()
          let load = Task(executorPreference: loop) {
            await withTaskGroup(of: Void.self) { group in
              for _ in 0..<100 {
                group.addTask {
                  while !tally.isOver { tally.count(await world.call()) }
                }
              }
            }
          }
          for _ in 0..<2 {
            for index in hosts.indices {
              let host = hosts[index]
              // As a process ends after SIGTERM.
              host.turnAway()
              world.tell(.removed, host)
              await loop.sleep(for: .milliseconds(10))
              await host.end(within: .seconds(10))
              hosts[index] = try await world.start(
                on: loops[index], port: world.port(of: host))
              world.tell(.added, hosts[index])
              #expect(await eventually { await world.channel.readyConnections() == 2 })
              let before = tally.calls
              #expect(await eventually { tally.calls > before + 200 })
            }
          }
          tally.end()
          await load.value

          #expect(tally.failures == [])
          world.channel.close()
          for host in hosts { await host.end(within: .seconds(1)) }
        }
      }
    }
  }

  @Test func `DISC-02 a neighbour that discovery names again is asked at once`() async throws {
    try await withLoop { loop in
      let world = try World(loop)
      var host = try await world.start(on: loop)
      world.tell(.added, host)
      #expect(await world.call() == nil)
      let port = world.port(of: host)
      await host.end(within: .seconds(1))
      #expect(await eventually { await world.call() != nil })

      host = try await world.start(on: loop, port: port)
      world.tell(.added, host)
      // What discovery said is believed: the call waits for the connection.
      #expect(await world.call() == nil)
      world.channel.close()
      await host.end(within: .seconds(1))
    }
  }

  @Test func `GWY-10 a neighbour without instances is UNAVAILABLE by name`() async throws {
    try await withLoop { loop in
      let world = try World(loop)
      let error = await world.call()
      #expect(error == RPCError(.unavailable, "no instance of oms is known"))
      var patient = CallOptions(deadline: loop.uptime + .seconds(20))
      patient.waitsForReady = true
      let waiting = Task(executorPreference: loop) { [patient] in await world.call(patient) }
      let host = try await world.start(on: loop)
      world.tell(.added, host)
      #expect(await waiting.value == nil)
      world.channel.close()
      await host.end(within: .seconds(1))
    }
  }

  @Test func `OBS-02 calls to a neighbour are counted by its name`() async throws {
    try await withLoop { loop in
      let world = try World(loop)
      let host = try await world.start(on: loop)
      world.tell(.added, host)
      for _ in 0..<3 { #expect(await world.call() == nil) }
      let text = world.metrics.exposition()
      for line in [
        #"rpc_client_started_total{upstream="oms"} 3"#,
        #"rpc_client_handled_total{upstream="oms",grpc_code="OK"} 3"#,
        #"rpc_client_handling_seconds_count{upstream="oms"} 3"#,
        #"rpc_client_retries_total{upstream="oms",kind="transparent"} 0"#,
        #"rpc_client_circuit{upstream="oms",state="closed"} 1"#,
        #"rpc_client_circuit{upstream="oms",state="open"} 0"#,
        #"rpc_client_connections{upstream="oms",state="ready"} 1"#,
      ] {
        #expect(text.contains(line), "\(line)")
      }
      world.channel.close()
      await host.end(within: .seconds(1))
    }
  }

  @Test func `a drain does not wait for those who watch its health`() async throws {
    try await withLoop { loop in
      let world = try World(loop)
      let host = try await world.start(on: loop)
      let channel = try world.mesh.channel(as: "risk-manager", to: host.address, loop)
      let watch = try await GrpcHealthV1.HealthClient(channel: channel).watch(.init())
      #expect(try await watch.next()?.status == .serving)

      let ending = loop.spawn { await host.end(within: .seconds(300)) }
      #expect(try await watch.next()?.status == .notServing)
      await #expect(throws: RPCError(.unavailable, "the server is going away")) {
        _ = try await watch.next()
      }
      await ending.value
      channel.close()
    }
  }
}
