internal import Calls
internal import Chrono
internal import Contracts
internal import ExecutionRouterService
internal import Journal
internal import Loop
internal import MarketConnectorService
internal import OMSService
internal import PortfolioManagerService
internal import RiskManagerService
internal import ServiceKit
internal import Telemetry
internal import TradingGatewayService
internal import Transport
internal import Venue
internal import VenueSimulator
internal import Venues
internal import Wire

/// A whole mesh in this process: the services' own code, each on a loop that can die, with simulated
/// wires, disks, record and exchanges around it.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormWorld: @unchecked Sendable {
  let settings: StormSettings
  let scheduler: SimulatedScheduler
  let network: SimulatedNetwork
  let trace: StormTrace
  let record = SimulatedRecord()
  let venues: [StormVenue]
  let trader: SimulatedEndpoint
  private let folder: String
  private var processes: [ServiceName: StormProcess] = [:]
  private let disks: [ServiceName: SimulatedDisk]
  private(set) var crashes = 0
  private(set) var damagesFound = 0
  private(set) var faultsMade = 0
  private(set) var violation: StormViolation?
  /// Faults may strike.
  var isOpen = false
  /// Changes limits a few times, so that the risk-manager's journal has something to hold.
  var provoke: (() -> Void)?
  private var runs = 0
  private let loaded: LoadedStormSettings
  private var awaySince: [ServiceName: Uptime] = [:]
  private var lastEnds: [ServiceName: Uptime] = [:]

  static let services: [ServiceName] = [
    "market-connector", "orderbook", "risk-manager", "execution-router", "oms", "trading-gateway",
    "portfolio-manager",
  ]

  init(_ settings: StormSettings, folder: String) throws {
    self.settings = settings
    self.folder = folder
    loaded = try LoadedStormSettings()
    scheduler = SimulatedScheduler(seed: settings.seed)
    network = SimulatedNetwork(scheduler)
    trace = StormTrace(scheduler, isKept: settings.isTraced)
    var seeds = scheduler.random.fork()
    venues = ["binance", "kraken", "okx"].map { [scheduler] name in
      StormVenue(
        name, scheduler, seed: seeds.next(), feeAsset: name == "binance" ? .received : .quote,
        tradesWithItself: settings.faults.contains(.selves) && name == "binance")
    }
    trader = network.endpoint("trader", scheduler.loop("trader"))
    let clock = scheduler.clock(start: StormSettings.start)
    let isReplicated = settings.faults.contains(.damage)
    let owners: [ServiceName] = ["oms", "execution-router", "risk-manager"]
    disks = Dictionary(
      uniqueKeysWithValues: owners.map {
        ($0, SimulatedDisk(time: clock, isReplicated: isReplicated))
      })
  }

  func open() {
    for venue in venues { venue.open() }
    for name in Self.services { start(name) }
  }

  func broke(_ rule: StormRule, _ text: @autoclosure () -> String) {
    guard violation == nil else { return }
    let found = StormViolation(rule: rule, text: text())
    trace.note("BROKEN \(found)")
    noteShortfalls()
    violation = found
  }

  /// What each service says of itself, for who reads the trace.
  private func noteShortfalls() {
    for name in Self.services {
      guard let board = processes[name]?.context?.readiness else { continue }
      for lacking in board.missing + board.degraded {
        trace.note("\(name) lacks \(lacking.name): \(lacking.reason)")
      }
    }
  }

  func venue(_ name: String) -> StormVenue? { venues.first { $0.name == name } }

  func countFault(_ text: @autoclosure () -> String) {
    faultsMade += 1
    trace.note("fault: \(text())")
  }

  // MARK: Processes

  func isRunning(_ name: ServiceName) -> Bool { processes[name] != nil }
  func loop(of name: ServiceName) -> EventLoop? { processes[name]?.endpoint.loop }
  func clock(of name: ServiceName) -> SimulatedClock? { processes[name]?.clock }
  func disk(of name: ServiceName) -> SimulatedDisk? { disks[name] }
  /// Since when it has not run; nil while it does.
  func awaySince(_ name: ServiceName) -> Uptime? { awaySince[name] }

  /// When it ended last.
  func lastEnd(of name: ServiceName) -> Uptime { lastEnds[name] ?? Uptime(nanoseconds: 0) }
  func runningSince(_ name: ServiceName) -> Uptime? { processes[name]?.began }

  /// A figure of a process that is told nowhere else.
  func figure(_ metric: String, of name: ServiceName) -> String? {
    processes[name]?.context?.metrics.exposition().split(separator: "\n")
      .first { $0.hasPrefix(metric + " ") }
      .map { String($0.dropFirst(metric.count + 1)) }
  }

  /// What does not run, or is not ready, and why.
  var missing: [String] {
    Self.services.compactMap { name in
      guard let process = processes[name] else { return "\(name) is away" }
      guard name != "orderbook" else { return nil }
      guard let board = process.context?.readiness, process.service != nil else {
        return "\(name) starts"
      }
      if board.isReady { return nil }
      return "\(name): " + board.missing.map { "\($0.name) (\($0.reason))" }.joined(separator: ", ")
    }
  }

  private func start(_ name: ServiceName) {
    let loop = scheduler.loop(name.text)
    runs += 1
    let process = StormProcess(
      name, network.endpoint(name.text, loop), scheduler.clock(start: StormSettings.start),
      number: runs)
    processes[name] = process
    awaySince[name] = nil
    trace.note("\(name) starts")
    loop.spawn { [self] in
      do {
        try await begin(process)
      } catch {
        refused(process, error)
      }
    }
  }

  /// A start that fails: `up` tries it again, and what never succeeds is a fault of the process.
  private func refused(_ process: StormProcess, _ error: any Error) {
    trace.note("\(process.name) refuses to start: \(error)")
    process.failures += 1
    if Self.isDamage(error), let disk = disks[process.name], disk.writesBehindDamage != nil {
      trace.note("the disk of \(process.name) is exchanged for its replica")
      damagesFound += 1
      disk.restoreReplica()
    }
    kill(process.name, .process, restart: .seconds(1), failures: process.failures)
  }

  /// What a journal says of a record that is not what was written.
  private static func isDamage(_ error: any Error) -> Bool {
    switch error {
    case JournalError.damaged, JournalError.notAJournal, JournalError.removed: true
    case let error as RPCError: error.code == .dataLoss
    default: false
    }
  }

  private func begin(_ process: StormProcess) async throws {
    let loop = process.endpoint.loop
    if process.name == "orderbook" { return process.endpoint.serve([tops(loop)]) }
    let context = ServiceContext(
      name: process.name, loop: loop, time: process.clock, log: log(process),
      state: StateFolder(folder, markInterval: .seconds(5)),
      connect: { [endpoint = process.endpoint] in
        endpoint.channel(to: $0.text, as: Identity(service: process.name.text))
      })
    process.context = context
    context.whenEndIsAskedFor { [self, number = process.number] reason in
      trace.note("\(process.name) wants to end: \(reason)")
      scheduler.schedule(on: nil, at: scheduler.uptime) { [self] in
        guard processes[process.name]?.number == number else { return }
        kill(process.name, .process, restart: .milliseconds(500))
      }
    }
    let service = try service(process.name, context)
    process.service = service
    try await service.start()
    process.endpoint.serve(service.methods)
  }

  private func log(_ process: StormProcess) -> Log {
    guard settings.isTraced else { return .silent }
    return Log(
      LogSink(
        .function { [self] line in
          trace.note("    \(process.name) logs \(String(decoding: line, as: UTF8.self))")
        }, level: .warning, time: process.clock), service: process.name.text)
  }

  private func service(
    _ name: ServiceName, _ context: ServiceContext
  ) throws -> any ServiceDefinition {
    switch name {
    case "market-connector":
      return try MarketConnector(context, loaded.connector) { [self] venue in
        guard let exchange = self.venue(venue.rawValue) else {
          throw RPCError(.notFound, "the storm has no \(venue.rawValue)")
        }
        return EngineSession(exchange, context.loop, context.metrics, timeout: .seconds(2))
      }
    case "risk-manager":
      return try RiskManager(
        context, loaded.risk, SimulatedLimitStore(connection: .init(record, context.loop)),
        journal(name, context))
    case "execution-router":
      return try ExecutionRouter(context, loaded.router, journal(name, context))
    case "oms":
      return try OMS(
        context, loaded.oms, SimulatedOrderStore(connection: .init(record, context.loop)),
        journal(name, context))
    case "trading-gateway": return try TradingGateway(context, loaded.gateway)
    case "portfolio-manager":
      return PortfolioManager(
        context, loaded.portfolio, SimulatedPositionStore(connection: .init(record, context.loop)))
    default: throw RPCError(.notFound, "the storm has no \(name)")
    }
  }

  private func journal(_ name: ServiceName, _ context: ServiceContext) -> JournalSettings {
    var settings = JournalSettings()
    settings.epoch = context.loop.randomNumber() | 1
    settings.time = context.time
    if let disk = disks[name] { settings.disk = disk }
    settings.driver = .on(context.loop, latency: .microseconds(150))
    settings.recordBytesMax = 64 * 1024
    // Small enough that every storm sees their edges.
    settings.segmentBytesMax = 128 * 1024
    return settings
  }

  /// The orderbook's part: the touch of every market, as the exchanges have it.
  private func tops(_ loop: EventLoop) -> ServerMethod {
    ServerMethod(
      OrderbookV1.OrderbookService.streamTops,
      .streaming { [self] _, responses, _ in
        var updates: UInt64 = 0
        while !Task.isCancelled {
          updates += 1
          for venue in venues {
            for instrument in venue.instruments {
              guard let top = venue.top(instrument, updates) else { continue }
              try await responses.send(top.encoded())
            }
          }
          await loop.sleep(for: .seconds(1))
        }
      })
  }

  // MARK: Ends and beginnings

  static let writesThatProve = 2

  /// A process ends where it stands, and is started again after a while.
  func kill(
    _ name: ServiceName, _ kind: DiskCrash, restart: Duration, failures: Int = 0
  ) {
    guard let process = processes.removeValue(forKey: name) else { return }
    crashes += 1
    trace.note("\(name) ends (\(kind))")
    awaySince[name] = scheduler.uptime
    lastEnds[name] = scheduler.uptime
    process.endpoint.kill()
    disks[name]?.crash(kind, using: &scheduler.random)
    // A lost write behind which nothing follows is a shorter log: nothing in it could tell.
    if let writes = disks[name]?.writesBehindDamage, writes < Self.writesThatProve {
      trace.note("the disk of \(name) is exchanged before anybody misses anything")
      disks[name]?.restoreReplica()
    }
    if failures > 30 {
      return broke(.alive, "\(name) did not start in \(failures) tries")
    }
    scheduler.schedule(on: nil, at: scheduler.uptime + restart) { [self] in
      start(name)
      processes[name]?.failures = failures
    }
  }

  /// The process ends after so many more of its steps, wherever it is then.
  func kill(_ name: ServiceName, after steps: Int, restart: Duration) {
    guard let process = processes[name] else { return }
    let number = process.number
    scheduler.interrupt(process.endpoint.loop, after: steps) { [self] in
      guard processes[name]?.number == number else { return }
      kill(name, .process, restart: restart)
    }
  }

  /// The power goes when so many more bytes were written.
  func cutPower(_ name: ServiceName, after bytes: Int, restart: Duration) {
    guard let process = processes[name], let disk = disks[name] else { return }
    let number = process.number
    disk.cutPower(after: bytes)
    scheduler.watch(process.endpoint.loop) { [self] in
      guard disk.isCut, processes[name]?.number == number else { return }
      kill(name, .power, restart: restart)
    }
  }

  /// A copy of what journals hold, all from one moment.
  func backUp(_ names: [ServiceName]) -> [ServiceName: SimulatedDisk.Image] {
    Dictionary(
      uniqueKeysWithValues: names.compactMap { name in
        disks[name].map { (name, $0.image) }
      })
  }

  /// The processes end, and begin again with what the copies hold.
  func restore(_ images: [ServiceName: SimulatedDisk.Image]) {
    for name in images.keys.sorted(by: { $0.text < $1.text }) {
      trace.note("the journal of \(name) is put back from a copy")
      kill(name, .process, restart: .milliseconds(200))
      disks[name]?.restore(images[name]!)
    }
  }

  /// Everything that the storm does is over, and every process runs.
  func heal() {
    network.heal()
    record.isAway = false
    for venue in venues { venue.heal() }
    for process in processes.values { scheduler.letBe(process.endpoint.loop) }
    if venues.contains(where: \.isMisread) {
      trace.note("market-connector is started again, for its venues list other markets")
      kill("market-connector", .process, restart: .milliseconds(300))
    }
    for name in disks.keys.sorted(by: { $0.text < $1.text })
    where disks[name]?.writesBehindDamage != nil {
      kill(name, .process, restart: .milliseconds(300))
    }
    for name in disks.keys.sorted(by: { $0.text < $1.text }) {
      disks[name]?.bytesMax = .max
      disks[name]?.clearFaults()
      disks[name]?.cutPower(after: .max)
    }
  }
}

