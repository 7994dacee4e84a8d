import Calls
import Chrono
import Contracts
import OrderbookService
import ServiceKit
import Telemetry
import TestKit
import Testing
import Units
import Venue
import Venues

@testable import MarketConnectorService

@Suite struct `The market-connector` {
  // MARK: Registry

  @Test func `EX-10 a venue tells its instruments, limits, policy and hours`() async throws {
    try await withConnector { desk in
      var request = MarketV1.GetVenueRequest()
      request.venue = "binance"
      let venue = try await desk.market.getVenue(request)

      #expect(venue.policy == .production && venue.privateStream)
      #expect(venue.tradingHours == "always")
      #expect(venue.rateLimits.map(\.name) == ["REQUEST_WEIGHT", "ORDERS"])
      #expect(venue.rateLimits.map(\.max) == [60_000, 10_000])
      #expect(venue.rateLimits.map(\.windowSeconds) == [60, 10])
      let bitcoin = try #require(venue.instruments.first)
      #expect(bitcoin.symbol == "BTCUSDT" && bitcoin.trading)
      #expect(text(bitcoin.tickSize) == "0.01" && text(bitcoin.lotSize) == "0.001")
      #expect(text(bitcoin.minPrice) == "0.01" && text(bitcoin.maxPrice) == "1000000")
      #expect(text(bitcoin.makerFee) == "0.001" && text(bitcoin.takerFee) == "0.002")
      #expect(bitcoin.orderTypes.contains(.limit) && bitcoin.timesInForce.contains(.ioc))
    }
  }

  @Test func `EX-10 no order goes to a venue without a private stream`() async throws {
    try await withConnector([.binance, .binanceUSDM]) { desk in
      let refusal = try await desk.place("a", at: "binance-usdm")
      #expect(refusal?.reason == .venuePolicy)
      #expect(refusal?.text == "binance-usdm is for market data and simulation only")
      #expect(desk.sessions[1].entry.placed.isEmpty)
      let reached = try await desk.place("b")
      #expect(reached == nil)
      #expect(desk.sessions[0].entry.placed == ["b"])
      let policies = try await desk.market.listVenues(.init()).venues.map(\.policy)
      #expect(policies == [.production, .shadowOnly])
    }
  }

  @Test func `EX-10 the setting shadow_only keeps orders from a venue`() async throws {
    try await withConnector([.binance], ["market-connector.shadow_only=binance"]) { desk in
      let refusal = try await desk.place("a")
      #expect(refusal?.reason == .venuePolicy)
      #expect(desk.sessions[0].entry.placed.isEmpty)
    }
  }

  @Test func `EX-10 a halt is MARKET_CLOSED until trading goes on`() async throws {
    try await withConnector { desk in
      await desk.say(desk.status(false, "HALT"))
      #expect(await desk.comesTo(.marketClosed))
      let reached = desk.sessions[0].entry.placed.count
      let refusal = try await desk.place("b")
      #expect(refusal?.text == "BTCUSDT is not trading at binance")
      #expect(desk.sessions[0].entry.placed.count == reached)

      await desk.say(desk.status(true, "TRADING"))
      #expect(await desk.comesTo(nil))
      #expect(desk.sessions[0].entry.placed.count > reached)
    }
  }

  /// The services' clock stands at 2023-11-14T22:13:20Z.
  @Test func `EX-10 announced maintenance is MARKET_CLOSED, and only then`() async throws {
    let closure = "binance 2023-11-14T22:14:00Z/2023-11-14T22:15:00Z maintenance"
    try await withConnector([.binance], ["market-connector.closures=\(closure)"]) { desk in
      let before = try await desk.place("before")
      #expect(before == nil)
      desk.world.time.advance(by: .seconds(40))
      let refusal = try await desk.place("within")
      #expect(refusal?.reason == .marketClosed)
      #expect(refusal?.text == "binance is closed: maintenance")
      desk.world.time.advance(by: .seconds(60))
      let after = try await desk.place("after")
      #expect(after == nil)
      #expect(desk.sessions[0].entry.placed == ["before", "after"])
    }
  }

  // MARK: Stream

