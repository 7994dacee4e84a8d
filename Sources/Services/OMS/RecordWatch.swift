internal import Chrono
internal import Journal
internal import Loop
internal import ServiceKit
private import Synchronization
internal import Telemetry

/// How well PostgreSQL keeps up with the journal, as metrics and as conditions. It is the record that
/// people query: late is told, too late is not SERVING, and orders are taken all the while.
final class RecordWatch: Sendable {
  private let journal: Journal
  private let config: Config
  private let loop: EventLoop
  private let condition: ReadinessBoard.Requirement
  private let complete: ReadinessBoard.Requirement
  private let state: Mutex<State>

  private struct State {
    /// Nil before PostgreSQL has said it.
    var progress: RecordProgress?
    var problem: String?
    var lostUpTo: UInt64?
    var setAside = 0
    /// A record that waited when it was last looked, and since when.
    var waiting: Waiting?
  }

  private struct Waiting {
    var sequence: UInt64
    var since: Uptime
  }

  /// Shorter waits are what a batch costs.
  private static let toldAfter = Duration.seconds(2)

  /// Up to which record PostgreSQL has everything; 0 before it has said so.
  private let position: SharedSequence

  init(
    _ journal: Journal, _ config: Config, _ context: ServiceContext, _ position: SharedSequence
  ) {
    self.journal = journal
    self.position = position
    self.config = config
    loop = context.loop
    condition = context.readiness.require(
      "record", reason: "PostgreSQL has not said how far the record goes", weight: .told)
    complete = context.readiness.require("record complete", weight: .told)
    complete.hold()
    state = Mutex(State(waiting: Waiting(sequence: 1, since: context.loop.uptime)))
    context.metrics.gauge(
      "oms_record_lag_events",
      help: "Journal records that PostgreSQL does not have yet; all, while it has not said."
    ) { [weak self] in Double(self?.lag ?? 0) }
    context.metrics.gauge(
      "oms_record_set_aside_events", help: "Events that PostgreSQL did not take: oms.set_aside."
    ) { [weak self] in Double(self?.setAside ?? 0) }
  }

  // MARK: What it is told

  func begin(_ progress: RecordProgress) {
    position.value = progress.isAgain ? 0 : progress.position.sequence
    state.withLock { state in
      state.progress = progress
      state.problem = nil
    }
  }

  func advance(to progress: RecordProgress) { begin(progress) }

  func fail(_ problem: String) { state.withLock { $0.problem = problem } }

  func lose(upTo sequence: UInt64) { state.withLock { $0.lostUpTo = sequence } }

  var setAside: Int {
    get { state.withLock { $0.setAside } }
    set { state.withLock { $0.setAside = newValue } }
  }

  /// As PostgreSQL has confirmed it; nil before it has said anything.
  var progress: RecordProgress? { state.withLock { $0.progress } }

  var lag: UInt64 { state.withLock { lag($0) } }

  private func lag(_ state: State) -> UInt64 {
    let durable = journal.durable
    return durable - min(durable, state.progress?.position.sequence ?? 0)
  }

  // MARK: Conditions

  /// To be called a few times a second. `trouble` is why PostgreSQL does not answer.
  func look(_ trouble: String?) {
    let now = loop.uptime
    let state = self.state.withLock { state in
      let recorded = state.progress?.position.sequence ?? 0
      if lag(state) == 0, state.progress != nil {
        state.waiting = nil
      } else if state.waiting.map({ recorded >= $0.sequence }) ?? true {
        state.waiting = Waiting(sequence: journal.durable, since: now)
      }
      return state
    }
    let age = state.waiting.map { now - $0.since } ?? .zero
    tellLag(lag(state), age, state, trouble)
    if let lost = state.lostUpTo {
      complete.fail("records before \(lost) have left the journal before they were recorded")
    } else if state.setAside > 0 {
      complete.fail("\(state.setAside) events are in oms.set_aside, which PostgreSQL did not take")
    } else {
      complete.hold()
    }
  }

  private func tellLag(_ lag: UInt64, _ age: Duration, _ state: State, _ trouble: String?) {
    let wait = "\(lag) events wait to be recorded, for \(age.components.seconds) s"
    let problem = trouble ?? state.problem
    if let progress = state.progress, progress.isAgain, problem == nil {
      // The rows of the generation before are there meanwhile.
      return condition.fail(
        "is written again from the journal's first record: at \(progress.position.sequence) of "
          + "\(journal.durable)", weight: .told)
    }
    let isLate = age > config.recordLagTimeMax || lag > config.recordLagEventsMax
    if isLate, lag > 0 || state.progress == nil {
      let limit =
        age > config.recordLagTimeMax
        ? "record_lag_time_max is \(config.recordLagTimeMax.components.seconds) s"
        : "record_lag_events_max is \(config.recordLagEventsMax)"
      condition.fail("\(wait) (\(limit)): \(problem ?? "too slow")", weight: .health)
    } else if let problem {
      condition.fail("\(problem); \(wait)", weight: .told)
    } else if age > Self.toldAfter {
      condition.fail(wait, weight: .told)
    } else {
      condition.hold()
    }
  }
}
