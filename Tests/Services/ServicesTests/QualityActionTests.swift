import Calls
import Chrono
import Contracts
import MarketQuality
import OMSService
import OrderbookService
import ServiceKit
import Telemetry
import TestKit
import Testing
import TradingGatewayService
import Units
import Venue
import Venues

@testable import MarketConnectorService

extension VenueLink {
  /// What was judged of the first instrument.
  fileprivate var firstCounts: QualityCounts { books[0].monitor.counts }
}

@Suite struct `What the connector does about bad data` {
  private static func stream(
    _ desk: ConnectorDesk
  ) async throws -> ClientCall<MarketV1.StreamMarketDataRequest, MarketV1.MarketEvent> {
    let stream = try await desk.market.streamMarketData(.init())
    #expect(await eventually { await desk.links[0].market.ids.count == 1 })
    return stream
  }

  /// What is told, one word each.
  private static func word(_ event: MarketV1.MarketEvent) -> String {
    switch event.event {
    case .snapshot(let snapshot): "snapshot \(snapshot.updateId)"
    case .delta(let delta): "delta \(delta.lastUpdateId)"
    case .trade(let trade): "trade \(trade.tradeId)"
    case .stale(let stale): stale.reason
    default: "?"
    }
  }

  private static func words(
    _ stream: ClientCall<MarketV1.StreamMarketDataRequest, MarketV1.MarketEvent>, _ count: Int
  ) async throws -> [String] {
    var words: [String] = []
    while words.count < count, let event = try await stream.next() { words.append(word(event)) }
    return words
  }

  /// An event whose time at the venue is so far behind ours.
  private static func aged(
    _ desk: ConnectorDesk, _ updateID: UInt64, by age: Duration
  ) -> MarketEvent {
    .delta(
      BookDelta(
        instrument: InstrumentID(0), firstUpdateID: updateID, lastUpdateID: updateID,
        exchangeTime: desk.world.time.now + (.zero - age), receivedTime: desk.world.time.now,
        bids: [], asks: []))
  }

  // MARK: Taint

