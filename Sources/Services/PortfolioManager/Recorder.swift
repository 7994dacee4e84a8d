internal import Chrono
internal import Contracts
internal import Loop
internal import Postgres
internal import ServiceKit
private import Synchronization
internal import Telemetry

/// Writes positions to PostgreSQL as they change: all of them first, when everything that the oms had to
/// tell is folded, for what lies there may be of another log.
final class Recorder: Sendable {
  private let positions: Positions
  private let store: any PositionStore
  private let config: Config
  private let context: ServiceContext
  private let condition: ReadinessBoard.Requirement
  private let complete: ReadinessBoard.Requirement
  private let isFolded: Mutex<@Sendable () -> Bool>
  private let state: Mutex<State>

  private struct State {
    /// The oldest change that is not written; nil when all are.
    var behindSince: Uptime?
    var problem: String?
    var refused: [String: String] = [:]
  }

  private static let toldAfter = Duration.seconds(2)

  init(
    _ positions: Positions, _ store: any PositionStore, _ config: Config, _ context: ServiceContext
  ) {
    self.positions = positions
    self.store = store
    self.config = config
    self.context = context
    condition = context.readiness.require(
      "record", reason: "PostgreSQL has not taken the positions yet", weight: .told)
    complete = context.readiness.require("record complete", weight: .told)
    complete.hold()
    isFolded = Mutex { false }
    state = Mutex(State(behindSince: context.loop.uptime))
    context.metrics.gauge(
      "portfolio_manager_record_set_aside_positions",
      help: "Positions that PostgreSQL did not take: portfolio.set_aside."
    ) { [weak self] in Double(self?.state.withLock { $0.refused.count } ?? 0) }
  }

  /// Nothing is written before `isFolded` says that the positions are those of now.
  func follow(_ isFolded: @escaping @Sendable () -> Bool) {
    self.isFolded.withLock { $0 = isFolded }
  }

  /// Runs until it fails; run again by its supervisor.
  func run() async throws {
    do {
      try await store.prepare()
      var (known, seen): (UInt64, UInt64) = (0, 0)
      var fold: UInt64?
      while !Task.isCancelled {
        seen = await positions.changes.change(after: seen).version
        guard isFolded.withLock({ $0 })() else {
          seen = 0
          await context.loop.sleep(for: config.recordInterval)
          continue
        }
        state.withLock { $0.behindSince = $0.behindSince ?? context.loop.uptime }
        let newest = await positions.fold
        let isWhole = newest != fold
        let changes = try await positions.changed(after: isWhole ? 0 : known)
        guard changes.fold == newest else { continue }
        hear(try await store.record(changes, isWhole: isWhole), of: changes, isWhole)
        (known, fold) = (changes.version, changes.fold)
        await context.loop.sleep(for: config.recordInterval)
      }
    } catch {
      state.withLock { $0.problem = errorText(error) }
      throw error
    }
  }

  private func hear(
    _ refused: [RefusedItem<PortfolioV1.Position>], of changes: PositionChanges, _ isWhole: Bool
  ) {
    func name(_ position: PortfolioV1.Position) -> String {
      "\(position.symbol) of \(position.account) at \(position.venue)"
    }
    state.withLock { state in
      (state.behindSince, state.problem) = (nil, nil)
      if isWhole { state.refused = [:] }
      for position in changes.positions { state.refused[name(position)] = nil }
      for refused in refused { state.refused[name(refused.item)] = refused.error.description }
    }
    for refused in refused {
      context.log.error(
        "PostgreSQL does not take a position: set aside in portfolio.set_aside",
        ["position": .text(name(refused.item)), "error": .text(refused.error.description)])
    }
  }

  /// To be called a few times a second. `trouble` is why PostgreSQL does not answer.
  func look(_ trouble: String?) {
    let state = self.state.withLock { $0 }
    let age = state.behindSince.map { context.loop.uptime - $0 } ?? .zero
    let problem = trouble ?? state.problem
    let wait = "positions wait to be written for \(age.components.seconds) s"
    if age > config.recordLagTimeMax {
      let limit = "record_lag_time_max is \(config.recordLagTimeMax.components.seconds) s"
      condition.fail("\(wait) (\(limit)): \(problem ?? "too slow")", weight: .health)
    } else if let problem {
      condition.fail("\(problem); \(wait)", weight: .told)
    } else if age > Self.toldAfter {
      condition.fail(wait, weight: .told)
    } else {
      condition.hold()
    }
    if let (position, error) = state.refused.first {
      complete.fail(
        "\(state.refused.count) positions are in portfolio.set_aside: \(position): \(error)")
    } else {
      complete.hold()
    }
  }
}
