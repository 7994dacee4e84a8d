package import Chrono

/// What can go wrong in a storm, by the names of `--faults`.
package enum StormFault: String, Sendable, Hashable, CaseIterable {
  /// A connection breaks under a call: before it arrives, or before its answer does.
  case lost
  case late
  /// A request that may be repeated comes twice.
  case doubled
  case reordered
  /// Nothing passes from one process to another, the other way is open.
  case cuts
  /// A process ends between any two of its steps, and is started again.
  case crashes
  /// The power goes at any byte of a journal: what was not synced stays or goes by sectors.
  case power
  /// The disk is full for a while.
  case space
  /// A wall clock jumps.
  case clock
  /// A process stands still for a while.
  case slow
  /// PostgreSQL is away for a while.
  case postgres
  /// A venue carries a request out, and its answer is lost.
  case silence
  /// A venue refuses everything for a while.
  case bans
  /// A request reaches the venue long after it was given up.
  case stragglers
  /// A market is halted for a while.
  case halts
  /// The private stream breaks, and what was said meanwhile is not said again.
  case streams
  /// A part of an order fills at the moment of its cancel, and is told late.
  case fills
  /// A venue lets us trade with ourselves.
  case selves
  /// A venue rejects an order that it had taken.
  case rejections
  /// A venue counts the prices of a market in finer steps from now on.
  case terms
  /// A market is taken off a venue's list for a while, and its orders are cancelled.
  case delistings
  /// A journal's disk loses a write, or does it elsewhere, and says yes.
  case damage
  /// Journals and PostgreSQL are put back from copies that are older than what they tell of.
  case backups
}

/// One storm: everything that it is follows from these.
package struct StormSettings: Sendable, Hashable {
  package var seed: UInt64
  /// Simulated.
  package var duration = Duration.seconds(3_600)
  package var faults = Set(StormFault.allCases)
  package var ordersPerSecond = 20
  /// Faults come so many times as often as usual.
  package var density = 1
  /// Rounds end with a calm in which everything must agree.
  package var round = Duration.seconds(300)
  /// Keeps the last lines of what happened; costs time.
  package var isTraced = false
  /// Acts of the traders, and faults, that are left out: what shrinking finds to be beside the point.
  package var actsLeftOut: Set<Int> = []
  package var faultsLeftOut: Set<Int> = []

  package init(seed: UInt64) { self.seed = seed }

  /// Nothing holds processes and wires back: what is asked for happens in moments.
  var isPrompt: Bool {
    faults.isSubset(of: [
      .silence, .bans, .halts, .fills, .postgres, .selves, .doubled, .rejections,
    ])
  }

  /// What was asked of a venue has come to it before anybody can deny it, and what is recorded of it
  /// stays recorded.
  var endsAreFinal: Bool {
    faults.isDisjoint(with: [.stragglers, .slow, .clock, .damage, .backups])
  }

  /// Venues answer, and nothing but their streams hides what they do.
  var isTold: Bool {
    faults.isSubset(of: [.streams, .halts, .fills, .selves, .doubled, .rejections])
  }

  /// 23:58:50 on a day, so that midnight comes to every run that is long enough.
  package static let start = Instant(nanoseconds: 1_764_547_130_000_000_000)
}

/// How a storm ended.
package struct StormResult: Sendable {
  package var settings: StormSettings
  /// What was broken, and how: nil for a run that held.
  package var violation: StormViolation?
  package var simulated: Duration
  package var wall: Duration
  package var orders = 0
  package var fills = 0
  package var crashes = 0
  package var faults = 0
  package var steps: UInt64 = 0
  package var digest: UInt64 = 0
  /// The last lines of what happened, and those about what is broken.
  package var trace: [String] = []
  package var about: [String] = []

  /// One line.
  package var summary: String {
    let seconds = Self.milliseconds(wall)
    let factor = seconds > 0 ? Self.milliseconds(simulated) / seconds : 0
    return "seed \(settings.seed): \(Self.milliseconds(simulated) / 1_000) s simulated, "
      + "\(orders) orders, \(fills) fills, \(crashes) crashes, \(faults) faults, \(steps) steps, "
      + "\(seconds) ms (\(factor) x), digest \(String(digest, radix: 16)), "
      + (violation.map { "BROKEN: \($0)" } ?? "held")
  }

  static func milliseconds(_ duration: Duration) -> Int64 { duration.wholeNanoseconds / 1_000_000 }
}

/// A rule that did not hold.
package struct StormViolation: Error, Sendable, Hashable, CustomStringConvertible {
  package let rule: StormRule
  package let text: String

  package var description: String { "\(rule.rawValue): \(text)" }
}

/// What must hold, whatever happens.
package enum StormRule: String, Sendable, Hashable, CaseIterable {
  case conserved =
    "what filled at the venue, in the orders, in the record and in the positions is one"
  case once = "no order is at a venue twice, and none fills beyond its quantity"
  case admitted =
    "no order is at a venue that the gate did not admit under the limits in force"
  case exposure = "no exposure is above its limit"
  case acknowledged = "what was acknowledged is there, as it was acknowledged"
  case killed = "nothing new is sent once the kill switch has answered"
  case free = "a check changes nothing"
  case cleared = "once the kill switch has answered, what is open ends"
  case reserved = "what is reserved is owned by an order that lives"
  case ended = "every order ends"
  case rolled = "the day rolls"
  case kept = "what is open in the oms is open at its venue"
  case over = "an order that has ended is not open at its venue"
  case prompt = "what is sent is sent in its time"
  case gone = "an order that is to be cancelled is not placed anew"
  case door = "what cannot be sent soon is refused"
  case told = "what has filled is known soon"
  case valued = "a restart changes nothing about the day"
  case alive = "every process starts again, and comes to rest"
}
