internal import Calls
internal import Chrono
internal import Contracts
internal import Glibc
internal import Loop
private import Synchronization
internal import Telemetry

/// Keeps discovery told that this instance runs, and how well.
final class LeaseKeeper: Sendable {
  private let context: ServiceContext
  private let discovery: DiscoveryV1.DiscoveryServiceClient
  private let port: Int
  private let state = Mutex(State())

  private struct State {
    var isServing = false
    /// What discovery was told last, or is being told.
    var told: Bool?
    var hasEnded = false
    /// Woken when health changes, so that discovery learns of it now and not at the next renewal.
    var sleeper: Task<Void, Never>?
  }

  init(_ context: ServiceContext, port: Int) {
    self.context = context
    self.port = port
    discovery = DiscoveryV1.DiscoveryServiceClient(channel: context.channel(to: "discovery"))
  }

  func healthChanged(isServing: Bool) {
    let sleeper = state.withLock { state in
      state.isServing = isServing
      return state.sleeper
    }
    sleeper?.cancel()
  }

  private func healthToTell() -> DiscoveryV1.InstanceHealth {
    state.withLock { state in
      state.told = state.isServing
      return state.isServing ? .serving : .notServing
    }
  }

  private var options: CallOptions {
    CallOptions(deadline: context.time.uptime + min(context.mesh.lease / 2, .seconds(2)))
  }

  /// Registers, then renews three times per lease, until cancelled. Throws when discovery is away.
  func keep() async throws {
    try await register()
    while !Task.isCancelled, !state.withLock({ $0.hasEnded }) {
      await pause()
      if Task.isCancelled || state.withLock({ $0.hasEnded }) { return }
      var request = DiscoveryV1.RenewRequest()
      request.service = context.name.text
      request.instanceId = context.instance
      request.health = healthToTell()
      do throws(RPCError) {
        _ = try await discovery.renew(request, options)
      } catch {
        // Discovery was started anew, or we were away for longer than the lease.
        guard error.code == .notFound else { throw error }
        try await register()
      }
    }
  }

  private func pause() async {
    let wait = context.mesh.lease / 3
    let sleeper = context.loop.spawn { [loop = context.loop] in await loop.sleep(for: wait) }
    let isOld = state.withLock { state in
      state.sleeper = sleeper
      return state.told != state.isServing
    }
    // It changed while discovery was being told: nobody slept who could have been woken.
    if isOld { sleeper.cancel() }
    await withTaskCancellationHandler {
      await sleeper.value
    } onCancel: {
      sleeper.cancel()
    }
  }

  private func register() async throws {
    var instance = DiscoveryV1.Instance()
    instance.service = context.name.text
    instance.instanceId = context.instance
    instance.host = context.mesh.advertiseHost
    instance.port = UInt32(port)
    instance.health = healthToTell()
    instance.version = programVersion
    instance.processId = UInt32(bitPattern: getpid())
    var request = DiscoveryV1.RegisterRequest()
    request.instance = instance
    request.lease = GoogleProtobuf.Duration(context.mesh.lease)
    _ = try await discovery.registerInstance(request, options)
    context.log.info("registered with discovery", ["port": LogValue(port)])
  }

  /// Best effort: the lease runs out anyway.
  func end() async {
    let sleeper = state.withLock { state in
      state.hasEnded = true
      return state.sleeper
    }
    sleeper?.cancel()
    var request = DiscoveryV1.DeregisterRequest()
    request.service = context.name.text
    request.instanceId = context.instance
    var options = CallOptions()
    options.deadline = context.time.uptime + .milliseconds(500)
    do {
      _ = try await discovery.deregister(request, options)
    } catch {
      context.log.debug("not deregistered", ["error": LogValue(describing: error)])
    }
  }
}

/// The version of this program, as discovery and `--version` show it.
package let programVersion = "0.1.0"
