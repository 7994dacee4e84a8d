internal import Chrono
internal import Journal
internal import Loop
internal import ServiceKit
internal import Transport
internal import Venue

/// A fault at its time, whole: what is drawn for it depends on nothing else.
struct StormFaultPlan {
  let number: Int
  let at: Duration
  let fault: StormFault
  var random: SeededRandom

  /// The faults of a round, in the order of their times; each kind comes by itself.
  static func draw(_ settings: StormSettings, round: Int, length: Duration) -> [StormFaultPlan] {
    var plans: [StormFaultPlan] = []
    for (index, fault) in StormFault.allCases.enumerated() where settings.faults.contains(fault) {
      let salt = UInt64(round) &* 0x9e37_79b9 &+ UInt64(index) &* 0x51_7cc1
      var random = SeededRandom(seed: settings.seed &* 0x6a09_e667 &+ salt)
      let usual = Self.mean(fault)
      // A short storm is a dense one.
      let mean =
        (length < .seconds(120) ? min(usual, length / 4) : usual) / max(1, settings.density)
      var time = Duration.zero
      var count = 0
      while true {
        time += random.duration(.zero, mean * 2)
        guard time < length else { break }
        count += 1
        let number = round * 100_000 + index * 1_000 + count
        let own = random.fork()
        if settings.faultsLeftOut.contains(number) { continue }
        plans.append(StormFaultPlan(number: number, at: time, fault: fault, random: own))
      }
    }
    return plans.sorted { ($0.at, $0.number) < ($1.at, $1.number) }
  }

  private static func mean(_ fault: StormFault) -> Duration {
    switch fault {
    case .crashes: .seconds(40)
    case .power: .seconds(90)
    case .space, .postgres, .clock: .seconds(120)
    default: .seconds(60)
    }
  }
}

extension StormWorld {
  private static let crashing: [ServiceName] = [
    "execution-router", "oms", "trading-gateway", "risk-manager", "portfolio-manager",
    "market-connector", "orderbook",
  ]

  /// Who speaks with whom.
  private static let neighbours: [(String, String)] = [
    ("trading-gateway", "oms"), ("trading-gateway", "oms"), ("oms", "execution-router"),
    ("execution-router", "market-connector"), ("trading-gateway", "risk-manager"),
    ("portfolio-manager", "oms"), ("trader", "trading-gateway"), ("trader", "oms"),
    ("trader", "risk-manager"), ("oms", "market-connector"), ("trading-gateway", "orderbook"),
    ("portfolio-manager", "orderbook"),
  ]

  /// Runs the plans at their times, from now on.
  func unleash(_ plans: [StormFaultPlan]) {
    let start = scheduler.uptime
    for plan in plans {
      scheduler.schedule(on: nil, at: start + plan.at) { [self] in
        var random = plan.random
        strike(plan, &random)
      }
    }
  }

  private func strike(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    guard isOpen else { return }
    switch plan.fault {
    case .lost, .late, .doubled, .reordered: weather(plan, &random)
    case .cuts: cut(plan, &random)
    case .crashes: crash(plan, &random)
    case .power: power(plan, &random)
    case .space: fill(plan, &random)
    case .clock: jump(plan, &random)
    case .slow: pause(plan, &random)
    case .postgres:
      countFault("#\(plan.number) PostgreSQL is away")
      record.isAway = true
      later(random.duration(.seconds(2), .seconds(25))) { [self] in record.isAway = false }
    case .silence, .bans, .stragglers, .halts, .streams, .fills, .rejections:
      trouble(plan, &random)
    case .terms, .delistings: list(plan, &random)
    case .damage: damage(plan, &random)
    case .backups: forget(plan, &random)
    case .selves: break
    }
  }

  /// A venue's list changes. Whoever reads it anew, does; the others go on with what they know.
  private func list(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let venue = venues[random.below(venues.count)]
    let index = random.below(venue.instruments.count)
    let symbol = venue.instruments[index].symbol
    countFault("#\(plan.number) \(plan.fault.rawValue): \(symbol) of \(venue.name)")
    if plan.fault == .terms {
      venue.refine(index)
    } else {
      venue.unlist(index)
      later(random.duration(.seconds(10), .seconds(40))) { venue.list(index) }
    }
    if random.below(2) == 0 {
      kill("market-connector", after: 1 + random.below(400), restart: .milliseconds(500))
    }
    let readers: [ServiceName] = ["oms", "execution-router", "trading-gateway"]
    let reader = readers[random.below(readers.count)]
    let steps = 1 + random.below(400)
    if random.below(2) == 0 {
      later(random.duration(.seconds(1), .seconds(9))) { [self] in
        kill(reader, after: steps, restart: .milliseconds(500))
      }
    }
  }

