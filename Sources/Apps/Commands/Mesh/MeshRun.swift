internal import Chrono
internal import Glibc
internal import Loop
internal import Postgres
internal import ServiceKit
internal import Transport

/// A mesh on this machine from its first process to its last: what `up` is.
///
/// `@unchecked Sendable`: confined to its loop.
final class MeshRun: @unchecked Sendable {
  private let plan: MeshPlan
  private let ports: PortTable
  private let loop: EventLoop
  private let progress: Progress
  private let supervisor: Supervisor
  private var postgres: MeshDatabase?
  private var keeper: DatabaseKeeper?
  private var stopWaiter: CheckedContinuation<Void, Never>?
  private var stopsRequested = 0
  private var replay: ReplayStart?

  private static let startTimeMax = Duration.seconds(180)
  private static let stopTimeMax = Duration.seconds(20)
  /// Longer than those that lost their supervisor take to go (`drain_time_max`).
  private static let portsTimeMax = Duration.seconds(12)
  /// How long the books wait for a first event before the held capture begins without the rest.
  private static let quietTimeMax = Duration.seconds(3)
  private static let simulator: ServiceName = "venue-sim"
  private static let books: ServiceName = "orderbook"

  init(_ plan: MeshPlan, ports: PortTable, loop: EventLoop) {
    self.plan = plan
    self.ports = ports
    self.loop = loop
    let progress = Progress(began: loop.uptime, report: plan.report)
    self.progress = progress
    supervisor = Supervisor(loop, program: executablePath()) {
      progress.say($0, at: SystemTime().uptime)
    }
  }

  private var state: StateFolder { plan.options.state }
  private func say(_ line: String) { progress.say(line, at: loop.uptime) }

  /// Until SIGTERM or SIGINT; the process's exit code.
  func run() async throws -> Int32 {
    let signals = try SignalWatch(loop) { [unowned self] in received($0) }
    defer { signals.stop() }
    do {
      try await start()
    } catch {
      say(errorText(error))
      await stopAll()
      return 1
    }
    if stopsRequested == 0 {
      await summary()
      progress.endReport(isGood: true)
      await withCheckedContinuation { stopWaiter = $0 }
    }
    say("stopping")
    await stopAll()
    say("stopped")
    return 0
  }

  private func received(_ signal: Int32) {
    switch signal {
    case SIGCHLD: supervisor.reap()
    case SIGHUP where plan.report != nil: break
    case SIGTERM, SIGINT, SIGHUP:
      stopsRequested += 1
      if stopsRequested > 1 {
        supervisor.beginStopping()
        for pid in supervisor.processes.values { kill(pid, SIGKILL) }
      }
      stopWaiter?.resume()
      stopWaiter = nil
    default: break
    }
  }

  // MARK: Starting

  private func start() async throws {
    try await awaitPorts()
    try MeshFolder.prepare(plan, services: Catalog.services.map(\.name)) { say($0) }
    var record = MeshRecord(
      supervisor: getpid(), portOffset: plan.options.portOffset, ports: plan.options.portsPath)
    try record.write(state)
    var environment = processEnvironment()
    let database = try MeshDatabase.start(state, environment: environment) { say($0) }
    postgres = database
    record.postgres = database.cluster?.folder
    supervisor.changed = { [unowned self, state, record] processes in
      var record = record
      replay?.simulatorIs(processes[Self.simulator.text])
      record.processes = processes
      // The record serves `status` only: a full disk must not end the mesh.
      do { try record.write(state) } catch { Terminal.complain("\(error)") }
    }
    if let cluster = database.cluster {
      keeper = DatabaseKeeper(cluster, loop) { [unowned self] in say($0) }
    }
    for orphan in OrphanCluster.found() { say(orphan.text) }
    environment["SHRIVENQUANT_DATABASE_URL"] = database.url
    supervisor.start(
      ChildPlan(
        name: Self.simulator.text, words: plan.simulatorWords(supervisor: getpid()),
        environment: environment, log: state.log(of: Self.simulator)))
    try await startServices(environment)
    if stopsRequested == 0 { try startReplay() }
  }

  /// What a mesh before has left ends by itself, and a connection may; whoever stays is named.
  private func awaitPorts() async throws {
    let names = Catalog.services.map(\.name) + [Self.simulator]
    let deadline = loop.uptime + Self.portsTimeMax
    var said = ""
    while stopsRequested == 0 {
      let taken = names.compactMap { name in
        ports.port(of: name).flatMap(PortHolder.of).map { "\(name): \($0.text)" }
      }
      if taken.isEmpty { return }
      guard loop.uptime < deadline else {
        throw CommandError(
          taken.joined(separator: "\n")
            + "\nnothing was started; --port-offset N or --ports FILE choose other ports")
      }
      if said.isEmpty { say("waiting for ports: \(taken.joined(separator: "; "))") }
      said = taken.joined()
      await loop.sleep(for: .milliseconds(200))
    }
  }

