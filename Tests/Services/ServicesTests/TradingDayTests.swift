import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import Telemetry
import TestKit
import Testing
import TradingGatewayService
import Wire

@Suite struct `The trading-gateway's day` {
  private func hold(
    _ quantity: String, at price: String = "50000", _ floor: TradingFloor
  ) async throws {
    let order = try await floor.submit(quantity)
    floor.oms.router.report(.acknowledged, order.orderId)
    floor.oms.router.report(.fill, order.orderId, fill: fill("E1", quantity, at: price))
    _ = try await floor.oms.order(order.orderId) { $0.status == .filled }
  }

  private var coarser: MarketV1.Instrument {
    var coarser = bitcoin()
    coarser.priceScale = 1
    coarser.tickSize = wire("0.1")
    return coarser
  }

  private func profit(_ context: ServiceContext, is value: String) async -> Bool {
    await eventually {
      context.metrics.exposition().contains("trading_gateway_day_profit \(value)\n")
    }
  }

  /// Another run of the process on the same state.
  private func restarted(_ floor: TradingFloor) async throws -> TradingFloor {
    await floor.running.drop()
    let running = try await floor.oms.world.start(
      TradingGateway.self, ["trading-gateway.risk_silence_max=300s"])
    try #require(await running.ready(), "\(running.context.readiness.missing)")
    return TradingFloor(oms: floor.oms, risk: floor.risk, books: floor.books, running: running)
  }

  @Test func `B2 the day rolls by the clock, without an event of the oms`() async throws {
    try await withFloor { floor in
      try await hold("5", floor)
      floor.books.say(bid: "30000", ask: "30000")
      #expect(await floor.comesToRefuse(.dailyLoss))

      floor.oms.world.time.advance(by: .seconds(86_400))

      #expect(await eventually { (try? await floor.admits("1")) == true })
      #expect(await profit(floor.running.context, is: "0"))
    }
  }

  @Test func `B5 what was traded in finer steps is held, worth and limited in coarser ones`()
    async throws
  {
    let market = ScriptedMarket()
    try await withFloor(market: market) { floor in
      try await hold("5", at: "50000.05", floor)
      let resting = try await floor.submit("2", at: "50000.07")
      floor.oms.router.report(.acknowledged, resting.orderId)
      #expect(await profit(floor.running.context, is: "-0.25"))
      market.changes(coarser)

      let after = try await restarted(floor)
      floor.books.say(bid: "50001", ask: "50001")

      #expect(await profit(after.running.context, is: "4.75"))
      // Ten is the most, five are held and two rest.
      let (fits, isTooMuch) = (try await after.check("3"), try await after.check("3.00001"))
      #expect(fits.admitted)
      #expect(isTooMuch.reason == .positionLimit)
      let fine = await refusal { try await after.submit("1", at: "50000.05") }
      #expect(fine.reason == "PRICE_PRECISION")
      try await after.submit("1", at: "50000.1")
      floor.oms.router.report(.cancelled, resting.orderId)
      #expect(await eventually { (try? await after.admits("4")) == true })
      await after.running.drop()
    }
  }

  @Test func `B5 a market order that filled in finer steps is counted after they got coarser`()
    async throws
  {
    let market = ScriptedMarket()
    try await withFloor(market: market) { floor in
      let order = try await floor.submit("5", at: nil)
      floor.oms.router.report(.acknowledged, order.orderId)
      floor.oms.router.report(.fill, order.orderId, fill: fill("E1", "2", at: "50000.05"))
      floor.oms.router.report(.fill, order.orderId, fill: fill("E2", "1", at: "50000.05"))
      _ = try await floor.oms.order(order.orderId) { text($0.filledQuantity) == "3" }
      #expect(await profit(floor.running.context, is: "-0.15"))
      market.changes(coarser)

      let after = try await restarted(floor)
      floor.books.say(bid: "50001", ask: "50001")

      #expect(await profit(after.running.context, is: "2.85"))
      // Ten is the most, three are held and two may still fill.
      let (fits, isTooMuch) = (try await after.check("5"), try await after.check("5.00001"))
      #expect(fits.admitted)
      #expect(isTooMuch.reason == .positionLimit)
      await after.running.drop()
    }
  }

