package import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Mutants
internal import Postgres
package import ServiceKit
internal import Telemetry
internal import Translation

/// Positions and realised and unrealised P&L with fees, exact to the last digit.
package struct PortfolioManager: ServiceDefinition {
  package static let name: ServiceName = "portfolio-manager"
  package static let summary = "positions, realised and unrealised P&L with fees, mark-to-market"
  package static let needs: [ServiceName] = ["discovery", "auth", "oms", "orderbook"]

  private let context: ServiceContext
  private let positions: Positions
  private let recorder: Recorder
  private let database: DatabaseWatch?
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    let database = try context.database()
    self.init(
      context, config, PostgresPositionStore(database), DatabaseWatch(database, context))
  }

  /// With a store of somebody's choice. `database`: whom to ask whether its server answers; nil for a
  /// store that has none.
  package init(
    _ context: ServiceContext, _ config: Config, _ store: any PositionStore,
    _ database: DatabaseWatch? = nil
  ) {
    self.context = context
    self.positions = Positions(config, context.metrics)
    self.recorder = Recorder(positions, store, config, context)
    self.database = database
    self.methods = Handlers(positions: positions, context: context).methods
  }

  package func start() async throws {
    followOrders()
    context.spawn("mark to market") { [context, positions] in
      var patient = CallOptions()
      patient.waitsForReady = true
      let orderbook = OrderbookV1.OrderbookServiceClient(channel: context.channel(to: "orderbook"))
      let tops = try await orderbook.streamTops(.init(), patient)
      defer { tops.cancel() }
      while let top = try await tops.next() { try await positions.mark(top, now: context.time.now) }
      throw RPCError(.unavailable, "the orderbook ended its stream of tops")
    }
    context.spawn("roll the day", every: .seconds(1)) { [context, positions] in
      try await positions.roll(to: context.time.now)
    }
    if let database { context.spawn("ask PostgreSQL") { try await database.run() } }
    context.spawn("record") { [recorder] in try await recorder.run() }
    context.spawn("watch the record", every: .milliseconds(250)) { [recorder, database] in
      recorder.look(database?.trouble)
    }
  }

  /// An execution that does not apply is left out, loudly, and the others count; when the oms's log is
  /// another one, the fold begins anew.
  private func followOrders() {
    let oms = OmsV1.OrderServiceClient(channel: context.channel(to: "oms"))
    let follower = Follower(
      .orders(of: oms), context, misfit: .setAside,
      replacement: .startOver { [positions] in await positions.startOver() },
      whenCaughtUp: { [context, positions] in
        do { try await positions.beginPresent(context.time.now) } catch {
          context.log.error("positions cannot be valued", ["error": LogValue(describing: error)])
        }
      }
    ) { [positions] in try await positions.apply($0) }
    context.spawn("follow orders") { try await follower.run() }
    recorder.follow { follower.isCaughtUp }
  }
}

extension LogSource<OmsV1.OrderEvent> {
  fileprivate static func orders(of oms: OmsV1.OrderServiceClient) -> Self {
    var patient = CallOptions()
    patient.waitsForReady = true
    return LogSource(
      "orders", of: "the oms",
      target: { [patient] in
        try await oms.getTradingState(.init(), patient).sequence
      },
      open: { position in
        var request = OmsV1.StreamEventsRequest()
        request.afterSequence = position.sequence
        request.afterMark = position.mark
        if Mutant.isOn(.positionSkipped), request.afterSequence > 0 {
          (request.afterSequence, request.afterMark) = (request.afterSequence + 1, 0)
        }
        let events = try await oms.streamEvents(request)
        return LogReading(
          next: { try await events.next() }, cancel: { events.cancel() })
      },
      position: { LogPosition(sequence: $0.sequence, mark: $0.logMark) })
  }
}
