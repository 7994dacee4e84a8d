import Calls
import Chrono
import Loop
import Synchronization
import TestKit
import Testing
import Transport

/// What a channel knows of its instances, and does about it.
@Suite struct `Channel of a mesh` {
  private static func quick(_ options: inout ChannelOptions) {
    options.backoff.initial = .milliseconds(5)
    options.backoff.max = .milliseconds(20)
  }

  /// A channel to servers on `loop`, and what it told.
  private static func channel(
    to servers: [MeshServer], on loop: EventLoop,
    adjust: (inout ChannelOptions) -> Void = { _ in }
  ) throws -> (channel: NetworkChannel, told: ChannelLog) {
    var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
    let told = ChannelLog()
    quick(&options)
    options.observer = told
    adjust(&options)
    let channel = NetworkChannel(
      to: "echo", at: servers.map(\.address), options: options, loop: loop)
    return (channel, told)
  }

  private static func started(_ server: MeshServer) -> Int {
    server.observer.counts.withLock { $0.started }
  }

  // MARK: Streams

  @Test func `calls over the server's stream limit wait for room, in order, and are bounded`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { $0.limits.streamsMax = 2 }
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { $0.waitingCallsMax = 3 }
      #expect(await channel.error(EchoService.unary) == nil)
      var open: [any ClientStream] = []
      for _ in 0..<2 {
        let stream = try await channel.open(EchoService.chat, CallOptions())
        try await stream.send([1])
        _ = try await stream.next()
        open.append(stream)
      }
      let order = Trail()
      let waiting = (0..<3).map { index in
        Task.immediate(executorPreference: loop) {
          let error = await channel.error(EchoService.unary)
          order.add("\(index) \(error?.message ?? "ok")")
        }
      }
      #expect(await channel.error(EchoService.unary)?.code == .resourceExhausted)
      #expect(order.words == [])

