import Calls
import Contracts
import Execution
import Loop
import OMSService
import Orders
import ServiceKit
import TestKit
import Testing
import TradingGatewayService

@Suite struct `A venue that comes late` {
  private static func check(
    _ floor: TradingFloor, _ quantity: String, at venue: String
  ) async throws -> TradingV1.CheckOrderResponse {
    try await floor.trading.checkOrder(TradingFloor.request(quantity, venue: venue))
  }

  @Test func `is traded at once it has come, and what was reserved before still counts`()
    async throws
  {
    try await withLoop { loop in
      let market = ScriptedMarket(absent: ["okx"])
      let floor = try await TradingFloor.open(loop, ScriptedRisk.standard(), [], market: market)
      try await floor.submit("6")
      // Its prices may be there before its instruments.
      floor.books.say(bid: "49999.99", ask: "50000.01", venue: "okx")
      let early = await refusal { try await Self.check(floor, "1", at: "okx") }
      #expect(early.code == .invalidArgument)

      // Finer money than the gate had: 8 places of a quantity instead of 5.
      var instrument = bitcoin(venue: "okx")
      instrument.quantityScale = 8
      market.comes(instrument)

      #expect(
        await eventually {
          do { return try await Self.check(floor, "4", at: "okx").admitted } catch { return false }
        })
      // The symbol's position is one over its venues.
      let other = try await Self.check(floor, "4.00001", at: "okx")
      #expect(other.reason == .positionLimit && other.actual == "10.00001")
      let known = try await Self.check(floor, "4.00001", at: "binance")
      #expect(known.reason == .positionLimit)
      let rest = try await Self.check(floor, "4", at: "binance")
      #expect(rest.admitted)
      await floor.close()
    }
  }

  @Test func `is reconciled by the router when it comes, and held up nobody before`() async throws {
    try await withLoop { loop in
      let (market, venue) = (ScriptedMarket(absent: ["okx"]), ScriptedVenue())
      let desk = try await RouterDesk.open(try ServiceWorld(loop), venue, market: market)
      #expect(desk.running.context.readiness.degraded.isEmpty)
      // An order of ours that the journal does not know: whoever reconciles cancels it.
      let orphan = ChildID(parent: OrderID(77), sequence: 1).text
      venue.has(orphan)
      #expect(venue.cancelled.isEmpty)

      market.comes(bitcoin(venue: "okx"))
      #expect(await eventually { venue.cancelled == [orphan] })
      #expect(await eventually { desk.running.context.readiness.degraded.isEmpty })
      await desk.running.drop()
    }
  }

  @Test func `is learned by the oms as well, which did not wait for it`() async throws {
    try await withLoop { loop in
      let market = ScriptedMarket(absent: ["okx"])
      let world = try ServiceWorld(loop)
      let oms = try await OMSDesk.open(world, market: market)
      var order = OMSDesk.order("a")
      order.venue = "okx"
      let asked = order
      let early = await refusal { try await oms.accept(asked) }
      #expect(early.code == .invalidArgument)
      market.comes(bitcoin(venue: "okx"))
      #expect(
        await eventually {
          do { return try await oms.accept(asked).order != nil } catch { return false }
        })
      await oms.running.drop()
    }
  }
}
