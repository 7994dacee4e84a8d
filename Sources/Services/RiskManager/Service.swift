package import Calls
internal import Contracts
package import ServiceKit
internal import Telemetry

/// The limits and the kill switch: their source of truth, streamed to the gates.
package struct RiskManager: ServiceDefinition {
  package static let name: ServiceName = "risk-manager"
  package static let summary = "limits and the kill switch, stored and streamed to the gates"
  package static let needs: [ServiceName] = ["discovery", "auth"]

  private let context: ServiceContext
  private let book: LimitBook
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    book = LimitBook(PostgresLimitStore(try context.database()), config)
    let changes = context.metrics.counters(
      "risk_manager_kill_switch_total", help: "Changes of the kill switch.", labels: ["change"])
    methods =
      Handlers(book: book, config: config, service: context, killSwitchChanges: changes).methods
  }

  package func start() async throws {
    let loaded = context.readiness.require("limits", reason: "PostgreSQL has not answered")
    context.spawn("load limits") { [book] in
      try await book.load()
      loaded.hold()
    }
  }
}