  /// The next write is lost, or lands elsewhere; the process ends when others have followed it.
  private func damage(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let names: [ServiceName] = ["oms", "execution-router", "risk-manager"]
    let name = names[random.below(names.count)]
    guard let disk = disk(of: name), disk.writesBehindDamage == nil else { return }
    let fault: DiskFault =
      switch random.below(4) {
      case 0: .lostSync
      case 1: .misdirectedWrite(by: random.below(16_384) - 8_192)
      default: .lostWrite
      }
    countFault("#\(plan.number) damage to the disk of \(name): \(fault)")
    disk.inject(fault)
    if name == "risk-manager" { provoke?() }
    later(random.duration(.seconds(2), .seconds(4))) { [self] in
      disk.clearFaults()
      kill(name, .process, restart: .milliseconds(300))
    }
  }

  /// PostgreSQL's server is exchanged for one that has a copy of some time ago.
  private func forget(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    countFault("#\(plan.number) a copy of PostgreSQL is taken")
    let copy = record.copy
    later(random.duration(.seconds(3), .seconds(20))) { [self] in
      trace.note("PostgreSQL is put back from a copy")
      record.isAway = true
      record.restore(copy)
      later(.seconds(2)) { [self] in record.isAway = false }
    }
  }

  private func later(_ delay: Duration, _ body: @escaping () -> Void) {
    scheduler.schedule(on: nil, at: scheduler.uptime + delay, body)
  }

  private func weather(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let share = [2_000, 10_000, 50_000][random.below(3)]
    countFault("#\(plan.number) \(plan.fault.rawValue) of \(share) packets in a million")
    let length = random.duration(.seconds(1), .seconds(12))
    switch plan.fault {
    case .lost:
      network.faults.lost = share
      later(length) { [self] in network.faults.lost = 0 }
    case .late:
      network.faults.late = share * 4
      later(length) { [self] in network.faults.late = 0 }
    case .doubled:
      network.faults.doubled = share * 4
      later(length) { [self] in network.faults.doubled = 0 }
    default:
      network.faults.reorders = true
      later(length) { [self] in network.faults.reorders = false }
    }
  }

  private func cut(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let pair = Self.neighbours[random.below(Self.neighbours.count)]
    let (from, to) = random.below(2) == 0 ? pair : (pair.1, pair.0)
    let length = random.duration(.milliseconds(200), .seconds(14))
    countFault("#\(plan.number) nothing from \(from) to \(to) for \(length)")
    network.cut(from: from, to: to, until: scheduler.uptime + length)
  }

  private func crash(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let name = Self.crashing[min(random.below(9), random.below(9)) % Self.crashing.count]
    let isLong = random.below(4) == 0
    let rest = random.duration(
      isLong ? .seconds(10) : .milliseconds(50), isLong ? .seconds(40) : .seconds(4))
    countFault("#\(plan.number) \(name) is to end")
    kill(name, after: 1 + random.below(400), restart: rest)
  }

  private func power(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let name: ServiceName = random.below(2) == 0 ? "oms" : "execution-router"
    countFault("#\(plan.number) the power of \(name) is to go")
    cutPower(
      name, after: random.below(6_000), restart: random.duration(.milliseconds(50), .seconds(4)))
  }

  private func fill(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let name: ServiceName = random.below(2) == 0 ? "oms" : "execution-router"
    guard let disk = disk(of: name) else { return }
    countFault("#\(plan.number) the disk of \(name) is full")
    disk.bytesMax = disk.bytesUsed
    later(random.duration(.seconds(2), .seconds(25))) { disk.bytesMax = .max }
  }

  private func jump(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let name = Self.services[random.below(Self.services.count)]
    let step = random.duration(.seconds(-20), .seconds(20))
    countFault("#\(plan.number) the clock of \(name) jumps by \(step)")
    clock(of: name)?.jump(by: step)
  }

  private func pause(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let name = Self.services[random.below(Self.services.count)]
    guard let loop = loop(of: name) else { return }
    let length = random.duration(.milliseconds(50), .seconds(6))
    countFault("#\(plan.number) \(name) stands still for \(length)")
    scheduler.pause(loop, until: scheduler.uptime + length)
  }

  private func trouble(_ plan: StormFaultPlan, _ random: inout SeededRandom) {
    let venue = venues[random.below(venues.count)]
    let length = random.duration(.seconds(1), .seconds(15))
    countFault("#\(plan.number) \(plan.fault.rawValue) at \(venue.name) for \(length)")
    let share = [20_000, 100_000, 400_000][random.below(3)]
    switch plan.fault {
    case .silence:
      venue.answersLost = share
      later(length) { venue.answersLost = 0 }
    case .stragglers:
      venue.stragglers = share
      later(length) { venue.stragglers = 0 }
    case .fills:
      venue.lateFills = share
      later(length) { venue.lateFills = 0 }
    case .rejections:
      venue.lateRejections = share
      later(length) { venue.lateRejections = 0 }
    case .bans: venue.bannedUntil = scheduler.uptime + length
    case .halts:
      let instrument = venue.instruments[random.below(venue.instruments.count)].id
      venue.halt(instrument, true)
      later(length) { venue.halt(instrument, false) }
    default: venue.cutStream(for: random.duration(.milliseconds(100), .seconds(8)))
    }
  }
}
