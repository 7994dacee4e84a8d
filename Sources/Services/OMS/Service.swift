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
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    try self.init(context, config, PostgresOrderStore(try context.database()), .ofThisOpening())
  }

  /// With a record and a disk of somebody's choice.
  package init(
    _ context: ServiceContext, _ config: Config, _ store: any OrderStore,
    _ journal: JournalSettings
  ) throws {
    let recovery = try Recovery(try context.journalDirectory(), config, journal)
    self.context = context
    self.desk = OrderDesk(config, context, recovery)
    self.router = RouterLink(desk, config, context)
    self.recorder = Recorder(recovery.journal, store, config, context)
    self.methods =
      Handlers(desk: desk, router: router, store: store, context: context, config: config).methods
    context.log.info(
      "journal recovered",
      [
        "records": .text("\(recovery.journal.recovery.last)"),
        "orders": .text("\(recovery.rows.count)"),
        "cut_bytes": .text("\(recovery.journal.recovery.cutBytes)"),
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
    await router.resume()
  }

  package func stop() async { desk.journal.close() }
}