  @Test func `RSK-08 a reached loss and the marks of the day outlive a restart`() async throws {
    try await withFloor { floor in
      try await hold("5", floor)
      floor.books.say(bid: "30000", ask: "30000")
      #expect(await floor.comesToRefuse(.dailyLoss))
      floor.books.say(bid: "45000", ask: "45000")
      #expect(await profit(floor.running.context, is: "-25000"))

      let after = try await restarted(floor)

      #expect(await profit(after.running.context, is: "-25000"))
      let reason = try await after.check("1").reason
      #expect(reason == .dailyLoss)
      await after.running.drop()
    }
  }

  @Test func `B3 a position of an earlier day brings none of its profit into this one`()
    async throws
  {
    try await withFloor { floor in
      try await hold("5", at: "40000", floor)
      #expect(await profit(floor.running.context, is: "50000"))
      await floor.running.drop()
      floor.oms.world.time.advance(by: .seconds(86_400))

      // Nobody was there at midnight: the day begins with the first price that is seen in it.
      let first = try await restarted(floor)
      #expect(await profit(first.running.context, is: "0"))
      floor.books.say(bid: "50100", ask: "50100")
      #expect(await profit(first.running.context, is: "500"))
      let second = try await restarted(first)
      #expect(await profit(second.running.context, is: "500"))
      await second.running.drop()
    }
  }

  @Test func `RSK-29 RSK-30 RSK-06 state, band and gross exposure of the stream are in force`()
    async throws
  {
    try await withFloor { floor in
      try await hold("5", floor)
      var limits = ScriptedRisk.standard()
      limits.tradingState = .with { $0.state = .reducing }
      floor.risk.say(limits)
      #expect(await floor.comesToRefuse(.positionLimit))
      let reducing = try await floor.check("1")
      #expect(reducing.text.contains("only reducing orders pass"), "\(reducing.text)")
      // The fill may be on its way to the gate.
      #expect(await eventually { (try? await floor.admits("5", .sell)) == true })
      limits.tradingState = .with { $0.state = .halted }
      floor.risk.say(limits)
      #expect(await eventually { (try? await floor.admits("5", .sell)) == false })

      limits.tradingState = .with { $0.state = .active }
      limits.defaultSymbol?.priceBand = wire("0.05")
      floor.risk.say(limits)
      #expect(await eventually { (try? await floor.admits("0.1")) == true })
      let far = try await floor.check("0.1", at: "52501")
      #expect(far.reason == .priceBands && far.limit == "50000")

      limits.account?.maxGrossExposure = wire("260000")
      floor.risk.say(limits)
      #expect(await eventually { (try? await floor.check("1").reason) == .positionLimit })
      let gross = try await floor.check("1")
      #expect(gross.limit == "260000" && gross.actual == "300000", "\(gross)")
      #expect(try await floor.admits("5", .sell) == true)
    }
  }

  @Test func `RSK-35 nine at each of three venues against ten: the first passes alone`()
    async throws
  {
    let market = ScriptedMarket()
    for venue in ["kraken", "okx"] { market.comes(bitcoin(venue: venue)) }
    try await withLoop { loop in
      let floor = try await TradingFloor.open(loop, ScriptedRisk.standard(), [], market: market)
      _ = try await floor.trading.submitOrder(TradingFloor.request("9", venue: "binance"))
      for venue in ["kraken", "okx"] {
        let error = await refusal {
          try await floor.trading.submitOrder(TradingFloor.request("9", venue: venue))
        }
        #expect(error.reason == "POSITION_LIMIT", "\(error)")
        #expect(error.numbers["actual"] == "18" && error.numbers["limit"] == "10")
      }
      _ = try await floor.trading.submitOrder(TradingFloor.request("1", venue: "okx"))
      await floor.close()
    }
  }
}
