package import Calls
internal import Contracts
package import Journal
internal import Loop
internal import Postgres
package import ServiceKit
internal import Telemetry
internal import Translation

/// The order: its states, its journal, its record.
package struct OMS: ServiceDefinition {
  package static let name: ServiceName = "oms"
  package static let summary = "orders: state machine, journal, record in PostgreSQL"
  package static let needs: [ServiceName] = ["discovery", "auth", "execution-router"]

  private let context: ServiceContext
  private let desk: OrderDesk
  private let router: RouterLink
  private let recorder: Recorder
  private let database: DatabaseWatch?
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    let database = try context.database()
    try self.init(
      context, config, PostgresOrderStore(database), .ofThisOpening(),
      DatabaseWatch(database, context))
  }

  /// With a record and a disk of somebody's choice. `database`: whom to ask whether the record's server
  /// answers; nil for a record that has none.
  package init(
    _ context: ServiceContext, _ config: Config, _ store: any OrderStore,
    _ journal: JournalSettings, _ database: DatabaseWatch? = nil
  ) throws {
    let record = SharedSequence()
    let log = try context.openJournaled(
      config.journal.journaling(on: journal), snapshotRecords: config.journal.snapshotRecords,
      empty: OrderState(config))
    self.context = context
    self.database = database
    self.desk = OrderDesk(config, context, log) { record.value }
    self.router = RouterLink(desk, config, context)
    self.recorder = Recorder(log.journal, store, config, context, record)
    self.methods =
      Handlers(desk: desk, router: router, store: store, context: context, config: config).methods
    context.log.info(
      "journal recovered",
      [
        "records": .text("\(log.journal.recovery.last)"),
        "snapshot": .text("\(log.snapshots.newest)"),
        "orders": .text("\(log.state.rows.count)"),
        "cut_bytes": .text("\(log.journal.recovery.cutBytes)"),
      ])
  }

  static let journalCondition = "journal"

  package func start() async throws {
    let condition = context.readiness.require(Self.journalCondition, reason: "not opened")
    desk.journal.onFailureChange { failure in
      if let failure { condition.fail(failure.problem) } else { condition.hold() }
    }
    let instruments = context.readiness.require(
      "instruments", reason: "market-connector has not told")
    context.spawn("learn instruments") { [desk, context] in
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      var options = CallOptions()
      options.waitsForReady = true
      try await market.learnInstruments(
        options, pause: { await context.loop.sleep(for: .seconds(1)) }
      ) { known in
        try await desk.learn(known)
        instruments.hold()
      }
    }
    context.spawn("follow reports") { [router] in try await router.followReports() }
    context.spawn("record") { [recorder] in try await recorder.run() }
    if let database { context.spawn("ask PostgreSQL") { try await database.run() } }
    context.spawn("watch the record", every: .milliseconds(250)) { [recorder, database] in
      recorder.record.look(database?.trouble)
    }
    context.spawn("count what is set aside", every: .seconds(1)) { [recorder] in
      try await recorder.recount()
    }
    context.spawn("let go of old orders", every: .milliseconds(100)) { [desk] in
      await desk.evict()
    }
    await router.resume()
  }

  package func stop() async { await desk.close() }
}
