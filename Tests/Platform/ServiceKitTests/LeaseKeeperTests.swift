import Calls
import Contracts
import Loop
import Synchronization
import TestKit
import Testing
import Transport

@testable import ServiceKit

@Suite struct `Lease with discovery` {
  /// Discovery as far as a lease goes; forgets when it is told to.
  final class Registrar: DiscoveryV1.DiscoveryServiceHandler {
    struct State {
      var calls: [String] = []
      var isKnown = false
      var duringRegistration: (@Sendable () -> Void)?
    }

    let state = Mutex(State())

    var calls: [String] { state.withLock { $0.calls } }
    func forget() { state.withLock { $0.isKnown = false } }

    func registerInstance(
      _ request: DiscoveryV1.RegisterRequest, _ context: ServerContext
    ) async throws -> DiscoveryV1.RegisterResponse {
      let instance = request.instance ?? DiscoveryV1.Instance()
      state.withLock { $0.duringRegistration }?()
      state.withLock { state in
        state.isKnown = true
        state.calls.append("register \(instance.service) \(instance.port) \(instance.health)")
      }
      return DiscoveryV1.RegisterResponse()
    }

    func renew(
      _ request: DiscoveryV1.RenewRequest, _ context: ServerContext
    ) async throws -> DiscoveryV1.RenewResponse {
      try state.withLock { state in
        guard state.isKnown else { throw RPCError(.notFound, "no such lease") }
        if state.calls.last != "renew \(request.health)" {
          state.calls.append("renew \(request.health)")
        }
      }
      return DiscoveryV1.RenewResponse()
    }

    func deregister(
      _ request: DiscoveryV1.DeregisterRequest, _ context: ServerContext
    ) async throws -> DiscoveryV1.DeregisterResponse {
      state.withLock { $0.calls.append("deregister \(request.service)") }
      return DiscoveryV1.DeregisterResponse()
    }

    func lookup(
      _ request: DiscoveryV1.LookupRequest, _ context: ServerContext
    ) async throws -> DiscoveryV1.LookupResponse { throw RPCError(.unimplemented, "") }

    func watch(
      _ request: DiscoveryV1.WatchRequest, _ responses: Outgoing<DiscoveryV1.WatchResponse>,
      _ context: ServerContext
    ) async throws { throw RPCError(.unimplemented, "") }

    func listServices(
      _ request: DiscoveryV1.ListServicesRequest, _ context: ServerContext
    ) async throws -> DiscoveryV1.ListServicesResponse { throw RPCError(.unimplemented, "") }
  }

  @Test func `DISC-01 an instance registers, tells of its health at once, and says goodbye`()
    async throws
  {
    try await withLoop { loop in
      let registrar = Registrar()
      let keeper = LeaseKeeper(try context(loop, registrar), port: 7001)
      let task = loop.spawn { _ = try? await keeper.keep() }

      #expect(await eventually { registrar.calls.first == "register oms 7001 notServing" })
      keeper.healthChanged(isServing: true)
      #expect(await eventually { registrar.calls.last == "renew serving" })
      await keeper.end()
      await task.value

      #expect(registrar.calls.last == "deregister oms")
    }
  }

  @Test func `a discovery that has forgotten the lease is told again`() async throws {
    try await withLoop { loop in
      let registrar = Registrar()
      let keeper = LeaseKeeper(try context(loop, registrar), port: 7001)
      let task = loop.spawn { _ = try? await keeper.keep() }
      #expect(await eventually { registrar.calls.count >= 1 })

      registrar.forget()
      keeper.healthChanged(isServing: true)

      #expect(await eventually { registrar.calls.contains("register oms 7001 serving") })
      task.cancel()
      await task.value
    }
  }

  @Test func `DISC-02 health that changes while an instance registers is told at once`()
    async throws
  {
    try await withLoop { loop in
      let registrar = Registrar()
      // The next renewal of its own would come in a hundred seconds.
      let keeper = LeaseKeeper(try context(loop, registrar, lease: "300s"), port: 7001)
      registrar.state.withLock {
        $0.duringRegistration = { keeper.healthChanged(isServing: true) }
      }

      let task = loop.spawn { _ = try? await keeper.keep() }

      #expect(await eventually { registrar.calls.last == "renew serving" })
      #expect(registrar.calls.first == "register oms 7001 notServing")
      task.cancel()
      await task.value
    }
  }

  func context(
    _ loop: EventLoop, _ registrar: Registrar, lease: String = "600ms"
  ) throws -> ServiceContext {
    ServiceContext(
      name: "oms", mesh: try .with(["lease": lease]), loop: loop, state: StateFolder("/nowhere"),
      connect: { _ in InProcessChannel(methods: registrar.methods, loop: loop) })
  }
}
