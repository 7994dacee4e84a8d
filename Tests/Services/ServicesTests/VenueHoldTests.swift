import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import TestKit
import Testing
import TradingGatewayService
import Units
import Venue
import Venues

@Suite struct `The hold of orders behind the gate` {
  private func hold(_ milliseconds: UInt32) -> MarketV1.HoldOrdersRequest {
    var request = MarketV1.HoldOrdersRequest()
    request.forMs = milliseconds
    return request
  }

  private func refusal(_ outcome: MarketV1.VenueOrderOutcome) -> TypeV1.RejectReason? {
    guard case .rejected(let rejection) = outcome.outcome else { return nil }
    return rejection.reason
  }

  @Test func `KS-01 the market-connector refuses orders and amendments until it is lifted or over`()
    async throws
  {
    try await withConnector { desk in
      var order = MarketV1.PlaceOrderRequest()
      var terms = MarketV1.VenueOrder()
      terms.venue = "binance"
      terms.symbol = "BTCUSDT"
      terms.clientOrderId = "a"
      terms.side = .buy
      terms.type = .limit
      terms.timeInForce = .gtc
      terms.price = wire("100")
      terms.quantity = wire("1")
      order.order = terms
      var amendment = MarketV1.AmendVenueOrderRequest()
      amendment.venue = "binance"
      amendment.symbol = "BTCUSDT"
      amendment.clientOrderId = "a"
      amendment.quantity = wire("0.5")

      _ = try await desk.orders.holdOrders(hold(60_000))
      let placed = try await desk.orders.placeOrder(order)
      let amended = try await desk.orders.amendOrder(amendment)
      #expect(refusal(placed) == .killSwitch && refusal(amended) == .killSwitch)

      _ = try await desk.orders.holdOrders(hold(0))
      let lifted = try await desk.orders.placeOrder(order)
      #expect(refusal(lifted) != .killSwitch)

      _ = try await desk.orders.holdOrders(hold(1))
      #expect(
        await eventually {
          do { return refusal(try await desk.orders.placeOrder(order)) != .killSwitch } catch {
            return false
          }
        })
      let tooLong = await ServicesTests.refusal {
        try await desk.orders.holdOrders(hold(60_001))
      }
      #expect(tooLong.code == .invalidArgument)
    }
  }

  @Test
  func `KS-01 the trading-gateway holds the venues at once, says so again, and lifts it after`()
    async throws
  {
    try await withFloor { floor in
      let venue = ScriptedVenue()
      floor.oms.world.serve("market-connector", venue.methods)
      // Whatever was left there is lifted first.
      #expect(await eventually { venue.holds == [0] })

      floor.risk.say(ScriptedRisk.standard(isKilled: true, change: 2))
      #expect(await eventually { venue.holds.count >= 3 }, "once at once, and again")
      #expect(venue.holds[1...].allSatisfy { $0 == 5_000 })

      floor.risk.say(ScriptedRisk.standard(change: 3))
      #expect(await eventually { venue.holds.last == 0 })
    }
  }

  @Test func `KS-01 engaging it at the gateway holds the venues, also without a trading-gateway`()
    async throws
  {
    try await withLoop { loop in
      let desk = try await GatewayDesk.open(loop)
      let venue = ScriptedVenue()
      desk.world.serve("market-connector", venue.methods)
      desk.world.serve("risk-manager", ScriptedRisk(ScriptedRisk.standard()).methods)

      let answer = try await desk.ask(
        "POST", "/v1/kill-switch:engage", #"{"reason": "why"}"#, scopes: ["kill-switch.engage"])

      #expect(answer.status == 200, "\(answer.body)")
      #expect(venue.holds == [2_000])
      let viewer = try await desk.ask(
        "POST", "/v1/kill-switch:engage", #"{"reason": "why"}"#, scopes: ["orders.read"])
      #expect(viewer.status == 403 && venue.holds == [2_000])
      await desk.running.end()
    }
  }
}
