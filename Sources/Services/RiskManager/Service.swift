package import Calls
internal import Contracts
package import Journal
internal import Risk
package import ServiceKit
internal import Telemetry

/// The limits and the kill switch: their source of truth, streamed to the gates.
package struct RiskManager: ServiceDefinition {
  package static let name: ServiceName = "risk-manager"
  package static let summary = "limits and the kill switch, journaled and streamed to the gates"
  package static let needs: [ServiceName] = ["discovery", "auth"]

  private let context: ServiceContext
  private let log: JournalLog
  private let book: LimitBook
  private let recorder: Recorder
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    try self.init(
      context, config, PostgresLimitStore(try context.database()), JournalSettings())
  }

  /// With a record and a disk of somebody's choice.
  package init(
    _ context: ServiceContext, _ config: Config, _ store: any LimitStore,
    _ journal: JournalSettings
  ) throws {
    self.context = context
    let (log, register) = try JournalLog.open(try context.journalDirectory(), journal)
    self.log = log
    book = LimitBook(register, log, MarketListings(context), config, context)
    recorder = Recorder(book, store, config, context)
    let changes = context.metrics.counters(
      "risk_manager_kill_switch_total", help: "Changes of the kill switch.", labels: ["change"])
    methods =
      Handlers(book: book, config: config, service: context, killSwitchChanges: changes).methods
    context.log.info(
      "journal recovered",
      [
        "version": .text("\(register.version)"),
        "kill_switch": .text(register.killSwitch.isEngaged ? "engaged" : "released"),
      ])
  }

  package func start() async throws {
    await book.absorbMark()
    context.watchMark { [book] in await book.absorbMark() }
    context.spawn("record") { [recorder] in try await recorder.run() }
  }

  package func stop() async { log.close() }
}