  @Test func `an empty venue follows all of them, each from a snapshot on`() async throws {
    try await withConnector([.binance, .kraken]) { desk in
      for venue in 0...1 { await desk.say(desk.snapshot(1), at: venue) }
      #expect(await eventually { await desk.links[1].snapshots([]).count == 1 })
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      var begun: Set<String> = []
      for _ in 0..<2 {
        let event = try #require(try await stream.next())
        guard case .snapshot = event.event else {
          Issue.record("\(event)")
          return
        }
        begun.insert(event.venue)
      }
      #expect(begun == ["binance", "kraken"])

      await desk.say(desk.delta(2, bids: [(99_98, 1)]), at: 1)
      let next = try #require(try await stream.next())
      #expect(next.venue == "kraken")
      guard case .delta(let delta) = next.event else {
        Issue.record("\(next)")
        return
      }
      #expect(delta.lastUpdateId == 2)
    }
  }

  @Test func `MD-15 MD-21 every event carries its flags and both times`() async throws {
    try await withConnector { desk in
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      #expect(await eventually { await desk.links[0].market.ids.count == 1 })
      await desk.say(desk.snapshot(1))
      await desk.say(desk.delta(2, bids: [(99_99, 0), (90_00, 1)]))
      let first = try #require(try await stream.next())
      let wide = try #require(try await stream.next())

      #expect(first.quality == 0 && wide.quality == 16)
      #expect(wide.sequence == first.sequence + 1)
      for event in [first, wide] {
        #expect(event.exchangeTimeNs > 0)
        #expect(event.receivedTimeNs == event.exchangeTimeNs + 3_000_000)
      }
    }
  }

  @Test func `MD-26 the way from a frame to the ring and to readers is measured by stage`()
    async throws
  {
    try await withConnector { desk in
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      #expect(await eventually { await desk.links[0].market.ids.count == 1 })
      await desk.say(desk.snapshot(1))
      await desk.say(desk.delta(2, bids: [(99_98, 1)]))
      for _ in 0..<2 { _ = try await stream.next() }
      let stages = ["decode", "book", "ring", "tick"].map {
        #"market_connector_stage_seconds_count{venue="binance",stage="\#($0)"} 2"#
      }
      let lines = stages + [#"market_connector_publish_seconds_count{venue="binance"} 2"#]
      #expect(
        await eventually {
          let metrics = desk.context.metrics.exposition()
          return lines.allSatisfy(metrics.contains)
        })
    }
  }