  /// Everybody listens: the capture, if there is one, may begin, and again whenever the simulator does.
  private func startReplay() throws {
    guard plan.replay != nil, replay == nil else { return }
    let simulator = Self.simulator.text
    let start = ReplayStart(
      port: ports.port(of: Self.simulator) ?? 0,
      tls: try MeshTLS(state, name: "operator", facesPeople: false).client, loop: loop
    ) { [unowned self] in say($0) }
    replay = start
    start.simulatorIs(supervisor.processes[simulator])
  }

  private func startServices(_ environment: [String: String]) async throws {
    let order = StartOrder(Catalog.services.map { ($0.name, $0.needs) })
    let all = Set(Catalog.services.map(\.name))
    let deadline = loop.uptime + Self.startTimeMax
    var (started, serving): (Set<ServiceName>, Set<ServiceName>) = ([], [])
    var quietSince = deadline
    while serving.count < all.count, stopsRequested == 0 {
      for name in order.startable(started: started, serving: serving) {
        supervisor.start(
          ChildPlan(
            name: name.text, words: plan.words(for: name, supervisor: getpid()),
            environment: environment, log: state.log(of: name)))
        started.insert(name)
        if name == Self.books { quietSince = loop.uptime }
      }
      // Where the held market is the only one, nothing tells the books that they are up to date.
      if !serving.contains(Self.books), loop.uptime - quietSince > Self.quietTimeMax {
        try startReplay()
      }
      for name in started.subtracting(serving).sorted() {
        try refuseHopeless(name)
        guard await isServing(name) else { continue }
        serving.insert(name)
        say("\(name) is serving (\(serving.count) of \(all.count))")
      }
      if loop.uptime > deadline { throw notServing(all.subtracting(serving).sorted()) }
      if serving.count < all.count { await loop.sleep(for: .milliseconds(100)) }
    }
    while stopsRequested == 0, !(await simulatorAccepts()) {
      try refuseHopeless(Self.simulator)
      if loop.uptime > deadline { throw notServing([Self.simulator]) }
      await loop.sleep(for: .milliseconds(100))
    }
  }

  private func address(of name: ServiceName) -> Address? {
    ports.port(of: name).map { .tcp(host: "127.0.0.1", port: $0) }
  }

  private func isServing(_ name: ServiceName) async -> Bool {
    guard let address = address(of: name) else { return false }
    return await HealthProbe.ask(address, within: .seconds(2), loop: loop) == .serving
  }

  private func simulatorAccepts() async -> Bool {
    guard let address = address(of: Self.simulator) else { return true }
    return await HealthProbe.accepts(address, within: .seconds(1), loop: loop)
  }

  /// Some deaths do not get better by starting again.
  private func refuseHopeless(_ name: ServiceName) throws {
    guard let child = supervisor.children[name.text], child.lastEnding != nil else { return }
    let isBadSettings = child.lastEnding == .exit(ServiceExit.badSettings)
    guard isBadSettings || child.restarts > 8 else { return }
    throw CommandError(
      "\(name) \(child.lastEnding!); its log (\(state.log(of: name))) ends with\n"
        + logTail(state.log(of: name), lines: 5))
  }

  private func notServing(_ names: [ServiceName]) -> CommandError {
    let tails = names.map { "  \($0):\n\(logTail(state.log(of: $0), lines: 3))" }
    return CommandError(
      "not serving after \(DurationText.print(Self.startTimeMax)):\n"
        + tails.joined(separator: "\n"))
  }

  // MARK: Ready

  private func summary() async {
    let rows = await StatusCommand.table(ports, supervisor.processes, loop: loop)
    var cells = rows.map(\.cells)
    let simulator = Self.simulator.text
    cells.append([
      simulator, ports.port(of: Self.simulator).map(String.init) ?? "-",
      supervisor.processes[simulator].map(String.init) ?? "-", "ACCEPTING",
    ])
    progress.write("\n" + Terminal.table(cells) + "\n")
    let port = ports.port(of: "gateway") ?? 0
    progress.write(FirstSteps.text(gateway: port, program: executablePath(), state: state))
  }

  // MARK: Stopping

  private func stopAll() async {
    replay?.stop()
    supervisor.beginStopping()
    let layers = StartOrder(Catalog.services.map { ($0.name, $0.needs) }).layers
    for layer in layers.reversed() {
      await supervisor.stop(layer.map(\.text), patience: Self.stopTimeMax)
    }
    await supervisor.stop([Self.simulator.text], patience: Self.stopTimeMax)
    await keeper?.stop()
    postgres?.stop { say($0) }
    unlink(MeshRecord.path(state))
    progress.endReport(isGood: false)
  }
}
