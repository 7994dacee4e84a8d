import Calls
import Chrono
import Contracts
import Foundation
import Loop
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Transport

/// Services of one mesh on one loop, wired by in-process channels over one state folder.
final class ServiceWorld: Sendable {
  let loop: EventLoop
  /// The services' wall clock; stands still until a test moves it.
  let time = SimulatedTime()
  let folder: TemporaryFolder
  let state: StateFolder
  private let served = Mutex<[ServiceName: [ServerMethod]]>([:])
  private let unreachable = Mutex<[ServiceName: Cut]>([:])

  /// What becomes of calls to a neighbour that cannot be reached; streams that are open go on.
  enum Cut: Sendable {
    case requests
    /// They arrive, and are carried out; the answer does not come back.
    case answers
  }

  func cut(_ name: ServiceName, _ what: Cut?) { unreachable.withLock { $0[name] = what } }
  fileprivate func cut(of name: ServiceName) -> Cut? { unreachable.withLock { $0[name] } }

  init(_ loop: EventLoop) throws {
    self.loop = loop
    folder = try TemporaryFolder()
    state = StateFolder(folder.path)
  }

  /// A world in which this one's disk is all that is left, as after a loss of power.
  func afterPowerLoss() throws -> ServiceWorld {
    let world = try ServiceWorld(loop)
    let manager = FileManager.default
    for name in try manager.contentsOfDirectory(atPath: folder.path) {
      try manager.copyItem(
        atPath: folder.path + "/" + name, toPath: world.folder.path + "/" + name)
    }
    return world
  }

  func serve(_ name: ServiceName, _ methods: [ServerMethod]) {
    served.withLock { $0[name, default: []] += methods }
  }

  func methods(of name: ServiceName) -> [ServerMethod] { served.withLock { $0[name] ?? [] } }

  /// Makes and starts a service, and serves its methods to the others. `settings` are written as
  /// after `--set`.
  func start<Service: ServiceDefinition>(
    _: Service.Type, _ settings: [String] = [],
    databaseURL: String = "postgresql://127.0.0.1:1/none"
  ) async throws -> RunningService<Service> {
    try await start(settings, databaseURL: databaseURL) { context, config in
      try await Service(context, config)
    }
  }

  /// The same, of a service that `make` makes.
  func start<Service: ServiceDefinition>(
    _ settings: [String], databaseURL: String = "postgresql://127.0.0.1:1/none",
    make: (ServiceContext, Service.Config) async throws -> Service
  ) async throws -> RunningService<Service> {
    let flags = try (settings + ["mesh.database_url=\(databaseURL)"])
      .map { try SettingsSources.Flag(parsing: $0) }
    let loaded = try LoadedSettings<Service.Config>(
      Service.name, from: SettingsSources(flags: flags), sections: [])
    let context = ServiceContext(
      name: Service.name, mesh: loaded.mesh, loop: loop, time: time, state: state,
      connect: { LateChannel(world: self, name: $0, caller: Service.name.text) })
    let service = try await make(context, loaded.config)
    serve(Service.name, service.methods)
    try await service.start()
    return RunningService(service: service, context: context)
  }
}

struct RunningService<Service: ServiceDefinition>: Sendable {
  let service: Service
  let context: ServiceContext

  /// As a service of the mesh sees it.
  var channel: InProcessChannel {
    InProcessChannel(
      methods: service.methods, identity: Identity(service: "tester"), loop: context.loop)
  }

  func ready() async -> Bool { await eventually { context.readiness.isReady } }

  /// As a process dies: nobody waits for what is under way, such as a database that is not there.
  func drop() async {
    _ = context.loop.spawn { [context] in await context.stopTasks() }
    await service.stop()
  }

  /// As after SIGTERM.
  func end() async {
    await service.drain()
    await context.stopTasks()
    await service.stop()
  }
}

/// A neighbour that is found when it is called, and UNAVAILABLE while it is absent.
struct LateChannel: Channel {
  let world: ServiceWorld
  let name: ServiceName
  let caller: String

  private func found() throws(RPCError) -> InProcessChannel {
    let methods = world.methods(of: name)
    guard !methods.isEmpty, world.cut(of: name) != .requests else {
      throw RPCError(.unavailable, "\(name) is absent")
    }
    return InProcessChannel(
      methods: methods, identity: Identity(service: caller), loop: world.loop)
  }

  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let answer = try await found().unary(method, request, options)
    if world.cut(of: name) == .answers {
      throw RPCError(.unavailable, "the answer of \(name) is lost")
    }
    return answer
  }

  func open(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws(RPCError) -> any ClientStream {
    try await found().open(method, options)
  }
}

/// What was sent so far and what will be, for every reader from the first.
final class Feed<Element: Sendable>: Sendable {
  private let state = Mutex<State>(State())

  private struct State {
    var elements: [Element] = []
    var readers: [AsyncStream<Element>.Continuation] = []
  }

  func send(_ element: Element) {
    state.withLock { state in
      state.elements.append(element)
      for reader in state.readers { reader.yield(element) }
    }
  }

  var elements: [Element] { state.withLock { $0.elements } }

  func read() -> AsyncStream<Element> {
    AsyncStream { reader in
      state.withLock { state in
        for element in state.elements { reader.yield(element) }
        state.readers.append(reader)
      }
    }
  }

  /// Ends every reader that is there, as a broken connection does.
  func cut() {
    state.withLock { state in
      for reader in state.readers { reader.finish() }
      state.readers.removeAll()
    }
  }
}