  @Test func `a check may taint the book: readers are told, and get it whole when it passes`()
    async throws
  {
    try await withConnector([.binance], ["market-connector.quality_wide_spread_action=taint"]) {
      desk in
      let stream = try await Self.stream(desk)
      defer { stream.cancel() }
      await desk.say(desk.snapshot(1))
      await desk.say(desk.delta(2, bids: [(99_99, 0), (90_00, 1)]))
      await desk.say(desk.delta(3, bids: [(90_01, 1)]))
      await desk.say(desk.trade(7, at: 100_00))
      await desk.say(desk.delta(4, bids: [(99_98, 1)]))
      var seen: [MarketV1.MarketEvent] = []
      while seen.count < 4, let event = try await stream.next() { seen.append(event) }
      #expect(
        seen.map(Self.word) == ["snapshot 1", "tainted: wide_spread", "trade 7", "snapshot 4"])
      // Trades go on, with the bits.
      #expect(seen.map(\.quality) == [0, 17, 17, 0])
    }
  }

  @Test func `a taint by a trade is told before it, and lifted with the next change of the book`()
    async throws
  {
    try await withConnector([.binance], ["market-connector.quality_price_jump_action=taint"]) {
      desk in
      let stream = try await Self.stream(desk)
      defer { stream.cancel() }
      await desk.say(desk.snapshot(1))
      for id in 0..<64 { await desk.say(desk.trade(UInt64(id), at: 100_00 + Int64(id % 2))) }
      await desk.say(desk.trade(64, at: 130_00))
      await desk.say(desk.trade(65, at: 100_00))
      await desk.say(desk.delta(2, bids: [(99_98, 1)]))
      let words = try await Self.words(stream, 69)
      #expect(words.suffix(4) == ["tainted: price_jump", "trade 64", "trade 65", "snapshot 2"])
    }
  }

  @Test func `silence may taint, though nothing comes, and the next change lifts it`() async throws
  {
    try await withConnector([.binance], ["market-connector.quality_silent_action=taint"]) { desk in
      let stream = try await Self.stream(desk)
      defer { stream.cancel() }
      await desk.say(desk.snapshot(1))
      #expect(try await Self.words(stream, 1) == ["snapshot 1"])
      desk.world.time.advance(by: .seconds(31))
      for _ in 0..<3 { await desk.links[0].tick() }
      #expect(try await Self.words(stream, 1) == ["tainted: silent"])
      await desk.say(desk.delta(2, bids: [(99_98, 1)]))
      #expect(try await Self.words(stream, 1) == ["snapshot 2"])
    }
  }

  @Test func `MD-03 a taint by a check is a taint of the orderbook's, with its bits`() async throws
  {
    try await withConnector([.binance], ["market-connector.quality_wide_spread_action=taint"]) {
      desk in
      await desk.say(desk.snapshot(1))
      let books = try await desk.world.start(Orderbook.self)
      try #require(await books.ready())
      let client = OrderbookV1.OrderbookServiceClient(channel: books.channel)
      let tops = try await client.streamTops(.init())
      defer { tops.cancel() }
      let good = try #require(try await tops.next())
      #expect(!good.stale && good.quality == 0)

      await desk.say(desk.delta(2, bids: [(99_99, 0), (90_00, 1)]))
      let tainted = try #require(try await tops.next())
      #expect(tainted.stale && tainted.quality == 17)
      var request = OrderbookV1.GetBookRequest()
      request.symbol = "BTCUSDT"
      let book = try await client.getBook(request)
      #expect(book.stale && book.staleReason == "tainted: wide_spread")
      #expect(book.quality == ["tainted", "wide_spread"])

      await desk.say(desk.delta(3, bids: [(99_98, 1)]))
      let lifted = try #require(try await tops.next())
      #expect(!lifted.stale && lifted.quality == 0 && lifted.updateId == 3)
      tops.cancel()
      await books.end()
    }
  }

  @Test func `MD-03 a taint by a check makes the gate refuse every order until it is lifted`()
    async throws
  {
    try await withConnector([.binance], ["market-connector.quality_wide_spread_action=taint"]) {
      desk in
      let (world, router) = (desk.world, ScriptedRouter())
      await desk.say(desk.snapshot(1))
      world.serve("risk-manager", ScriptedRisk(ScriptedRisk.standard()).methods)
      world.serve("execution-router", router.methods)
      let books = try await world.start(Orderbook.self)
      let oms = try await world.start(OMS.self, OMSDesk.settings)
      let gate = try await world.start(
        TradingGateway.self, ["trading-gateway.risk_silence_max=300s"])
      try #require(await gate.ready())
      let trading = TradingV1.TradingServiceClient(channel: gate.channel)
      @Sendable func refusal() async throws -> TypeV1.RejectReason? {
        let answer = try await trading.checkOrder(TradingFloor.request("0.01", at: "100"))
        return answer.admitted ? nil : answer.reason
      }
      @Sendable func comesTo(_ reason: TypeV1.RejectReason?) async -> Bool {
        await eventually { do { return try await refusal() == reason } catch { return false } }
      }
      #expect(await comesTo(nil))
      await desk.say(desk.delta(2, bids: [(99_99, 0), (90_00, 1)]))
      #expect(await comesTo(.noReferencePrice))
      await desk.say(desk.delta(3, bids: [(99_98, 1)]))
      #expect(await comesTo(nil))
      await gate.end()
      await oms.drop()
      await books.end()
    }
  }

  // MARK: Snapshots

  @Test func `a check may ask for a snapshot, never endlessly`() async throws {
    let settings = [
      "market-connector.quality_wide_spread_action=request_snapshot",
      "market-connector.quality_resyncs_max=2",
    ]
    try await withConnector([.binance], settings) { desk in
      let stream = try await Self.stream(desk)
      defer { stream.cancel() }
      let told = try await desk.notices(["md.anomaly"], 5) {
        await desk.say(desk.snapshot(1))
        for id in 0..<5 {
          await desk.say(desk.delta(UInt64(2 + 2 * id), bids: [(99_99, 0), (90_00, 1)]))
          await desk.say(desk.delta(UInt64(3 + 2 * id), bids: [(99_99, 1)]))
        }
      }
      #expect(told.map(\.check) == Array(repeating: "wide_spread", count: 5))
      #expect(told.map(\.action) == Array(repeating: "request_snapshot", count: 5))
      let reason = "snapshot requested: wide_spread: 105263 millionths, at most 10000"
      #expect(desk.sessions[0].resynchronised == [reason, reason])
      let metrics = desk.context.metrics.exposition()
      for line in [#"result="asked"} 2"#, #"result="withheld"} 3"#] {
        #expect(
          metrics.contains(
            #"market_connector_quality_resyncs_total{venue="binance","# + line))
      }
      // From the failure to the moment it passes nobody is told a price.
      let words = try await Self.words(stream, 11)
      #expect(words.filter { $0 == "tainted: wide_spread" }.count == 5)
      #expect(words.last == "snapshot 11")
    }
  }

  @Test func `a gap's snapshot is asked for by its feed, not by the check`() async throws {
    try await withConnector { desk in
      let told = try await desk.notices(["md.gap"], 1) {
        await desk.say(desk.snapshot(1))
        await desk.say(.stale(InstrumentID(0), reason: "gap"))
      }
      #expect(told.map(\.action) == ["request_snapshot"])
      #expect(desk.sessions[0].resynchronised.isEmpty)
    }
  }

  // MARK: Each check

  @Test(arguments: [
    ("MD-12", "stale", UInt32(4)), ("MD-13", "skewed", 8), ("MD-13", "wide_spread", 16),
    ("MD-14", "price_jump", 32),
  ])
  func `MD-12 MD-13 MD-14 each is a bit on the event, an md.anomaly and a count`(
    row: String, check: String, bit: UInt32
  ) async throws {
    try await withConnector { desk in
      let stream = try await Self.stream(desk)
      defer { stream.cancel() }
      let told = try await desk.notices(["md.anomaly"], 1) {
        await desk.say(desk.snapshot(1))
        switch check {
        case "stale": await desk.say(Self.aged(desk, 2, by: .milliseconds(5_001)))
        case "skewed": await desk.say(Self.aged(desk, 2, by: .milliseconds(-1_001)))
        case "wide_spread": await desk.say(desk.delta(2, bids: [(99_99, 0), (98_99, 1)]))
        default:
          for id in 0..<64 { await desk.say(desk.trade(UInt64(id), at: 100_00 + Int64(id % 2))) }
          await desk.say(desk.trade(64, at: 130_00))
        }
      }
      #expect(told.map(\.subject) == ["md.anomaly.binance.BTCUSDT"], "\(row)")
      #expect(told.map(\.check) == [check])
      var last = try #require(try await stream.next())
      while last.quality & bit == 0, let event = try await stream.next() { last = event }
      #expect(last.quality == bit)
      #expect(
        desk.context.metrics.exposition().contains(
          #"market_connector_quality_failures_total{venue="binance",check="\#(check)"} 1"#))
    }
  }

  // MARK: Rates

  /// A tape of 2,001 events: 2,000 with a time and a whole book, of which 2 are stale and 1 crossed,
  /// and one gap.
  @Test func `MD-25 the rates of a known tape are told to the millionth`() async throws {
    try await withConnector { desk in
      let age = Duration.milliseconds(5_001)
      await desk.say(desk.snapshot(1))
      for id in UInt64(2)..<1_000 { await desk.say(desk.delta(id, bids: [(99_98, Int64(id))])) }
      await desk.say(Self.aged(desk, 1_000, by: age))
      await desk.say(desk.delta(1_001, bids: [(99_98, 1)]))
      await desk.say(Self.aged(desk, 1_002, by: age))
      await desk.say(desk.delta(1_003, bids: [(100_01, 1)]))
      await desk.say(desk.delta(1_004, bids: [(100_01, 0)]))
      await desk.say(.stale(InstrumentID(0), reason: "gap"))
      await desk.say(desk.snapshot(1_005))
      for id in UInt64(1_006)...2_000 { await desk.say(desk.delta(id, bids: [(99_98, Int64(id))])) }
      #expect(
        await eventually { await desk.links[0].firstCounts.events == 2_001 })

      let counts = await desk.links[0].firstCounts
      #expect(counts.timed == 2_000 && counts.books == 2_000)
      #expect(counts.failures(of: .stale) == 2 && counts.failures(of: .crossed) == 1)
      #expect(counts.gaps == 1)
      await desk.links[0].tick()
      let health = await desk.links[0].health
      #expect(health.staleMillionths == 1_000)
      #expect(health.crossedMillionths == 500)
      #expect(health.gapMillionths == 499)
      let metrics = desk.context.metrics.exposition()
      for (rate, value) in [("stale", "0.001"), ("crossed", "0.0005"), ("gap", "0.000499")] {
        #expect(
          metrics.contains(
            #"market_connector_quality_rate{venue="binance",rate="\#(rate)"} \#(value)"#), "\(rate)"
        )
      }
    }
  }
}
