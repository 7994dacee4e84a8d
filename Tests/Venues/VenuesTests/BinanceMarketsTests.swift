import Chrono
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

@Suite struct `Binance's three exchanges` {
  private func decimal(_ text: String) throws -> Decimal { try Decimal(parsing: text) }

  @Test func `MD-07 futures' instruments tell their kind, contract, band and order types`() throws {
    let body = #"""
      {"symbols":[
      {"symbol":"BTCUSD_PERP","contractType":"PERPETUAL","contractStatus":"TRADING","contractSize":100,
      "baseAsset":"BTC","quoteAsset":"USD","baseAssetPrecision":8,"filters":[
      {"filterType":"PRICE_FILTER","minPrice":"1000","maxPrice":"4520958","tickSize":"0.1"},
      {"filterType":"LOT_SIZE","minQty":"1","maxQty":"1000000","stepSize":"1"},
      {"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}],
      "orderTypes":["LIMIT","MARKET","STOP","STOP_MARKET"],"timeInForce":["GTC","IOC","FOK","GTX"]},
      {"symbol":"BTCUSD_240628","contractType":"CURRENT_QUARTER","contractStatus":"DELIVERING",
      "contractSize":100,"baseAsset":"BTC","quoteAsset":"USD","baseAssetPrecision":8,"filters":[
      {"filterType":"PRICE_FILTER","minPrice":"0","maxPrice":"0","tickSize":"0.1"},
      {"filterType":"LOT_SIZE","minQty":"1","maxQty":"1000000","stepSize":"1"}],
      "orderTypes":["LIMIT"],"timeInForce":["GTC"]}]}
      """#
    let found = try BinanceSymbols.instruments(
      Array(body.utf8), .coinm, symbols: ["BTCUSD_240628", "NOPE", "BTCUSD_PERP"],
      venue: VenueID("binance-coinm"))

    #expect(found.map(\.symbol) == ["BTCUSD_240628", "BTCUSD_PERP"])
    let perpetual = found[1]
    #expect(perpetual.kind == .perpetual && found[0].kind == .future)
    #expect(perpetual.isTrading && !found[0].isTrading)
    #expect(perpetual.contractSize == Decimal(units: 100, scale: 0))
    #expect(perpetual.tickSize == Price(1) && perpetual.priceScale == 1)
    #expect(perpetual.priceRange == Price(10_000)...Price(45_209_580))
    #expect(found[0].priceRange == nil && found[0].priceBand == nil)
    let (low, high) = (try decimal("0.9500"), try decimal("1.0500"))
    #expect(
      perpetual.priceBand
        == PriceBand(buyLowest: low, buyHighest: high, sellLowest: low, sellHighest: high))
    #expect(perpetual.features == [.limit, .market, .ioc, .fok, .postOnly, .stop, .stopLimit])
    #expect(found[0].features == [.limit])
  }

  @Test func `MD-07 spot's instruments tell band by side, fees and order types`() throws {
    let body = #"""
      {"symbols":[{"symbol":"BTCUSDT","status":"BREAK","baseAsset":"BTC","quoteAsset":"USDT",
      "baseAssetPrecision":8,"icebergAllowed":true,"amendAllowed":true,
      "orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS","STOP_LOSS_LIMIT"],"filters":[
      {"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
      {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
      {"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","askMultiplierUp":"4","askMultiplierDown":"0.3","avgPriceMins":5},
      {"filterType":"NOTIONAL","minNotional":"5.00000000"}]}]}
      """#
    let found = try BinanceSymbols.instruments(
      Array(body.utf8), symbols: ["BTCUSDT"], venue: VenueID("binance"))

    let bitcoin = try #require(found.first)
    #expect(bitcoin.kind == .spot && !bitcoin.isTrading)
    #expect(
      bitcoin.priceBand
        == PriceBand(
          buyLowest: try decimal("0.2"), buyHighest: try decimal("5"),
          sellLowest: try decimal("0.3"), sellHighest: try decimal("4")))
    #expect(
      bitcoin.fees == FeeSchedule(maker: try decimal("0.001"), taker: try decimal("0.001")))
    #expect(
      bitcoin.features == [
        .limit, .market, .ioc, .fok, .postOnly, .stop, .stopLimit, .iceberg, .reduce,
      ])
    #expect(try bitcoin.decimal(bitcoin.minNotional) == decimal("5"))
  }

  @Test func `each exchange has its paths, limits and weights`() {
    #expect(BinanceMarket.allCases.map(\.restPath) == ["/api/v3", "/fapi/v1", "/dapi/v1"])
    #expect(BinanceMarket.allCases.map(\.streamsMax) == [1_024, 200, 200])
    #expect(
      [100, 500, 1_000, 5_000].map { BinanceMarket.spot.depthWeight(limit: $0) } == [
        5, 25, 50, 250,
      ])
    #expect(
      [50, 100, 500, 1_000].map { BinanceMarket.coinm.depthWeight(limit: $0) } == [2, 5, 10, 20])
  }

  @Test(arguments: [KnownVenue.binanceUSDM, .binanceCOINM])
  func `orders at an exchange that is followed only are refused with a reason`(
    venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let scripted = try await ScriptedVenue(loop, talk: { _, _ in })
      let session = try venue.session(
        scripted.settings, loop: loop, time: SystemTime(), log: .silent,
        metrics: MetricsRegistry())
      let orders = session.orders
      let text = "\(venue.rawValue) is followed for its market data only"
      let refusal = VenueOutcome.rejected(.venuePolicy, text: text)
      let id = InstrumentID(0)

      #expect(await orders.place(order("a", .buy, 1)) == refusal)
      #expect(await orders.cancel("a", of: id) == refusal)
      #expect(await orders.query("a", of: id) == refusal)
      #expect(
        await orders.replace("a", with: order("b", .buy, 1))
          == VenueReplacement(cancel: refusal, place: nil))
      #expect(
        await orders.amend(VenueAmendment(clientOrderID: "a", instrument: id)) == refusal)
      let error = VenueError(.venuePolicy, text)
      await #expect(throws: error) { try await orders.cancelAll(of: id) }
      await #expect(throws: error) { try await orders.openOrders(of: id) }
      await #expect(throws: error) { try await orders.balances() }
      await scripted.stop()
    }
  }
}

@Suite struct `Binance's limits and clock` {
  /// Answers the time and notes everything else.
  private func rest(
    _ loop: EventLoop, weightMax: Int? = nil, orderMax: Int? = nil,
    timeout: Duration = .seconds(20),
    answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse
  ) async throws -> (BinanceREST, ScriptedVenue, VenueCounters) {
    let venue = try await ScriptedVenue(loop, answer: answer, talk: { _, _ in })
    var settings = venue.settings
    settings.requestWeightMax = weightMax
    settings.orderRateMax = orderMax
    settings.requestTimeout = timeout
    let counters = VenueCounters(MetricsRegistry(), venue: "binance")
    let rest = BinanceREST(
      .spot, settings,
      http: VenueHTTP(
        settings, loop: loop, log: .silent,
        counters: counters), loop: loop,
      time: SimulatedTime(start: Instant(milliseconds: 1_700_000_040_000)))
    return (rest, venue, counters)
  }

  private static let parameters = [("symbol", "BTCUSDT")]

  private func weightLeft(_ rest: BinanceREST) -> Int? {
    rest.vitals.limits.first { $0.name == "REQUEST_WEIGHT" }?.remaining
  }

  @Test func `an order beyond our own limit is refused and never sent`() async throws {
    let asked = Mutex(0)
    try await withLoop { loop in
      let (rest, venue, counters) = try await rest(loop, orderMax: 2) { _ in
        asked.withLock { $0 += 1 }
        return HTTPResponse(status: 200, json: Array("{}".utf8))
      }
      for _ in 0..<2 { _ = try await rest.body("POST", "/api/v3/order", Self.parameters, .signed) }

      await #expect(
        throws: VenueFailure.definite(
          .rateLimit, text: "held back for 10.0 seconds by the limit ORDERS")
      ) { try await rest.body("POST", "/api/v3/order", Self.parameters, .signed) }
      // Cancels are no orders.
      _ = try await rest.body("DELETE", "/api/v3/order", Self.parameters, .signed)

      #expect(asked.withLock { $0 } == 3)
      #expect(counters.limited.value == 1)
      await venue.stop()
    }
  }

  @Test func `who gives up waiting for room is answered at once, and nothing is sent`()
    async throws
  {
    let asked = Mutex(0)
    try await withLoop { loop in
      let (rest, venue, counters) = try await rest(loop, weightMax: 2, timeout: .seconds(90)) { _ in
        asked.withLock { $0 += 1 }
        return HTTPResponse(status: 200, json: Array("{}".utf8))
      }
      for _ in 0..<2 { _ = try await rest.body("GET", "/api/v3/ping", [], .open) }
      let waiting = Task(executorPreference: loop) {
        try await rest.body("GET", "/api/v3/ping", [], .open)
      }
      let isHeld = await soon { counters.limited.value == 1 }
      #expect(isHeld)
      waiting.cancel()

      await #expect(
        throws: VenueFailure.definite(
          .rateLimit, text: "given up while held back by the limit REQUEST_WEIGHT")
      ) { try await waiting.value }
      #expect(asked.withLock { $0 } == 2)
      await venue.stop()
    }
  }

  @Test func `the venue's count of weight is believed`() async throws {
    try await withLoop { loop in
      let (rest, venue, _) = try await rest(loop, weightMax: 100) { _ in
        HTTPResponse(
          status: 200, json: Array("{}".utf8), headers: [HTTPHeader("X-MBX-USED-WEIGHT-1M", "98")])
      }
      #expect(weightLeft(rest) == 100)
      _ = try await rest.get("/api/v3/ping", weight: 1)
      #expect(weightLeft(rest) == 2)
      // Market data waits for room, but not longer than a request may take.
      let error = await #expect(throws: VenueError.self) {
        try await rest.get("/api/v3/depth?symbol=BTCUSDT&limit=100", weight: 5)
      }
      #expect(error?.reason == .rateLimit)
      await venue.stop()
    }
  }

  @Test(arguments: [429, 418])
  func `after 429 and 418 nothing is sent before the venue's time is over`(
    status: Int
  ) async throws {
    let asked = Mutex(0)
    try await withLoop { loop in
      let (rest, venue, counters) = try await rest(loop) { _ in
        asked.withLock { $0 += 1 }
        return HTTPResponse(
          status: status, json: Array(#"{"code":-1003,"msg":"Too many requests"}"#.utf8),
          headers: [HTTPHeader("Retry-After", "30")])
      }
      for _ in 0..<3 {
        await #expect(throws: VenueFailure.self) {
          try await rest.body("POST", "/api/v3/order", Self.parameters, .signed)
        }
      }
      #expect(asked.withLock { $0 } == 1)
      #expect(weightLeft(rest) == 0)
      #expect(counters.limited.value == 3)
      await venue.stop()
    }
  }
}
