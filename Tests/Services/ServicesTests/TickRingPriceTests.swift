import Calls
import Contracts
import Loop
import ServiceKit
import Telemetry
import TestKit
import Testing
import TradingGatewayService

extension TradingFloor {
  /// A sample of the trading-gateway's metrics, such as `trading_gateway_ticks_read_total`.
  func metric(_ sample: String) -> Double? {
    running.context.metrics.exposition().split(separator: "\n")
      .first { $0.hasPrefix(sample + " ") }
      .flatMap { Double($0.dropFirst(sample.count + 1)) }
  }

  func comesToAdmit() async -> Bool {
    await eventually {
      do { return try await admits("0.01") } catch { return false }
    }
  }

  func comesTo(_ sample: String, _ value: Double) async -> Bool {
    await eventually { metric(sample) == value }
  }
}

private let isOpen = "trading_gateway_tick_ring_open"
/// A writer that says only once that it lives.
private let patient = ["trading-gateway.tick_ring_silence_max=60s"]

@Suite struct `Prices from the ring of ticks` {
  @Test func `SHM-01 MD-15 are used as soon as there is a ring, taint and lifting included`()
    async throws
  {
    try await withFloor(settings: patient) { floor in
      floor.books.say(bid: "49999.99", ask: "50000.01", stale: true)
      #expect(await floor.comesToRefuse(.noReferencePrice))

      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesToAdmit())
      #expect(floor.metric(isOpen) == 1)
      // The stream is not heard any more, whatever it says.
      floor.books.say(bid: "1.00", ask: "2.00", stale: true)

      ticks.say(bid: 49_999_99, ask: 50_000_01, isTrusted: false)
      #expect(await floor.comesToRefuse(.noReferencePrice))
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesToAdmit())
      try await floor.submit("0.01")
    }
  }

  @Test func `SHM-01 a writer that dies takes its prices with it, and the stream comes back`()
    async throws
  {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesTo(isOpen, 1))
      floor.books.say(bid: "49999.99", ask: "50000.01", stale: true)
      #expect(await floor.comesToAdmit())

      ticks.stop()
      #expect(await floor.comesToRefuse(.noReferencePrice))
      #expect(floor.metric("trading_gateway_tick_ring_ends_total") == 1)
      floor.books.say(bid: "49999.99", ask: "50000.01")
      #expect(await floor.comesToAdmit())

      // Its successor knows no price yet, so there is none.
      try ticks.open()
      #expect(await floor.comesTo(isOpen, 1))
      #expect(await floor.comesToRefuse(.noReferencePrice))
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesToAdmit())
    }
  }

  @Test func `SHM-01 a takeover that nobody saw between is seen, and prices begin anew`()
    async throws
  {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesTo(isOpen, 1))
      #expect(await floor.comesToAdmit())

      ticks.stop()
      try ticks.open()
      #expect(await floor.comesToRefuse(.noReferencePrice))
      #expect(floor.metric("trading_gateway_tick_ring_takeovers_total") == 1)
      #expect(floor.metric("trading_gateway_tick_ring_ends_total") == 0)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesToAdmit())
    }
  }

  @Test func `a writer that ends in order is left at once`() async throws {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesTo(isOpen, 1))
      ticks.end()
      #expect(await floor.comesTo(isOpen, 0))
      #expect(await floor.comesToAdmit(), "the stream has told")
    }
  }

  @Test func `a writer that hangs is left, its lock notwithstanding`() async throws {
    try await withFloor(settings: ["trading-gateway.tick_ring_silence_max=200ms"]) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      let isTaken = await eventually {
        ticks.beat()
        return floor.metric(isOpen) == 1
      }
      #expect(isTaken)
      #expect(await floor.comesTo(isOpen, 0))
      let isTakenAgain = await eventually {
        ticks.beat()
        return floor.metric(isOpen) == 1
      }
      #expect(isTakenAgain)
    }
  }

  @Test func `SHM-01 an overrun is counted, and every price is read anew`() async throws {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world, capacity: 64)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesTo(isOpen, 1))
      #expect(await floor.comesToAdmit())

      // In one turn of the loop that both are on: nobody reads meanwhile.
      for number in 1...1_000 as ClosedRange<Int64> { ticks.say(bid: number, ask: number + 1) }
      ticks.say(bid: 1, ask: 2, isTrusted: false)
      #expect(await floor.comesToRefuse(.noReferencePrice))
      #expect(floor.metric("trading_gateway_tick_ring_overruns_total") == 1)
      #expect((floor.metric("trading_gateway_ticks_lost_total") ?? 0) > 900)
      let full = "trading_gateway_tick_ring_occupancy_ratio_bucket{le=\"0.75\"}"
      let all = "trading_gateway_tick_ring_occupancy_ratio_count"
      #expect((floor.metric(full) ?? 0) < (floor.metric(all) ?? 0))
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesToAdmit())
    }
  }

  @Test func `an instrument that the ring counts in other units has no price`() async throws {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01, isOtherUnit: true)
      #expect(await floor.comesTo(isOpen, 1))
      #expect(await floor.comesToRefuse(.noReferencePrice))
    }
  }

  @Test func `with tick_ring off the stream is followed, ring or not`() async throws {
    try await withFloor(settings: ["trading-gateway.tick_ring=off"]) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      for isStale in [true, false, true] {
        floor.books.say(bid: "49999.99", ask: "50000.01", stale: isStale)
        if isStale {
          #expect(await floor.comesToRefuse(.noReferencePrice))
        } else {
          #expect(await floor.comesToAdmit())
        }
      }
      #expect(floor.metric(isOpen) == 0)
      #expect(floor.metric("trading_gateway_ticks_read_total") == 0)
    }
  }

  @Test func `with tick_ring on and no ring it is not ready, and says why`() async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let (risk, books) = (ScriptedRisk(), ScriptedBooks())
      world.serve("risk-manager", risk.methods)
      world.serve("orderbook", books.methods)
      let oms = try await OMSDesk.open(world)
      let running = try await world.start(
        TradingGateway.self, patient + ["trading-gateway.tick_ring=on"])
      #expect(
        await eventually {
          running.context.readiness.missing.contains {
            $0.name == "tops"
              && $0.reason.hasPrefix("tick_ring is on, and there is no ring to read: ")
          }
        })
      let ticks = try ScriptedTicks(world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await running.ready())
      ticks.stop()
      #expect(
        await eventually {
          running.context.readiness.missing.contains { $0.reason.hasSuffix("nobody writes it") }
        })
      await running.end()
      await oms.running.drop()
    }
  }

  @Test func `a strategy decides on ticks, and their way there is measured`() async throws {
    try await withFloor(settings: patient) { floor in
      let ticks = try ScriptedTicks(floor.oms.world)
      ticks.say(bid: 49_999_99, ask: 50_000_01)
      #expect(await floor.comesTo(isOpen, 1))
      var start = TradingV1.StartStrategyRequest()
      start.strategyId = "mm-btcusdt"
      _ = try await floor.trading.startStrategy(start)
      let decided = #"trading_gateway_price_seconds_count{source="ring",stage="strategy"}"#
      // Some may be shed: a strategy that waits for its orders is slow.
      var bid: Int64 = 49_999_99
      let hasDecided = await eventually {
        bid -= 1
        ticks.say(bid: bid, ask: 50_000_01)
        return (floor.metric(decided) ?? 0) >= 3
      }
      #expect(hasDecided)
      #expect(await eventually { (try? await floor.oms.all().count) == 2 })
    }
  }
}
