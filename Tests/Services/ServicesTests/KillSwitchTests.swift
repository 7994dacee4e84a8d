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

@Suite struct `The kill switch at the trading-gateway` {
  @Test func `KS-01 a word that is older than the engagement lifts nothing, a later one does`()
    async throws
  {
    try await withFloor { floor in
      floor.risk.say(ScriptedRisk.standard(isKilled: true, change: 7))
      #expect(await floor.comesToRefuse(.killSwitch))

      // A risk-manager that came back without its journal: it is told what it does not know.
      floor.risk.say(ScriptedRisk.standard(change: 6))
      #expect(await eventually { !floor.risk.engagements.isEmpty })
      let still = try await floor.check("0.01")
      #expect(still.reason == .killSwitch)

      floor.risk.say(ScriptedRisk.standard(change: 101))
      #expect(await eventually { (try? await floor.admits("0.01")) == true })
    }
  }

  @Test func `KS-01 engaged here it is not lifted by a release of before, whatever its number`()
    async throws
  {
    try await withFloor { floor in
      _ = try await floor.trading.stopTrading(.with { $0.reason = "by hand" })
      // Made while nobody here heard it.
      floor.risk.say(ScriptedRisk.standard(change: 50))

      #expect(await eventually { !floor.risk.engagements.isEmpty })
      let still = try await floor.check("0.01")
      #expect(still.reason == .killSwitch)
      floor.risk.say(ScriptedRisk.standard(change: 101))
      #expect(await eventually { (try? await floor.admits("0.01")) == true })
    }
  }

  @Test func `EX-10 a market that was halted at the start is traded when it opens`() async throws {
    let market = ScriptedMarket()
    var halted = bitcoin()
    halted.trading = false
    market.changes(halted)
    try await withFloor(market: market) { floor in
      #expect(await floor.comesToRefuse(.marketClosed))
      market.changes(bitcoin())
      #expect(await eventually { (try? await floor.admits("0.01")) == true })
    }
  }

  @Test func `KS-01 engaged directly it stops at once, cancels, and tells the risk-manager`()
    async throws
  {
    try await withFloor { floor in
      let open = try await floor.submit("1")
      floor.oms.router.report(.acknowledged, open.orderId)
      var request = TradingV1.StopTradingRequest()
      request.reason = "by hand"
      let answer = try await floor.trading.stopTrading(request)
      #expect(answer.openOrders == 1)

      let error = await refusal { try await floor.submit("0.01") }
      #expect(error.reason == "KILL_SWITCH")
      #expect(await eventually { floor.oms.router.cancelled == [open.orderId] })
      // The stream says that it is released: that was before.
      floor.risk.say(ScriptedRisk.standard())
      #expect(await eventually { floor.risk.engagements == ["by hand (by tester)"] })
      #expect(try await floor.check("0.01").reason == .killSwitch)
    }
  }

  @Test func `KS-01 B4 a cancel that the venue refuses is asked for again until none is open`()
    async throws
  {
    try await withFloor { floor in
      let open = try await floor.submit("1")
      floor.oms.router.report(.acknowledged, open.orderId)
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await eventually { floor.oms.router.cancelled.count == 1 })

      for count in 1...2 {
        floor.oms.router.report(.cancelRejected, open.orderId, text: "in maintenance")
        #expect(await eventually { floor.oms.router.cancelled.count > count })
      }
      floor.oms.router.report(.cancelled, open.orderId)
      let ended = try await floor.oms.order(open.orderId) { $0.status == .cancelled }
      #expect(ended.status == .cancelled)
    }
  }

  @Test func `KS-01 B4 an order that was accepted while the switch was thrown does not rest`()
    async throws
  {
    try await withFloor { floor in
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))

      let late = try await floor.oms.place("late-1")

      #expect(await eventually { floor.oms.router.cancelled == [late] })
    }
  }

  @Test func `KS-01 it outlives the process, with the risk-manager dead and with a mark alone`()
    async throws
  {
    try await withFloor { floor in
      floor.risk.say(ScriptedRisk.standard(isKilled: true))
      #expect(await floor.comesToRefuse(.killSwitch))
      let after = try floor.oms.world.afterPowerLoss()
      let alone = try await after.start(TradingGateway.self)
      let metric = "trading_gateway_kill_switch_engaged 1"
      #expect(alone.context.metrics.exposition().contains(metric))
      let trading = TradingV1.TradingServiceClient(channel: alone.channel)
      #expect(
        await refusal { try await trading.submitOrder(TradingFloor.request("0.01")) }.code
          == .unavailable)
      await alone.drop()

      let marked = try ServiceWorld(floor.oms.world.loop)
      try KillMark(marked.state).leave(
        .init(reason: "by hand", actor: "operator"), at: marked.time.now)
      let other = try await marked.start(TradingGateway.self)
      #expect(other.context.metrics.exposition().contains(metric))
      await other.drop()
    }
  }
}