  @Test func `MD-11 a crossed book is not published, and the next good one is whole`() async throws
  {
    try await withConnector { desk in
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      #expect(await eventually { await desk.links[0].market.ids.count == 1 })
      await desk.say(desk.snapshot(1))
      await desk.say(desk.delta(2, bids: [(100_01, 1)]))
      await desk.say(desk.delta(3, bids: [(100_02, 1)]))
      await desk.say(desk.delta(4, bids: [(100_01, 0), (100_02, 0)]))
      var kinds: [String] = []
      for _ in 0..<3 {
        switch try #require(try await stream.next()).event {
        case .snapshot(let snapshot): kinds.append("snapshot \(snapshot.updateId)")
        case .stale(let stale): kinds.append(stale.reason)
        case let other: kinds.append("\(String(describing: other))")
        }
      }
      #expect(kinds == ["snapshot 1", "discarded: crossed", "snapshot 4"])
    }
  }

  @Test func `MD-11 a venue may have an action of its own`() async throws {
    let action = "market-connector.quality_venue_actions=kraken crossed flag"
    try await withConnector([.binance, .kraken], [action]) { desk in
      let stream = try await desk.market.streamMarketData(.init())
      defer { stream.cancel() }
      #expect(await eventually { await desk.links[1].market.ids.count == 1 })
      for venue in [1, 0] { await desk.say(desk.snapshot(1, bid: 100_01), at: venue) }
      var seen: [String: MarketV1.MarketEvent] = [:]
      while seen.count < 2, let event = try await stream.next() { seen[event.venue] = event }

      guard case .snapshot = seen["kraken"]?.event, case .stale = seen["binance"]?.event else {
        Issue.record("\(seen)")
        return
      }
      #expect(seen["kraken"]?.quality == 2)
    }
  }

  @Test(arguments: [
    "quality_venue_actions=kraken crossed shout", "quality_venue_actions=mtgox crossed flag",
    "closures=binance tomorrow", "closures=mtgox 2026-01-31T08:00:00Z/2026-01-31T09:00:00Z why",
    "closures=binance 2026-01-31T09:00:00Z/2026-01-31T08:00:00Z why", "venues=mtgox",
  ])
  func `settings that say nothing are refused, naming the setting`(setting: String) throws {
    let flag = try SettingsSources.Flag(parsing: "market-connector." + setting)
    let name = try #require(setting.split(separator: "=").first)
    do {
      _ = try LoadedSettings<MarketConnector.Config>(
        MarketConnector.name, from: SettingsSources(flags: [flag]), sections: [])
      Issue.record("\(setting) is taken")
    } catch {
      #expect("\(error)".contains("\(name) has "))
    }
  }

  // MARK: Notices

  @Test func `MD-03 a lost place is told on md.gap`() async throws {
    try await withConnector { desk in
      let told = try await desk.notices(["md.gap"], 1) {
        await desk.say(desk.snapshot(1))
        await desk.say(.stale(InstrumentID(0), reason: "update 9 does not follow 1"))
      }
      #expect(told.map(\.subject) == ["md.gap.binance.BTCUSDT"])
      #expect(told.map(\.text) == ["update 9 does not follow 1"])
      #expect(told.map(\.check) == ["gap"] && told.map(\.venue) == ["binance"])
    }
  }

  @Test func `MD-14 a price ten deviations off is told on md.anomaly, with the numbers`()
    async throws
  {
    try await withConnector { desk in
      let told = try await desk.notices(["md.anomaly"], 1) {
        await desk.say(desk.snapshot(1))
        for id in 0..<64 { await desk.say(desk.trade(UInt64(id), at: 100_00 + Int64(id % 2))) }
        await desk.say(desk.trade(64, at: 130_00))
      }
      #expect(told.map(\.subject) == ["md.anomaly.binance.BTCUSDT"])
      #expect(told.map(\.check) == ["price_jump"])
      #expect(told.first?.text.hasPrefix("130.00 is ") == true)
    }
  }

  @Test func `MD-17 OBS-11 every look at a venue tells its health`() async throws {
    try await withConnector([.binance, .kraken]) { desk in
      let told = try await desk.notices(["md.health"], 4) {
        await desk.say(desk.snapshot(1))
        desk.sessions[0].counters.requests.increment()
        desk.sessions[0].counters.open.increment()
        for link in desk.links { await link.tick() }
        desk.sessions[0].counters.requests.increment()
        desk.sessions[0].counters.messages.increment()
        desk.world.time.advance(by: .seconds(1))
        for link in desk.links { await link.tick() }
      }
      #expect(
        told.map(\.subject) == [
          "md.health.binance", "md.health.kraken", "md.health.binance", "md.health.kraken",
        ])
      let health = try #require(told[2].health)
      #expect(health.publicWs?.connected == true && told[3].health?.publicWs?.connected == false)
      #expect(health.api?.requestsPerSecond == 1 && health.api?.requests == 2)
      #expect(health.publicWs?.messagesPerSecond == 1)
      #expect(health.clockOffsetMs == -40)
      #expect(health.privateWs?.connected == false)
      #expect(told[2].sequence == told[0].sequence + 1)

      var request = MarketV1.GetVenueHealthRequest()
      request.venue = "binance"
      let asked = try await desk.market.getVenueHealth(request)
      #expect(asked.api?.requests == 2)
    }
  }

  @Test func `topics that there are not, and unknown venues, are refused`() async throws {
    try await withConnector { desk in
      var request = MarketV1.StreamNoticesRequest()
      request.topics = ["md.weather"]
      let asked = request
      let error = await refusal {
        let stream = try await desk.market.streamNotices(asked)
        return try await stream.next()
      }
      #expect(error.fields == ["topics"])
      var venue = MarketV1.GetVenueRequest()
      venue.venue = "mtgox"
      let other = venue
      #expect(await refusal { try await desk.market.getVenue(other) }.code == .notFound)
    }
  }

  // MARK: Taint

  @Test func `MD-03 a taint reaches the orderbook's top, and a snapshot lifts it`() async throws {
    try await withConnector { desk in
      await desk.say(desk.snapshot(1))
      let books = try await desk.world.start(Orderbook.self)
      try #require(await books.ready())
      let tops = try await OrderbookV1.OrderbookServiceClient(channel: books.channel)
        .streamTops(.init())
      defer { tops.cancel() }
      let good = try await tops.next()
      #expect(good?.stale == false)

      await desk.say(.stale(InstrumentID(0), reason: "checksum"))
      let tainted = try await tops.next()
      #expect(tainted?.stale == true)
      await desk.say(desk.snapshot(9))
      let lifted = try #require(try await tops.next())
      #expect(!lifted.stale && lifted.updateId == 9)
      tops.cancel()
      await books.end()
    }
  }
}
