internal import Loop
internal import Risk
internal import ServiceKit
private import Synchronization
internal import Telemetry

/// Keeps PostgreSQL's record of the limits and the kill switch equal to what is in force, for people who
/// query it. It is behind, never in the way, and may be away for as long as it likes.
struct Recorder: Sendable {
  private let book: LimitBook
  private let store: any LimitStore
  private let config: Config
  private let context: ServiceContext
  private let holds: ReadinessBoard.Requirement
  private let progress = Progress()

  private final class Progress: Sendable {
    let known = Atomic<UInt64>(0)
    let recorded = Atomic<UInt64>(0)
  }

  init(_ book: LimitBook, _ store: any LimitStore, _ config: Config, _ context: ServiceContext) {
    self.book = book
    self.store = store
    self.config = config
    self.context = context
    holds = context.readiness.require(
      "record", reason: "PostgreSQL has not answered", isNeeded: false)
    context.metrics.gauge(
      "risk_manager_record_lag_changes", help: "Changes that PostgreSQL does not have yet."
    ) { [progress] in
      let known = progress.known.load(ordering: .relaxed)
      let recorded = progress.recorded.load(ordering: .relaxed)
      return Double(known > recorded ? known - recorded : 0)
    }
  }

  /// Until the service stops; run again by its supervisor when PostgreSQL fails.
  func run() async throws {
    do {
      try await store.prepare()
      if await !book.hasLimits { try await takeOver() }
      while !Task.isCancelled {
        let register = await book.register
        progress.known.store(register.version, ordering: .relaxed)
        if progress.recorded.load(ordering: .relaxed) != register.version {
          try await patiently { try await store.record(register) }
          progress.recorded.store(register.version, ordering: .relaxed)
        } else {
          // So that a database that is away is known before there is something to write.
          try await patiently { try await store.probe() }
        }
        holds.hold()
        await book.change(after: register.version, within: config.heartbeat)
      }
    } catch {
      progress.known.store(await book.version, ordering: .relaxed)
      holds.fail("PostgreSQL: \(error)")
      throw error
    }
  }

  /// A database that does not answer is away, also while its pool still waits for it.
  private func patiently(_ work: () async throws -> Void) async throws {
    let alarm = context.loop.spawn { [holds, loop = context.loop] in
      await loop.sleep(for: Self.patience)
      if !Task.isCancelled { holds.fail("PostgreSQL does not answer") }
    }
    defer { alarm.cancel() }
    try await work()
  }

  private static let patience = Duration.seconds(1)

  /// The first start of this version: what an earlier one has stored, or the settings when there was
  /// none. While PostgreSQL cannot say, nobody trades on defaults.
  private func takeOver() async throws {
    let stored = try await store.load(standard: config.limits)
    try await book.takeOver(
      stored?.limits ?? config.limits, stored?.killSwitch, version: stored?.version ?? 0)
    context.log.info(
      "limits taken over into the journal",
      ["from": stored == nil ? "settings" : "PostgreSQL"])
  }
}
