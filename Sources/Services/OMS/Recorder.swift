internal import Contracts
internal import Journal
internal import Loop
internal import ServiceKit
private import Synchronization
internal import Telemetry

/// Carries the journal into PostgreSQL, in batches. PostgreSQL may be away for as long as it likes:
/// trading goes on, and the journal keeps what is to be recorded.
struct Recorder: Sendable {
  private let journal: Journal
  private let store: any OrderStore
  private let config: Config
  private let context: ServiceContext
  private let recorded: RecordedSequence
  private let batches: Counter

  init(
    _ journal: Journal, _ store: any OrderStore, _ config: Config, _ context: ServiceContext
  ) {
    self.journal = journal
    self.store = store
    self.config = config
    self.context = context
    let recorded = RecordedSequence()
    self.recorded = recorded
    context.metrics.gauge(
      "oms_record_lag_events", help: "Journal records that PostgreSQL does not have yet."
    ) { Double(journal.durable) - Double(recorded.value) }
    batches = context.metrics.counter(
      "oms_record_batches_total", help: "Transactions that carried events into PostgreSQL.")
  }

  /// Runs until the journal closes; run again by its supervisor when PostgreSQL fails.
  func run() async throws {
    try await store.prepare()
    recorded.value = try await store.recorded()
    var cursor = journal.records(from: recorded.value + 1)
    while let first = try await cursor.followingRecord() {
      var events: [OmsV1.OrderEvent] = []
      var last = first.sequence
      if let event = try OrderDesk.published(first) { events.append(event) }
      if journal.durable - last < config.recordBatchMax {
        await context.loop.sleep(for: config.recordInterval)
      }
      while events.count < config.recordBatchMax, let next = try cursor.nextRecord() {
        last = next.sequence
        if let event = try OrderDesk.published(next) { events.append(event) }
      }
      try await store.record(events, through: last)
      batches.increment()
      recorded.value = last
    }
  }
}

/// How far PostgreSQL has the journal, for the metric that is read at any time.
private final class RecordedSequence: Sendable {
  private let sequence = Atomic<UInt64>(0)

  var value: UInt64 {
    get { sequence.load(ordering: .relaxed) }
    set { sequence.store(newValue, ordering: .relaxed) }
  }
}
