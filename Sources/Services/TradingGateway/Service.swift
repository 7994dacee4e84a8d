package import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import Risk
package import ServiceKit
internal import Telemetry
internal import Translation

/// The orchestrator: orders in through the embedded risk gate, strategies, signals.
package struct TradingGateway: ServiceDefinition {
  package static let name: ServiceName = "trading-gateway"
  package static let summary = "orders in through the embedded risk gate; strategies and signals"
  package static let needs: [ServiceName] = [
    "discovery", "auth", "market-connector", "orderbook", "risk-manager", "oms",
  ]

  private let config: Config
  private let context: ServiceContext
  private let desk: TradingDesk
  private let strategies: [StrategyRunner]
  package let methods: [ServerMethod]

  package init(_ context: ServiceContext, _ config: Config) throws {
    self.config = config
    self.context = context
    desk = try TradingDesk(config, context)
    let signals = SignalLog(desk.bus, keptMax: config.signalsKeptMax)
    strategies = [StrategyRunner(config, context, desk, signals)]
    methods = Handlers(desk: desk, strategies: strategies, signals: signals).methods
  }

  private static var patient: CallOptions {
    var options = CallOptions()
    options.waitsForReady = true
    return options
  }

  package func start() async throws {
    holdKillSwitch()
    context.spawn("keep the day", every: TradingDesk.dayInterval) { [desk] in
      await desk.keepDay()
    }
    learnInstruments()
    followLimits()
    PriceFollower(config, desk, context).run()
    followOrders()
    watchBus()
    watchNeighbours()
  }

  /// Without their word no order is taken: readiness says so.
  private func watchNeighbours() {
    // Cancels and the kill switch go on.
    let market = context.readiness.require("venues", weight: .health)
    let limits = context.readiness.require("fresh limits", weight: .health)
    context.spawn("watch the neighbours", every: .milliseconds(500)) { [desk] in
      if let silence = await desk.marketSilence {
        market.fail("the market-connector has not answered for \(DurationText.print(silence))")
      } else if await desk.marketHeard != nil {
        market.hold()
      }
      if let silence = await desk.limitsSilence {
        limits.fail("the risk-manager has been silent for \(DurationText.print(silence))")
      } else if await desk.limitsHeard != nil {
        limits.hold()
      }
    }
  }

  /// Names the slow subscribers of the bus.
  private func watchBus() {
    let slow = context.metrics.counters(
      "trading_gateway_bus_slow_subscribers_total",
      help: "Times that a subscriber of the bus took nothing for too long.",
      labels: ["subscriber", "topic"])
    context.spawn("watch the bus") { [config, context, desk] in
      while !Task.isCancelled {
        await context.loop.sleep(for: config.slowAfter / 2)
        let found = desk.bus.slowSubscribers(
          now: context.loop.uptime, limit: config.slowAfter)
        for subscriber in found {
          slow.with(subscriber.name, subscriber.topic).increment()
          context.log.warning(
            "a subscriber of the bus is slow",
            [
              "subscriber": .text(subscriber.name), "topic": .text(subscriber.topic),
              "behind": "\(subscriber.behind)", "shed": "\(subscriber.wasShed)",
            ])
        }
      }
    }
  }

  private func learnInstruments() {
    context.spawn("learn instruments") { [context, desk] in
      let market = MarketV1.MarketServiceClient(channel: context.channel(to: "market-connector"))
      try await market.learnInstruments(
        Self.patient, pause: { await context.loop.sleep(for: .seconds(1)) }
      ) { try await desk.learn($0) }
      while !Task.isCancelled {
        await context.loop.sleep(for: Self.statesInterval)
        let began = context.loop.uptime
        do throws(RPCError) {
          await desk.hearStates(
            try await market.listInstruments(
              .init(), CallOptions(deadline: began + Self.statesInterval)), since: began)
        } catch {
          // One that hangs may come back as it was; one that is gone comes back with another list.
          guard error.code == .deadlineExceeded else { throw error }
        }
      }
    }
  }

  /// A market that was halted opens again, and is to be traded then; the venue refuses meanwhile.
  private static let statesInterval = Duration.seconds(1)

  /// Whoever engages it, however the risk-manager is: it is known, kept, passed on and carried through.
  private func holdKillSwitch() {
    context.spawn("clear orders") { [desk] in await desk.clearance.run() }
    context.spawn("hold the venues") { [desk] in await desk.hold.run() }
    context.watchMark { [desk] in
      let wasEngaged = desk.killSwitch.isEngaged
      desk.kill.lookForMark()
      desk.kill.saveIfNeeded()
      if desk.killSwitch.isEngaged, !wasEngaged { desk.killSwitchChanged() }
    }
    let risk = RiskV1.RiskServiceClient(channel: context.channel(to: "risk-manager"))
    context.spawn("tell of the kill switch") { [context, desk] in
      while !Task.isCancelled {
        do { try await desk.kill.reassert(risk) } catch {
          context.log.debug(
            "the risk-manager does not hear of the kill switch",
            ["error": LogValue(describing: error)])
        }
        await context.loop.sleep(for: .milliseconds(250))
      }
    }
  }

  private func followLimits() {
    let heard = context.readiness.require("limits", reason: "the risk-manager has not told")
    context.spawn("follow limits") { [context, desk] in
      let risk = RiskV1.RiskServiceClient(channel: context.channel(to: "risk-manager"))
      let stream = try await risk.streamLimits(.init(), Self.patient)
      defer { stream.cancel() }
      while let limits = try await stream.next() {
        if let killSwitch = limits.killSwitch { desk.hear(killSwitch) }
        if try await desk.take(limits) { heard.hold() }
      }
      throw RPCError(.unavailable, "the risk-manager ended its stream")
    }
  }

  /// An event that the gate cannot count stops it, and a journal of the oms that is another one ends the
  /// process: what the gate holds has no way back.
  private func followOrders() {
    let synced = context.readiness.require("orders", reason: "the oms's journal has not been read")
    let follower = Follower(
      .orders(of: OmsV1.OrderServiceClient(channel: context.channel(to: "oms"))), context,
      misfit: .stop, replacement: .endProcess,
      whenCaughtUp: { [desk] in
        await desk.setSynced(true)
        synced.hold()
      }
    ) { [desk] in try await desk.take($0) }
    context.spawn("follow orders") { [context, desk, strategies] in
      await desk.hearOrders { follower.silence(now: $0) }
      while await !desk.hasGate { await context.loop.sleep(for: .milliseconds(20)) }
      if !context.readiness.isReady {
        // Quotes that an earlier run of this process left behind have nobody to look after them.
        for strategy in strategies where await !strategy.isRunning {
          try await desk.cancelAll(strategy: strategy.id, reason: "left by an earlier run")
        }
      }
      try await follower.run()
    }
  }

  package func drain() async {
    for strategy in strategies {
      do { try await strategy.stop() } catch {
        context.log.warning(
          "quotes could not be cancelled",
          [
            "strategy": .text(strategy.id),
            "error": LogValue(describing: error),
          ])
      }
    }
    desk.bus.finish()
  }
}