/// One run of one service.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormProcess: @unchecked Sendable {
  let name: ServiceName
  let endpoint: SimulatedEndpoint
  let clock: SimulatedClock
  let number: Int
  let began: Uptime
  var context: ServiceContext?
  var service: (any ServiceDefinition)?
  var failures = 0

  init(
    _ name: ServiceName, _ endpoint: SimulatedEndpoint, _ clock: SimulatedClock, number: Int
  ) {
    self.name = name
    self.endpoint = endpoint
    self.clock = clock
    self.number = number
    began = endpoint.loop.uptime
  }
}

/// The services' settings, read once.
struct LoadedStormSettings {
  let connector: MarketConnectorService.Config
  let risk: RiskManagerService.Config
  let router: ExecutionRouterService.Config
  let oms: OMSService.Config
  let gateway: TradingGatewayService.Config
  let portfolio: PortfolioManagerService.Config

  init() throws {
    connector = try Self.load(
      "market-connector", ["tick_ring_entries=0", "health_window=1s", "shards=1"])
    risk = try Self.load("risk-manager", [])
    router = try Self.load(
      "execution-router", ["journal_segment_bytes=4194304", "snapshot_records=100"])
    oms = try Self.load("oms", ["journal_segment_bytes=4194304", "snapshot_records=100"])
    gateway = try Self.load("trading-gateway", ["tick_ring=off", "slow_after=60s"])
    portfolio = try Self.load("portfolio-manager", [])
  }

  private static func load<Config: ServiceSettings>(
    _ service: ServiceName, _ flags: [String]
  ) throws -> Config {
    let flags = try flags.map { try SettingsSources.Flag(parsing: "\(service).\($0)") }
    return try LoadedSettings<Config>(
      service, from: SettingsSources(flags: flags), sections: []
    ).config
  }
}
