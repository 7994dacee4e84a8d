package import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Postgres
package import ServiceKit
internal import Translation

/// Positions and realised and unrealised P&L with fees, exact to the last digit.
package struct PortfolioManager: ServiceDefinition {
  package static let name: ServiceName = "portfolio-manager"
  package static let summary = "positions, realised and unrealised P&L with fees, mark-to-market"
  package static let needs: [ServiceName] = ["discovery", "auth", "oms", "orderbook"]

  private let context: ServiceContext
  private let config: Config
  private let positions: Positions
  private let store: any PositionStore
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.init(context, config, PostgresPositionStore(try context.database()))
  }

  /// With a store of somebody's choice.
  package init(_ context: ServiceContext, _ config: Config, _ store: any PositionStore) {
    self.context = context
    self.config = config
    self.positions = Positions(config, context.metrics)
    self.store = store
    self.methods = Handlers(positions: positions, context: context).methods
  }

  package func start() async throws {
    let caughtUp = context.readiness.require("caught up", reason: "the oms has not been read yet")
    context.spawn("learn instruments") { [context, positions] in
      var patient = CallOptions()
      patient.waitsForReady = true
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      try await market.learnInstruments(
        patient, pause: { await context.loop.sleep(for: .seconds(1)) }
      ) { try await positions.learn($0) }
    }
    context.spawn("follow orders") { [context, positions] in
      var patient = CallOptions()
      patient.waitsForReady = true
      while await positions.knowsNothing { await context.loop.sleep(for: .milliseconds(20)) }
      let oms = OmsV1.OrderServiceClient(channel: context.channel(to: "oms"))
      let target = try await oms.getTradingState(.init(), patient).sequence
      if await positions.sequence >= target { caughtUp.hold() }
      var request = OmsV1.StreamEventsRequest()
      request.afterSequence = await positions.sequence
      let events = try await oms.streamEvents(request)
      defer { events.cancel() }
      while let event = try await events.next() {
        try await positions.apply(event)
        if event.sequence >= target { caughtUp.hold() }
      }
      throw RPCError(.unavailable, "the oms ended its stream of events")
    }
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
    context.spawn("record") { [context, config, positions, store] in
      try await store.prepare()
      var known: UInt64 = 0
      while !Task.isCancelled {
        let newest = await positions.change(after: known)
        let sequence = await positions.sequence
        try await store.record(positions.positions(after: known, symbol: ""), through: sequence)
        known = newest
        await context.loop.sleep(for: config.recordInterval)
      }
    }
  }
}
