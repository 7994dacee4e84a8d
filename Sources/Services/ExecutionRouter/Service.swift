package import Calls
internal import Contracts
internal import Execution
package import Journal
internal import Loop
package import ServiceKit
internal import Telemetry
internal import Translation

/// Parent orders into child orders at venues, with every intent journaled before it leaves.
package struct ExecutionRouter: ServiceDefinition {
  package static let name: ServiceName = "execution-router"
  package static let summary =
    "market and limit orders to the venue; intents journaled, silence resolved"
  package static let needs: [ServiceName] = ["discovery", "auth", "market-connector"]

  private let context: ServiceContext
  private let router: Router
  private let desk: VenueDesk
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    try self.init(context, config, .ofThisOpening())
  }

  /// With a disk of somebody's choice.
  package init(
    _ context: ServiceContext, _ config: Config, _ journal: JournalSettings
  ) throws {
    var settings = config.journal.journaling(on: journal)
    let told = SharedSequence()
    if config.keepBytes > 0 {
      settings.retention = .init(ageMax: nil, bytesMax: config.keepBytes) { $0 <= told.value }
    }
    let log = try context.openJournaled(
      settings, snapshotRecords: config.journal.snapshotRecords, empty: RoutingState(config))
    self.context = context
    self.router = Router(config, context, log)
    self.desk = VenueDesk(router, config, context)
    self.methods = Handlers(router: router, context: context, told: told).methods
    context.log.info(
      "journal recovered",
      [
        "records": .text("\(log.journal.recovery.last)"),
        "snapshot": .text("\(log.snapshots.newest)"),
        "open_orders": .text("\(log.state.ledger.open.count)"),
        "cut_bytes": .text("\(log.journal.recovery.cutBytes)"),
      ])
  }

  package func start() async throws {
    await router.use(desk)
    try await router.tellOwed()
    let condition = context.readiness.require("journal", reason: "not opened")
    router.journal.onFailureChange { failure in
      if let failure { condition.fail(failure.problem) } else { condition.hold() }
    }
    let reconciled = context.readiness.require("reconciled", reason: "waiting for market-connector")
    context.spawn("learn instruments and reconcile") { [router, desk, context] in
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      var options = CallOptions()
      options.waitsForReady = true
      try await market.learnInstruments(
        options, pause: { await context.loop.sleep(for: .seconds(1)) }
      ) { known in
        try await router.learn(known)
        for venue in Set(known.map(\.venue)).sorted() where await router.takesOn(venue) {
          Self.follow(venue, desk, context, reconciled)
        }
      }
    }
  }

  /// Each venue for itself: one that does not answer holds the others up in nothing.
  private static func follow(
    _ venue: String, _ desk: VenueDesk, _ context: ServiceContext,
    _ any: ReadinessBoard.Requirement
  ) {
    let own = context.readiness.require(
      "reconciled with \(venue)", reason: "the venue has not been asked", isNeeded: false)
    let open = context.readiness.require("orders at \(venue)", isNeeded: false)
    open.hold()
    context.spawn("watch what is open at \(venue)", every: .seconds(1)) {
      desk.watch([venue: open])
    }
    let reconciled: @Sendable () -> Void = {
      own.hold()
      any.hold()
    }
    context.spawn("verify orders at \(venue)") { try await desk.verify(venue) }
    context.spawn("follow reports of \(venue)") {
      do {
        await desk.reconcile(venue, reconciled: reconciled)
        try await desk.followReports(of: venue, reconciled: reconciled)
      } catch {
        own.fail(errorText(error))
        throw error
      }
    }
  }

  package func stop() async { await router.close() }
}