      open[0].cancel()
      for task in waiting { await task.value }
      #expect(order.words == ["0 ok", "1 ok", "2 ok"])
      open[1].cancel()
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `more connections to an instance are more room`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { $0.limits.streamsMax = 1 }
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { $0.connectionsPerAddress = 3 }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await eventually { await channel.readyConnections() == 3 })
      var open: [any ClientStream] = []
      for _ in 0..<3 {
        let stream = try await channel.open(EchoService.chat, CallOptions())
        try await stream.send([1])
        #expect(try await stream.next() == [1])
        open.append(stream)
      }
      for stream in open { stream.cancel() }
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `too many calls in flight to a service are UNAVAILABLE`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { $0.callsMax = 1 }
      let stream = try await channel.open(EchoService.chat, CallOptions())
      #expect(await channel.error(EchoService.unary)?.message == "1 calls to echo are in flight")
      stream.cancel()
      #expect(await eventually { await channel.error(EchoService.unary) == nil })
      channel.close()
      await mesh.server.stop()
    }
  }

  // MARK: Health

  @Test func `GWY-09 an instance that says NOT_SERVING gets no calls until it serves`() async throws
  {
    try await withLoop { loop in
      let servers = [try await MeshServer.start(on: loop), try await MeshServer.start(on: loop)]
      let (channel, _) = try Self.channel(to: servers, on: loop) { $0.health = HealthChecking() }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await eventually { await channel.readyConnections() == 2 })

      servers[0].health.set(.notServing)
      #expect(await eventually { await channel.readyConnections() == 1 })
      let before = Self.started(servers[0])
      for _ in 0..<10 { #expect(await channel.error(EchoService.unary) == nil) }
      #expect(Self.started(servers[0]) == before)

      servers[1].health.set(.notServing)
      #expect(await eventually { await channel.readyConnections() == 0 })
      let refused = await channel.error(EchoService.unary)
      #expect(refused == RPCError(.unavailable, "no instance of echo says that it serves"))
      servers[0].health.set(.serving)
      #expect(await eventually { await channel.readyConnections() == 1 })
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
      for server in servers { await server.server.stop() }
    }
  }

  @Test func `when nobody serves, calls may go to those who say no`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      mesh.health.set(.notServing)
      let (channel, told) = try Self.channel(to: [mesh], on: loop) { options in
        options.health = HealthChecking()
        options.health?.usesAllWhenNoneServes = true
      }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(told.connections[.transientFailure] == 1)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `a server without a health service counts as healthy`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop) { configuration in
        configuration.methods.removeAll { $0.descriptor.service == "grpc.health.v1.Health" }
      }
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { $0.health = HealthChecking() }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await channel.readyConnections() == 1)
      channel.close()
      await mesh.server.stop()
    }
  }

  // MARK: Outliers

  @Test func `an instance that fails its calls is left alone for a while`() async throws {
    try await withLoop { loop in
      let bad = try await MeshServer.start(on: loop) { $0.interceptors = [AlwaysFailing()] }
      let good = try await MeshServer.start(on: loop)
      let (channel, told) = try Self.channel(to: [bad, good], on: loop) { options in
        options.outliers = OutlierSettings()
        options.outliers?.interval = .milliseconds(20)
        options.outliers?.ejection = .milliseconds(60)
        options.outliers?.failuresInRowMax = 3
      }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await eventually { await channel.readyConnections() == 2 })

      // Not idempotent, so each failure is seen here.
      for _ in 0..<12 { _ = await channel.error(EchoService.fail) }
      // It comes back, and is ejected again by the next failures.
      #expect(Set(told.ejected) == [bad.address])
      #expect(await eventually { told.restored.first == bad.address })
      channel.close()
      for server in [bad, good] { await server.server.stop() }
    }
  }

  // MARK: Circuit

  @Test func `GWY-10 while nobody is there, calls fail at once and say when it is tried again`()
    async throws
  {
    try await withLoop { loop in
      let mesh = try await MeshServer.startForRestarts(on: loop)
      let (channel, told) = try Self.channel(to: [mesh], on: loop) { options in
        options.backoff.initial = .seconds(30)
      }
      #expect(await channel.error(EchoService.unary) == nil)
      await mesh.server.stop()
      #expect(await eventually { told.connections[.transientFailure] == 1 })

      for _ in 0..<100 {
        let error = await channel.error(EchoService.unary)
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("echo") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("tried again in") == true, "\(error?.message ?? "")")
      }
      channel.close()
    }
  }

  @Test func `GWY-10 a service that only fails is not asked until its pause is over`() async throws
  {
    try await withLoop { loop in
      let failing = Switch(isOn: true)
      var mesh = try await MeshServer.startForRestarts(on: loop) {
        $0.interceptors = [failing]
      }
      let (channel, told) = try Self.channel(to: [mesh], on: loop) { options in
        options.circuit.failuresMax = 4
        options.circuit.pause = .seconds(300)
      }
      for _ in 0..<4 { #expect(await channel.error(EchoService.fail)?.code == .unavailable) }
      #expect(told.circuit == [.open])
      let before = Self.started(mesh)
      let refused = await channel.error(EchoService.fail)
      #expect(refused?.message.contains("echo does not answer; it is asked again in") == true)
      #expect(Self.started(mesh) == before)

      // A new instance ends the pause.
      failing.turn(false)
      await mesh.server.stop()
      mesh = try await MeshServer.start(on: loop, port: mesh.port)
      #expect(await eventually { await channel.error(EchoService.unary) == nil })
      #expect(told.circuit == [.open, .halfOpen, .closed])
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test
  func `GWY-10 an instance that dies with many calls leaves the circuit to the others closed`()
    async throws
  {
    try await withLoop { loop in
      let servers = [try await MeshServer.start(on: loop), try await MeshServer.start(on: loop)]
      let (channel, told) = try Self.channel(to: servers, on: loop) { options in
        options.circuit.failuresMax = 3
      }
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(await eventually { await channel.readyConnections() == 2 })
      let calls = (0..<20).map { _ in
        Task(executorPreference: loop) { await channel.error(EchoService.slow) }
      }
      #expect(await eventually { servers.map(Self.started).reduce(0, +) == 21 })

      await servers[0].server.stop()
      #expect(await channel.error(EchoService.unary) == nil)
      #expect(told.circuit == [])
      await servers[1].server.stop()
      for call in calls { #expect(await call.value?.code == .unavailable) }
      channel.close()
    }
  }

  // MARK: Retries

  @Test func `a retry says how many tries came before it, within one deadline`() async throws {
    try await withLoop { loop in
      let seen = Trail()
      let mesh = try await MeshServer.start(on: loop) { $0.interceptors = [Attempts(seen)] }
      let (channel, told) = try Self.channel(to: [mesh], on: loop)

      #expect(await channel.error(EchoService.unary)?.code == .unavailable)
      #expect(seen.words == ["first", "1", "2"])
      #expect(told.retries == 2)

      let deadline = CallOptions(deadline: loop.uptime + .milliseconds(1))
      _ = await channel.error(EchoService.unary, deadline)
      #expect(seen.words.count <= 4)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test(arguments: [("-1", 1), ("1", 3)])
  func `a server's pushback is obeyed`(pushback: String, attempts: Int) async throws {
    try await withLoop { loop in
      let seen = Trail()
      let mesh = try await MeshServer.start(on: loop) { configuration in
        configuration.interceptors = [Attempts(seen, pushback: pushback)]
      }
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { options in
        options.retry.initialBackoff = .seconds(60)
      }
      #expect(await channel.error(EchoService.unary)?.code == .unavailable)
      #expect(seen.words.count == attempts)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `a request too large to keep is not tried again`() async throws {
    try await withLoop { loop in
      let seen = Trail()
      let mesh = try await MeshServer.start(on: loop) { $0.interceptors = [Attempts(seen)] }
      let (channel, _) = try Self.channel(to: [mesh], on: loop) { $0.retry.replayBytesMax = 2 }
      #expect(await channel.error(EchoService.unary)?.code == .unavailable)
      #expect(seen.words == ["first"])
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `a budget that is used up stops retries, not calls`() async throws {
    try await withLoop { loop in
      let seen = Trail()
      let mesh = try await MeshServer.start(on: loop) { $0.interceptors = [Attempts(seen)] }
      let (channel, told) = try Self.channel(to: [mesh], on: loop) { options in
        options.retry.tokensMax = 4
        options.retry.initialBackoff = .milliseconds(1)
      }
      for _ in 0..<3 { #expect(await channel.error(EchoService.unary)?.code == .unavailable) }
      #expect(seen.words == ["first", "1", "first", "first"])
      #expect(told.throttled == 1)
      channel.close()
      await mesh.server.stop()
    }
  }

  // MARK: Names

  @Test func `an announced instance is tried at once, whatever is left of a backoff`() async throws
  {
    try await withLoop { loop in
      let probe = try await MeshServer.startForRestarts(on: loop)
      await probe.server.stop()
      let resolver = AnnouncingResolver([probe.address])
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      options.backoff.initial = .seconds(300)
      let channel = NetworkChannel(to: "echo", resolver: resolver, options: options, loop: loop)
      #expect(await channel.error(EchoService.unary)?.code == .unavailable)

      let mesh = try await MeshServer.start(on: loop, port: probe.port)
      resolver.announce()
      #expect(await eventually { await channel.error(EchoService.unary) == nil })
      channel.close()
      #expect(await eventually { resolver.watchers == 0 })
      await mesh.server.stop()
    }
  }

  @Test func `a host name is looked up`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      var options = ChannelOptions(tls: try TestMesh.shared.clientTLS("gateway"))
      Self.quick(&options)
      let channel = NetworkChannel(
        to: "echo", at: [.tcp(host: "localhost", port: mesh.port)], options: options, loop: loop)
      #expect(await channel.error(EchoService.unary) == nil)
      let nobody = NetworkChannel(
        to: "echo", at: [.tcp(host: "no-such-host.invalid", port: 1)], options: options, loop: loop)
      let error = await nobody.error(EchoService.unary)
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("no-such-host.invalid") == true)
      channel.close()
      nobody.close()
      await mesh.server.stop()
    }
  }
}

/// Says UNAVAILABLE to everything but health.
private struct AlwaysFailing: ServerInterceptor {
  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    throw RPCError(.unavailable, "not here")
  }
}

/// Says UNAVAILABLE while it is on.
private final class Switch: ServerInterceptor {
  private let isOn: Mutex<Bool>
  init(isOn: Bool) { self.isOn = Mutex(isOn) }

  func turn(_ on: Bool) { isOn.withLock { $0 = on } }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    if isOn.withLock({ $0 }) { throw RPCError(.unavailable, "not now") }
    try await next()
  }
}

/// Notes which attempt each is, and fails it.
private struct Attempts: ServerInterceptor {
  private let seen: Trail
  private let pushback: String?

  init(_ seen: Trail, pushback: String? = nil) {
    self.seen = seen
    self.pushback = pushback
  }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    seen.add(context.metadata.text("grpc-previous-rpc-attempts") ?? "first")
    if let pushback { context.trailingMetadata.add("grpc-retry-pushback-ms", pushback) }
    throw RPCError(.unavailable, "never")
  }
}

/// Keeps what a channel tells.
final class ChannelLog: ChannelObserver {
  private struct State {
    var started = 0
    var finished: [StatusCode: Int] = [:]
    var retries = 0
    var transparent = 0
    var throttled = 0
    var ejected: [Address] = []
    var restored: [Address] = []
    var circuit: [CircuitState] = []
    var connections: [ConnectionState: Int] = [:]
  }

  private let state = Mutex(State())

  var started: Int { state.withLock { $0.started } }
  var finished: [StatusCode: Int] { state.withLock { $0.finished } }
  var retries: Int { state.withLock { $0.retries } }
  var transparent: Int { state.withLock { $0.transparent } }
  var throttled: Int { state.withLock { $0.throttled } }
  var ejected: [Address] { state.withLock { $0.ejected } }
  var restored: [Address] { state.withLock { $0.restored } }
  var circuit: [CircuitState] { state.withLock { $0.circuit } }
  var connections: [ConnectionState: Int] { state.withLock { $0.connections } }

  func callStarted(_ method: MethodDescriptor) { state.withLock { $0.started += 1 } }
  func callFinished(_ method: MethodDescriptor, _ code: StatusCode, latency: Duration) {
    state.withLock { $0.finished[code, default: 0] += 1 }
  }
  func callRetried(_ method: MethodDescriptor, isTransparent: Bool) {
    state.withLock { if isTransparent { $0.transparent += 1 } else { $0.retries += 1 } }
  }
  func retryThrottled(_ method: MethodDescriptor) { state.withLock { $0.throttled += 1 } }
  func instanceEjected(_ address: Address) { state.withLock { $0.ejected.append(address) } }
  func instanceRestored(_ address: Address) { state.withLock { $0.restored.append(address) } }
  func circuitChanged(_ circuit: CircuitState) { state.withLock { $0.circuit.append(circuit) } }
  func connectionsChanged(_ counts: [ConnectionState: Int]) {
    state.withLock { $0.connections = counts }
  }
}

/// Says when there is news, and is never asked in between.
final class AnnouncingResolver: NameResolver {
  private struct State {
    var addresses: [Address]
    var watchers: [Int: @Sendable () -> Void] = [:]
    var last = 0
  }

  private let state: Mutex<State>

  init(_ addresses: [Address]) { state = Mutex(State(addresses: addresses)) }

  var refreshInterval: Duration? { nil }
  var watchers: Int { state.withLock { $0.watchers.count } }

  func addresses(of service: String) async throws(RPCError) -> [Address] {
    state.withLock { $0.addresses }
  }

  func watch(_ service: String, _ announced: @escaping @Sendable () -> Void) -> NameWatch? {
    let id = state.withLock { state in
      state.last += 1
      state.watchers[state.last] = announced
      return state.last
    }
    return NameWatch { [weak self] in self?.state.withLock { $0.watchers[id] = nil } }
  }

  func announce(_ addresses: [Address]? = nil) {
    let watchers = state.withLock { state in
      if let addresses { state.addresses = addresses }
      return Array(state.watchers.values)
    }
    for watcher in watchers { watcher() }
  }
}
