internal import Calls
package import Chrono
internal import Loop
internal import Mutants
private import Synchronization
internal import Telemetry

/// Reads somebody's log from where it stands, again and again until the service stops: one connection
/// per `run`, which a supervisor repeats.
///
/// What an event does that cannot be applied, and what happens when the log is another one than was
/// read before, its owner states: a log is never skipped over in silence, and the same event is never
/// tried for ever.
package final class Follower<Event: Sendable>: Sendable {
  /// When an event does not apply.
  package enum Misfit: Sendable {
    /// It is left out: counted, logged and told by the condition `<name> set aside`.
    case setAside
    /// Nothing behind it is read; the service is not ready, and says which event it was.
    case stop
  }

  /// When the log was replaced, or restored from a copy.
  package enum Replacement: Sendable {
    /// All that was read is forgotten by this, and the log is read from its beginning.
    case startOver(@Sendable () async throws -> Void)
    /// Nothing more is read, and the service is not ready.
    case stop
    /// The process ends, and its supervisor starts one that has read nothing.
    case endProcess
  }

  private let source: LogSource<Event>
  private let context: ServiceContext
  private let misfit: Misfit
  private let replacement: Replacement
  private let apply: @Sendable (Event) async throws -> Void
  private let whenCaughtUp: @Sendable () async -> Void
  private let caughtUp: ReadinessBoard.Requirement
  private let following: ReadinessBoard.Requirement
  private let complete: ReadinessBoard.Requirement
  private let lag: Gauge
  private let setAside: Counter
  private let startedOver: Counter
  private let state: Mutex<State>

  private struct State {
    var position: LogPosition
    var target: UInt64 = 0
    var isCaughtUp = false
    var setAside: UInt64 = 0
    var hasStopped = false
    /// Since when nothing is heard.
    var silentSince: Uptime?
  }

  /// `position` is what is known already, of a journal of one's own for example. `whenCaughtUp` is
  /// called when all has been read that there was, at first and after every start from the beginning.
  package init(
    _ source: LogSource<Event>, _ context: ServiceContext, from position: LogPosition = .start,
    misfit: Misfit, replacement: Replacement,
    whenCaughtUp: @escaping @Sendable () async -> Void = {},
    apply: @escaping @Sendable (Event) async throws -> Void
  ) {
    self.whenCaughtUp = whenCaughtUp
    self.source = source
    self.context = context
    self.misfit = misfit
    self.replacement = replacement
    self.apply = apply
    let board = context.readiness
    caughtUp = board.require(
      "\(source.name) caught up", reason: "\(source.owner) has not been read yet")
    following = board.require(
      "\(source.name) followed", reason: "\(source.owner) has not been read yet", weight: .told)
    complete = board.require("\(source.name) set aside", weight: .told)
    complete.hold()
    let metrics = context.metrics
    lag = metrics.gauges(
      "log_lag_events", help: "Events that were not read yet when their log was last asked.",
      labels: ["log"]
    ).with(source.name)
    setAside = metrics.counters(
      "log_set_aside_total", help: "Events that did not apply and were left out.", labels: ["log"]
    ).with(source.name)
    startedOver = metrics.counters(
      "log_restarts_total",
      help: "Times that a log was another one, and was read from its beginning.",
      labels: ["log"]
    ).with(source.name)
    state = Mutex(State(position: position, silentSince: context.loop.uptime))
  }

  package var position: LogPosition { state.withLock { $0.position } }

  /// All has been read that there was when the log was last asked.
  package var isCaughtUp: Bool { state.withLock { $0.isCaughtUp } }

  /// For how long nothing has been heard, as far as can be told; zero while the log is open. One that has
  /// stopped hears nothing any more.
  package func silence(now: Uptime) -> Duration {
    state.withLock { state in state.silentSince.map { now - $0 } ?? .zero }
  }

  /// One connection, until it breaks. Returns only when there is nothing more to be done.
  package func run() async throws {
    guard !state.withLock({ $0.hasStopped }) else { return }
    defer { hear(nothingSince: context.loop.uptime) }
    do {
      try await follow()
    } catch let replaced as LogReplaced {
      try await begin(again: replaced)
    } catch {
      if !Task.isCancelled { following.fail(errorText(error)) }
      throw error
    }
  }

  private func hear(nothingSince moment: Uptime?) {
    state.withLock { state in
      state.silentSince = moment.map { state.silentSince ?? $0 }
    }
  }

  private func follow() async throws {
    let position = self.position
    if let target = try await source.target() {
      guard target >= position.sequence || Mutant.isOn(.logUncompared) else {
        throw LogReplaced(
          "event \(position.sequence) of \(source.owner) was read, and its log ends at \(target)")
      }
      state.withLock { $0.target = target }
    }
    await hearCaughtUp()
    let reading: LogReading<Event>
    do {
      reading = try await source.open(position)
    } catch let error as RPCError {
      throw LogReplaced(error) ?? error
    }
    defer { reading.cancel() }
    following.hold()
    hear(nothingSince: nil)
    while true {
      let next: Event?
      do { next = try await reading.next() } catch let error as RPCError {
        throw LogReplaced(error) ?? error
      }
      guard let event = next else {
        throw RPCError(.unavailable, "\(source.owner) ended its stream")
      }
      guard try await take(event) else { return }
    }
  }

  /// False when nothing more is to be read.
  private func take(_ event: Event) async throws -> Bool {
    let at = source.position(event)
    guard at.sequence > position.sequence else { return true }
    do {
      try await apply(event)
    } catch {
      if Task.isCancelled || error is CancellationError { throw error }
      guard leaveOut(at.sequence, errorText(error)) else { return false }
    }
    state.withLock { $0.position = at }
    await hearCaughtUp()
    return true
  }

  private func hearCaughtUp() async {
    let (missing, isNew) = state.withLock { state in
      let missing = state.target - min(state.target, state.position.sequence)
      let isNew = missing == 0 && !state.isCaughtUp
      if isNew { state.isCaughtUp = true }
      return (missing, isNew)
    }
    lag.set(Double(missing))
    if isNew { await whenCaughtUp() }
    if missing == 0 { caughtUp.hold() }
  }

  private func leaveOut(_ sequence: UInt64, _ problem: String) -> Bool {
    let fields: LogFields = [
      "owner": .text(source.owner), "sequence": .text("\(sequence)"), "error": .text(problem),
    ]
    switch misfit {
    case .setAside:
      let count = state.withLock { state in
        state.setAside += 1
        return state.setAside
      }
      context.log.error("an event does not apply: set aside", fields)
      setAside.increment()
      complete.fail("\(count) events do not apply; the last is \(sequence): \(problem)")
      return true
    case .stop:
      context.log.critical("an event does not apply: nothing behind it is read", fields)
      stop("event \(sequence) of \(source.owner) does not apply: \(problem)")
      return false
    }
  }

  private func begin(again replaced: LogReplaced) async throws {
    let at = position
    context.log.error(
      "a log is not the one that was read before",
      [
        "owner": .text(source.owner), "sequence": .text("\(at.sequence)"),
        "reason": .text(replaced.description),
      ])
    let reason = "the log of \(source.owner) was replaced: \(replaced)"
    guard case .startOver(let forget) = replacement else {
      stop(reason)
      if case .endProcess = replacement { context.endProcess(reason) }
      return
    }
    caughtUp.fail("the log of \(source.owner) is read again from its beginning: \(replaced)")
    try await forget()
    state.withLock { state in
      state.position = .start
      state.isCaughtUp = false
    }
    startedOver.increment()
    throw RPCError(.aborted, "the log of \(source.owner) was replaced: \(replaced)")
  }

  private func stop(_ reason: String) {
    state.withLock { $0.hasStopped = true }
    caughtUp.fail(reason)
  }
}
