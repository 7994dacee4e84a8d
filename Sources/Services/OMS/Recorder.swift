internal import Calls
internal import Contracts
internal import Journal
internal import Loop
internal import Mutants
internal import Postgres
internal import ServiceKit
internal import Telemetry
internal import Translation

/// Carries the journal into PostgreSQL, in batches. PostgreSQL may be away for as long as it likes:
/// trading goes on, and the journal keeps what is to be recorded.
struct Recorder: Sendable {
  let record: RecordWatch
  private let journal: Journal
  private let store: any OrderStore
  private let config: Config
  private let context: ServiceContext
  private let batches: Counter
  private let restarts: Counter

  init(
    _ journal: Journal, _ store: any OrderStore, _ config: Config, _ context: ServiceContext,
    _ position: SharedSequence
  ) {
    self.journal = journal
    self.store = store
    self.config = config
    self.context = context
    record = RecordWatch(journal, config, context, position)
    batches = context.metrics.counter(
      "oms_record_batches_total", help: "Transactions that carried events into PostgreSQL.")
    restarts = context.metrics.counter(
      "oms_record_restarts_total", help: "Times that recording began at the first record again.")
  }

  /// Runs until the journal closes; run again by its supervisor when PostgreSQL fails.
  func run() async throws {
    do {
      try await store.prepare()
      var progress = try await comparedProgress()
      if Mutant.isOn(.recordSkipped) { progress.position.sequence = journal.durable }
      record.setAside = try await store.setAsideCount()
      record.begin(progress)
      try await withThrowingTaskGroup(of: Void.self) { [progress] group in
        group.addTask { try await carry(behind: progress) }
        group.addTask { try await compareNowAndThen() }
        defer { group.cancelAll() }
        try await group.next()
      }
    } catch {
      record.fail(errorText(error))
      throw error
    }
  }

  private func carry(behind known: RecordProgress) async throws {
    var progress = known
    var cursor = journal.records(from: first(behind: progress))
    while let batch = try await nextBatch(&cursor) {
      // What is told next closes up to what is there, or a gap would stay for good.
      try await compare()
      progress.position = batch.end
      let refused = try await store.record(batch.events, through: progress)
      batches.increment()
      if progress.endsAgain { progress.againUntil = 0 }
      record.advance(to: progress)
      try await tell(refused)
    }
  }

  /// A server that was put back from a copy knows less than PostgreSQL was told, and while there is
  /// nothing to record nobody would notice.
  private func compareNowAndThen() async throws {
    while true {
      await context.loop.sleep(for: Self.compareInterval)
      try Task.checkCancellation()
      try await compare()
    }
  }

  private func compare() async throws {
    guard let told = record.progress else { return }
    let stored = try await store.progress()
    guard stored.generation == told.generation,
      stored.position.sequence >= told.position.sequence
    else {
      throw RPCError(
        .aborted,
        "PostgreSQL was told up to event \(told.position.sequence), and has the record up to "
          + "\(stored.position.sequence): it was put back from a copy")
    }
  }

  private static let compareInterval = Duration.seconds(5)

  /// How far this journal is recorded: nothing of it, when the record is of another one. A journal
  /// that is restored from an older copy counts on from there, so that its sequences come again with
  /// other events.
  private func comparedProgress() async throws -> RecordProgress {
    let progress = try await store.progress()
    guard let replaced = try journal.replacement(of: progress.position) else { return progress }
    context.log.error(
      "PostgreSQL has the record of another journal: everything is recorded again",
      [
        "reason": .text(replaced.description), "recorded": "\(progress.position.sequence)",
        "journal": "\(journal.durable)", "generation": "\(progress.generation + 1)",
      ])
    restarts.increment()
    return try await store.beginAgain(replaced.description, until: max(1, journal.durable))
  }

  private func first(behind progress: RecordProgress) -> UInt64 {
    let next = progress.position.sequence + 1
    guard next < journal.oldest else { return next }
    context.log.error(
      "records have left the journal before they were recorded",
      ["first": "\(next)", "oldest": "\(journal.oldest)"])
    record.lose(upTo: journal.oldest)
    return journal.oldest
  }

  private struct Batch {
    var events: [OmsV1.OrderEvent] = []
    var end: LogPosition
  }

  /// Nil when the journal is closed.
  private func nextBatch(_ cursor: inout JournalCursor) async throws -> Batch? {
    guard let first = try await cursor.followingRecord() else { return nil }
    var batch = Batch(end: LogPosition(first))
    if let event = try OrderDesk.published(first) { batch.events.append(event) }
    if journal.durable - first.sequence < config.recordBatchMax {
      await context.loop.sleep(for: config.recordInterval)
    }
    while batch.events.count < config.recordBatchMax, let next = try cursor.nextRecord() {
      batch.end = LogPosition(next)
      if let event = try OrderDesk.published(next) { batch.events.append(event) }
    }
    return batch
  }

  private func tell(_ refused: [RefusedItem<OmsV1.OrderEvent>]) async throws {
    guard !refused.isEmpty else { return }
    for refused in refused {
      context.log.error(
        "PostgreSQL does not take an event: set aside in oms.set_aside",
        [
          "sequence": "\(refused.item.sequence)", "kind": .text(refused.item.kind.name),
          "order_id": .text(refused.item.order?.orderId ?? ""),
          "error": .text(refused.error.description),
        ])
    }
    record.setAside = try await store.setAsideCount()
  }

  /// Hears of rows that a person has mended.
  func recount() async throws {
    if record.setAside > 0 { record.setAside = try await store.setAsideCount() }
  }
}
