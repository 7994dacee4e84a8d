import Calls
import Chrono
import Contracts
import Loop
import ServiceKit
import SharedRing
import TestKit
import Testing
import TickRing
import TradingGatewayService
import Units
import Venue
import Venues

@testable import MarketConnectorService

/// Reads what a market-connector writes, as another process would.
private func readTicks(
  _ desk: ConnectorDesk, _ count: Int, _ reader: inout TickReader
) -> [Tick] {
  var ticks: [Tick] = []
  while ticks.count < count, case .tick(let tick, _) = reader.read() { ticks.append(tick) }
  return ticks
}

extension ConnectorDesk {
  /// As the service does at its start.
  func openTicks() async throws {
    try ticks.open()
    for link in links { await link.beginTicks() }
    ticks.beat(world.loop.uptime)
  }
}

@Suite struct `The market-connector's ticks` {
  @Test func `MD-15 SHM-02 a touch, a trade and a flag are a tick each, and nothing else is`()
    async throws
  {
    try await withConnector { desk in
      try await desk.openTicks()
      var reader = try TickReader(desk.ticks.place.path)
      await desk.say(desk.snapshot(1))
      // Behind the touch: nobody hears of it.
      await desk.say(desk.delta(2, bids: [(90_00, 5)]))
      await desk.say(desk.trade(1, at: 100_00))
      await desk.say(desk.delta(3, bids: [(99_99, 7)]))
      await desk.say(desk.delta(4, bids: [(99_99, 0)]))
      let ticks = readTicks(desk, 9, &reader)

      #expect(ticks.map(\.isTrade) == [false, true, false, false])
      #expect(ticks.allSatisfy { $0.isTrusted })
      #expect(ticks[0].bestBid == ConnectorDesk.level(99_99))
      #expect(ticks[0].bestAsk == ConnectorDesk.level(100_00))
      #expect(ticks[1].bestAsk == ConnectorDesk.level(100_00) && ticks[1].bestBid == nil)
      #expect(ticks[2].bestBid == ConnectorDesk.level(99_99, 7))
      #expect(ticks[3].bestBid == ConnectorDesk.level(90_00, 5) && ticks[3].quality == 16)
      #expect(ticks.allSatisfy { $0.receivedTime == desk.world.time.now })
      #expect(ticks.allSatisfy { $0.exchangeTime == desk.world.time.now + .milliseconds(-3) })
    }
  }

  @Test func `MD-15 a taint is a tick at once, and so is its lifting`() async throws {
    try await withConnector { desk in
      try await desk.openTicks()
      var reader = try TickReader(desk.ticks.place.path)
      await desk.say(desk.snapshot(1))
      await desk.say(.stale(InstrumentID(0), reason: "checksum"))
      await desk.say(desk.snapshot(9))
      // Crossed: withheld from the readers of streams, and distrusted here.
      await desk.say(desk.delta(10, bids: [(100_01, 1)]))
      await desk.say(desk.delta(11, bids: [(100_01, 0)]))
      let ticks = readTicks(desk, 9, &reader)

      #expect(ticks.map(\.isTrusted) == [true, false, true, false, true])
      #expect(ticks.map(\.quality) == [0, 1, 0, 3, 0])
    }
  }

  @Test
  func `MD-15 silence is a tick, and a book that is heard and stands still has one now and then`()
    async throws
  {
    try await withConnector { desk in
      try await desk.openTicks()
      var reader = try TickReader(desk.ticks.place.path)
      await desk.say(desk.snapshot(1))
      desk.world.time.advance(by: .milliseconds(249))
      await desk.say(desk.delta(2, bids: [(90_00, 1)]))
      desk.world.time.advance(by: .milliseconds(1))
      await desk.say(desk.delta(3, bids: [(90_00, 2)]))
      let heard = desk.world.time.now
      desk.world.time.advance(by: .seconds(3_600))
      await desk.links[0].tick()
      let ticks = readTicks(desk, 9, &reader)

      #expect(ticks.count == 3)
      #expect(ticks[1].receivedTime == heard && ticks[1].quality == 0)
      #expect(ticks[2].quality == 64)
    }
  }

