import Calls
import Chrono
import Contracts
import ServiceKit
import TestKit
import Testing
import Venue
import Venues

@testable import MarketConnectorService

@Suite struct `The registry of venues` {
  private static func venue(
    _ desk: ConnectorDesk, _ name: String = "binance"
  ) async throws -> MarketV1.Venue {
    var request = MarketV1.GetVenueRequest()
    request.venue = name
    return try await desk.market.getVenue(request)
  }

  private static func config(_ settings: [String]) throws -> MarketConnector.Config {
    let flags = try settings.map {
      try SettingsSources.Flag(parsing: "market-connector." + $0)
    }
    return try LoadedSettings<MarketConnector.Config>(
      MarketConnector.name, from: SettingsSources(flags: flags), sections: []
    ).config
  }

  @Test
  func `EX-10 a venue tells its tier, its fees and which order goes with which time in force`()
    async throws
  {
    let tiers = "market-connector.liquidity_tiers=kraken B,binance BTCUSDT C"
    try await withConnector([.binance, .kraken], [tiers]) { desk in
      let venue = try await Self.venue(desk)
      #expect(venue.tier == "A")
      #expect(venue.instruments.map(\.liquidityTier) == ["C", "A"])
      #expect(try await Self.venue(desk, "kraken").tier == "B")
      #expect(venue.orderMatrix.map(\.type) == [.market, .limit])
      #expect(venue.orderMatrix[0].timesInForce == [.ioc])
      #expect(venue.orderMatrix[1].timesInForce == [.gtc, .ioc, .fok, .postOnly])
      #expect(venue.orderMatrix.allSatisfy { $0.symbolsWithout.isEmpty })
      #expect(text(venue.makerFeeBps) == "10" && text(venue.takerFeeBps) == "10")
      #expect(venue.open && venue.tradingHours == "always")
    }
  }

  @Test(arguments: [
    ([], "simulated"), (["kraken_rest_url=https://127.0.0.1:8443"], "simulated"),
    (["kraken_rest_url=https://[::1]:8443/x"], "simulated"),
    (["kraken_rest_url=https://localhost"], "simulated"),
    (["kraken_rest_url=https://api.kraken.com"], "production"),
    (["kraken_rest_url=https://api.kraken.com", "shadow_only=kraken"], "shadow"),
  ])
  func `EX-10 the mode follows from where the addresses lead and what is allowed`(
    settings: [String], mode: String
  ) throws {
    #expect(try Self.config(settings).mode(of: .kraken).rawValue == mode)
  }

  @Test func `EX-10 a venue without a private stream is at most a shadow`() throws {
    let config = try Self.config(["binance_usdm_rest_url=https://fapi.binance.com"])
    #expect(config.mode(of: .binanceUSDM) == .shadow)
  }

  /// The services' clock stands at 2023-11-14T22:13:20Z, a Tuesday: 17:13:20 at the venue.
  @Test func `MD-27 an order outside of the venue's sessions is MARKET_CLOSED`() async throws {
    let session = "market-connector.sessions=binance mon-fri 09:30-16:00 -05:00"
    try await withConnector([.binance], [session]) { desk in
      let refusal = try await desk.place("late")
      #expect(refusal?.reason == .marketClosed)
      #expect(refusal?.text == "binance is closed: outside of its sessions")
      let closed = try await Self.venue(desk)
      #expect(!closed.open && closed.tradingHours == "in sessions")
      // 09:29:59 on Wednesday, and a second later.
      desk.world.time.advance(by: .seconds(16 * 3_600 + 16 * 60 + 39))
      let early = try await desk.place("early")
      #expect(early?.reason == .marketClosed)
      desk.world.time.advance(by: .seconds(1))
      let reached = try await desk.place("in time")
      #expect(reached == nil)
      #expect(try await Self.venue(desk).open)
      // 16:00:00 is no time of the session any more; Saturday has none.
      desk.world.time.advance(by: .seconds(6 * 3_600 + 30 * 60))
      #expect(try await desk.place("after")?.reason == .marketClosed)
      desk.world.time.advance(by: .seconds(3 * 86_400 - 2 * 3_600))
      #expect(try await desk.place("saturday")?.reason == .marketClosed)
      #expect(desk.sessions[0].entry.placed == ["in time"])
    }
  }

  @Test func `MD-27 a session over midnight is of the day on which it opens`() throws {
    let config = try Self.config(["sessions=kraken sun-thu 17:00-16:00 Z"])
    let hours = config.hours(of: .kraken)
    func isOpen(_ text: String) -> Bool { hours.isOpen(at: Instant(rfc3339: text)!) }
    #expect(!isOpen("2023-11-12T16:59:59Z") && isOpen("2023-11-12T17:00:00Z"))
    #expect(isOpen("2023-11-13T15:59:59Z") && !isOpen("2023-11-13T16:00:00Z"))
    #expect(isOpen("2023-11-17T10:00:00Z") && !isOpen("2023-11-17T17:00:00Z"))
    #expect(!isOpen("2023-11-18T12:00:00Z"))
  }

  @Test(arguments: [
    "sessions=kraken mon-fri 09:30-16:00", "sessions=mtgox mon-fri 09:30-16:00 Z",
    "sessions=kraken mon-xyz 09:30-16:00 Z", "sessions=kraken daily 24:30-16:00 Z",
    "sessions=kraken daily 9:30-16:00 Z", "sessions=kraken daily 09:30-16:00 +15:00",
    "liquidity_tiers=kraken", "liquidity_tiers=kraken D", "liquidity_tiers=mtgox A",
    "breaker_venue_limits=kraken 10", "breaker_venue_limits=kraken 0 10s",
    "breaker_venue_limits=mtgox 10 10s", "breaker_venue_limits=kraken 10 soon",
  ])
  func `settings of the registry that say nothing are refused, naming the setting`(
    setting: String
  ) throws {
    let name = try #require(setting.split(separator: "=").first)
    do {
      _ = try Self.config([setting])
      Issue.record("\(setting) is taken")
    } catch {
      #expect("\(error)".contains("\(name) has "), "\(error)")
    }
  }

  @Test func `a venue may have a breaker of its own`() throws {
    let config = try Self.config([
      "breaker_failures_max=7", "breaker_probes=2", "breaker_venue_limits=kraken 10 2m",
    ])
    #expect(config.breaker(of: .binance).failuresMax == 7)
    #expect(config.breaker(of: .binance).coolDown == .seconds(10))
    #expect(config.breaker(of: .kraken).failuresMax == 10)
    #expect(config.breaker(of: .kraken).coolDown == .seconds(120))
    #expect(config.breaker(of: .kraken).probes == 2)
  }
}
