package import Calls
package import Chrono
package import Loop
private import Synchronization
package import Telemetry

/// What a service is given at its birth: everything of the outside world that it may touch.
package final class ServiceContext: Sendable {
  package let name: ServiceName
  /// Unique per run of a process: `oms-4711-9f86d081884c7d65`.
  package let instance: String
  package let mesh: MeshSettings
  package let loop: EventLoop
  package let time: any TimeSource
  package let log: Log
  /// Names begin with the service's: `risk_manager_orders_refused_total`.
  package let metrics: MetricsRegistry
  package let readiness: ReadinessBoard
  package let state: StateFolder
  package let ports: PortTable
  /// Checks bearer tokens with auth's public keys.
  package let tokens: TokenKeys
  private let tasks: TaskSupervisor
  private let connect: @Sendable (ServiceName) -> any Channel
  private let ending = Mutex<(@Sendable (String) -> Void)?>(nil)
  private let channels = Mutex<[ServiceName: any Channel]>([:])

  /// `connect` makes a channel to a neighbour; tests give in-process ones.
  package init(
    name: ServiceName, mesh: MeshSettings = .defaults, loop: EventLoop,
    time: any TimeSource = SystemTime(), log: Log = .silent,
    metrics: MetricsRegistry = MetricsRegistry(), state: StateFolder, ports: PortTable = .empty,
    connect: @escaping @Sendable (ServiceName) -> any Channel
  ) {
    self.name = name
    self.instance = InstanceName.make(name, loop)
    self.mesh = mesh
    self.loop = loop
    self.time = time
    let readiness = ReadinessBoard(time: time)
    self.readiness = readiness
    self.log = log
    self.metrics = metrics
    self.state = state
    self.ports = ports
    self.connect = connect
    self.tasks = TaskSupervisor(loop: loop, log: log, readiness: readiness, metrics: metrics)
    self.tokens = TokenKeys(
      issuer: mesh.tokenIssuer, refresh: mesh.keysRefresh, seenMax: mesh.tokensSeenMax, time: time,
      loop: loop)
    tokens.fetch { [unowned self] in
      try await AuthKeys.fetch(from: channel(to: "auth"), deadline: time.uptime + .seconds(2))
    }
  }

  /// The channel to a neighbour, found through discovery (ports.toml when discovery is away). One per
  /// neighbour; it reconnects by itself and fails with UNAVAILABLE while nobody is there.
  package func channel(to service: ServiceName) -> any Channel {
    channels.withLock { channels in
      if let known = channels[service] { return known }
      let channel = connect(service)
      channels[service] = channel
      return channel
    }
  }

  /// A folder of this service's own for its journal; made when asked for.
  package func journalDirectory() throws(FileError) -> String {
    let folder = state.journal(of: name)
    try makeFolder(folder, mode: 0o700)
    return folder
  }

  /// PostgreSQL's address, empty when none was given.
  package var databaseURL: String { mesh.databaseURL }

  /// Asks for the end of the process, for a state that only a new one can be without: its supervisor
  /// starts it again. Where the service is no process of its own nothing happens.
  package func endProcess(_ reason: String) { ending.withLock { $0 }?(reason) }

  /// Who ends the process when it is asked for.
  package func whenEndIsAskedFor(_ end: @escaping @Sendable (String) -> Void) {
    ending.withLock { $0 = end }
  }

  /// Runs `body` on the loop until it returns; when it throws, logs and runs it again after a backoff
  /// of 100 ms to 5 s. `isNeeded`: the service is not ready while the task waits to be run again.
  /// Cancelled when the service stops.
  package func spawn(
    _ task: String, isNeeded: Bool = false, _ body: @escaping @Sendable () async throws -> Void
  ) {
    tasks.spawn(task, isNeeded: isNeeded, backoff: TaskSupervisor.Backoff(), body)
  }

  /// Runs `body` every `interval` until the service stops; an error is logged and the next run comes.
  package func spawn(
    _ task: String, every interval: Duration, _ body: @escaping @Sendable () async throws -> Void
  ) {
    spawn(task) { [loop, log] in
      while !Task.isCancelled {
        do {
          try await body()
        } catch {
          if Task.isCancelled { return }
          log.warning(
            "periodic task failed", ["task": .text(task), "error": .text(errorText(error))])
        }
        await loop.sleep(for: interval)
      }
    }
  }

  /// Cancels the tasks and waits for their end.
  package func stopTasks() async { await tasks.stop() }
}

/// Names of instances that never repeat.
enum InstanceName {
  static func make(_ service: ServiceName, _ loop: EventLoop) -> String {
    let digits = String(loop.randomNumber(), radix: 16)
    return "\(service)-\(processID())-\(digits)"
  }
}