  @Test func `FLOW-04 a reader that holds the streams back does not hold the ring of ticks`()
    async throws
  {
    let settings = ["reader_queue_max=16", "mailbox_max=16", "slow_reader_wait=300s"]
      .map { "market-connector." + $0 }
    try await withConnector([.binance], settings) { desk in
      try await desk.openTicks()
      let reader = try TickReader(desk.ticks.place.path)
      // Nobody takes what is sent to this one.
      _ = try await desk.links[0].listen([])
      for number in 1...30 as ClosedRange<UInt64> {
        await desk.say(desk.snapshot(number, bid: 90_00 + Int64(number)))
      }
      #expect(reader.lag == 30)
      // 16 wait for the reader, one is in hand, 13 in the mailbox: three more fit, and the fourth
      // holds the venue back.
      for number in 31...34 as ClosedRange<UInt64> {
        desk.world.loop.spawn {
          await desk.say(desk.snapshot(number, bid: 90_00 + Int64(number)))
        }
      }
      #expect(await eventually { reader.lag == 34 })
    }
  }

  @Test func `a venue whose stream is held back too long is distrusted until it goes on`()
    async throws
  {
    let settings = [
      "reader_queue_max=16", "mailbox_max=16", "slow_reader_wait=300s", "held_max=10ms",
    ].map { "market-connector." + $0 }
    try await withConnector([.binance], settings) { desk in
      try await desk.openTicks()
      var reader = try TickReader(desk.ticks.place.path)
      let sleeper = try await desk.links[0].listen([])
      for number in 1...40 as ClosedRange<UInt64> {
        desk.world.loop.spawn { await desk.say(desk.snapshot(number)) }
      }
      #expect(
        await eventually {
          await desk.links[0].watchHold()
          return await desk.links[0].isHeld
        })
      #expect(readTicks(desk, 9, &reader).map(\.isTrusted) == [true, false])

      await desk.links[0].market.remove(sleeper)
      #expect(await eventually { await !desk.links[0].isHeld })
      #expect(readTicks(desk, 9, &reader).map(\.isTrusted) == [true])
    }
  }

  @Test func `a reader that joins gets no event that its snapshots hold already`() async throws {
    let settings = ["reader_queue_max=16", "slow_reader_wait=300s"]
      .map { "market-connector." + $0 }
    try await withConnector([.binance], settings) { desk in
      let sleeper = try await desk.links[0].listen([])
      await desk.say(desk.snapshot(1))
      for number in 2...40 as ClosedRange<UInt64> {
        await desk.say(desk.delta(number, bids: [(90_00, Int64(number))]))
      }
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      let first = try #require(try await stream.next())
      await desk.say(desk.delta(41, bids: [(90_00, 41)]))
      await desk.links[0].market.remove(sleeper)
      let second = try #require(try await stream.next())

      guard case .snapshot(let snapshot) = first.event, case .delta(let delta) = second.event else {
        Issue.record("\(first) \(second)")
        return
      }
      #expect(snapshot.updateId == 40 && delta.lastUpdateId == 41)
    }
  }

  @Test func `SHM-01 two venues share the ring, and a second writer is refused`() async throws {
    try await withConnector([.binance, .okx]) { desk in
      for venue in 0...1 { await desk.say(desk.snapshot(1), at: venue) }
      try await desk.openTicks()
      var reader = try TickReader(desk.ticks.place.path, from: .oldest)
      let begun = reader.restart()
      #expect(
        begun.map { "\($0.instrument.venue) \($0.instrument.symbol) \($0.tick.isTrusted)" } == [
          "binance BTCUSDT true", "binance ETHUSDT false", "okx BTCUSDT true", "okx ETHUSDT false",
        ])
      let path = desk.ticks.place.path
      let error = #expect(throws: RingError.self) { _ = try TickWriter(path) }
      #expect(error?.problem == "another process writes it")
      desk.ticks.close()
      #expect(reader.read() == .retired)
    }
  }

  @Test(arguments: ["7", "12", "100000"])
  func `a ring whose size is no power of two is refused`(entries: String) throws {
    let flag = try SettingsSources.Flag(parsing: "market-connector.tick_ring_entries=" + entries)
    let error = #expect(throws: SettingsError.self) {
      _ = try LoadedSettings<MarketConnector.Config>(
        MarketConnector.name, from: SettingsSources(flags: [flag]), sections: [])
    }
    #expect("\(error as Any)".contains("tick_ring_entries is \(entries)"))
  }
}
