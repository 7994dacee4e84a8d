import Loop
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// What is subscribed, how much at once, and what a refusal and a reconnect do to it.
@Suite(.serialized) struct BookSubscriptionTests {
  @Test(arguments: ConnectedVenue.simulated)
  func
    `MD-02 books come from streams; REST is asked by Binance alone, once a symbol and once a gap`(
      _ known: KnownVenue
    ) async throws
  {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      for _ in 0..<20 { try await venue.step() }
      #expect(try await venue.agreesSoon())
      #expect(await snapshotsByREST(venue) == (known == .binance ? 2 : 0))
      #expect(venue.counters.snapshots.value == (known == .binance ? 2 : 0))
      try await venue.inject(.gap)
      #expect(try await venue.recovers())
      #expect(await soon { venue.book.staleReasons.count == 1 && !venue.book.isStale })
      #expect(await snapshotsByREST(venue) == (known == .binance ? 3 : 0))
      #expect(venue.counters.snapshots.value == (known == .binance ? 3 : 0))
      await venue.stop()
    }
  }

  private func snapshotsByREST(_ venue: SteppedVenue) async -> Int {
    let paths = ["GET /api/v3/depth", "GET /0/public/Depth", "GET /api/v5/market/books"]
    let counts = await venue.connected.server.requestCounts()
    return paths.reduce(0) { $0 + (counts[$1] ?? 0) }
  }

  /// Binance: 1,024 streams of a connection, 100 names a message here. Kraken: 100 symbols a request
  /// here, one connection. OKX: 100 instruments of a connection here, as it takes 480 requests an hour
  /// of 64 KB.
  @Test(arguments: [(KnownVenue.binance, 345, 2), (.kraken, 110, 1), (.okx, 110, 2)])
  func `MD-01 more symbols than a request or a connection may carry are all followed, and again`(
    _ known: KnownVenue, _ count: Int, _ connections: UInt64
  ) async throws {
    try await withLoop { loop in
      let profile = try SimulatedProfile(known)
      let names = (0..<count).map { "A\($0)" }
      let venue = try await SteppedVenue(
        loop, known, symbols: { _ in names.map { $0 + (known == .kraken ? "USD" : "USDT") } },
        exchange: { settings in
          settings.markets = names.map { Self.market($0, like: profile.exchange.markets[0]) }
        },
        // All of the books at once are more than Binance's weight of a minute.
        settings: { $0.requestWeightMax = 60_000 })
      try await venue.connect()
      #expect(venue.instruments.count == count)
      try await expectWhole(venue, count, times: 1)
      #expect(venue.counters.connections.value == connections)
      let before = venue.connected.market.count

      try await venue.connected.fault(.disconnect(.publicStreams))

      try await expectWhole(venue, count, times: 2, since: before)
      #expect(venue.counters.reconnections.value == connections)
      #expect(venue.counters.refusals.value == 0 && venue.counters.gaps.value == 0)
      await venue.stop()
    }
  }

  /// Every symbol's streams have been subscribed so often, none oftener, and every book has had a
  /// snapshot after so many events. Binance's come after a first change.
  private func expectWhole(
    _ venue: SteppedVenue, _ count: Int, times: Int, since events: Int = 0
  ) async throws {
    #expect(
      await eventually(within: .seconds(120)) {
        await subscriptions(venue).values.count { $0 >= times } >= 3 * count
      })
    let isWhole = {
      let told = venue.connected.market.since(events).compactMap { event in
        if case .snapshot(let snapshot) = event { snapshot.instrument } else { nil }
      }
      return Set(told).count == count
    }
    for _ in 0..<5 where !isWhole() {
      if venue.venue == .binance { try await venue.step(.seconds(2)) }
      _ = await eventually(within: .seconds(20), isWhole)
    }
    #expect(isWhole())
    #expect(await subscriptions(venue).values.allSatisfy { $0 == times })
  }

  private func subscriptions(_ venue: SteppedVenue) async -> [String: Int] {
    await venue.connected.server.requestCounts().filter {
      // Instruments and the venue's status are topics of a connection, not of a symbol.
      $0.key.hasPrefix("subscribe ") && !$0.key.hasPrefix("subscribe instrument")
        && !$0.key.hasPrefix("subscribe status")
    }
  }

  /// A market of little flow, for there are hundreds.
  private static func market(_ base: String, like market: SimulatedMarket) -> SimulatedMarket {
    let old = market.instrument
    let separator = old.venueSymbol.contains("/") ? "/" : old.venueSymbol.contains("-") ? "-" : ""
    let instrument = Instrument(
      id: old.id, venue: old.venue, symbol: base + old.quote,
      venueSymbol: base + separator + old.quote, base: base, quote: old.quote,
      priceScale: old.priceScale, quantityScale: old.quantityScale, tickSize: old.tickSize,
      lotSize: old.lotSize, minQuantity: old.minQuantity, maxQuantity: old.maxQuantity,
      minNotional: old.minNotional)
    return SimulatedMarket(
      instrument: instrument, maxPrice: market.maxPrice, anchor: market.anchor, rung: market.rung,
      typicalQuantity: market.typicalQuantity, eventsPerSecond: 2)
  }

  /// The exchange lists ether under a name by REST that its streams do not know.
  @Test(arguments: ConnectedVenue.simulated)
  func `MD-01 one symbol that the streams refuse does not hurt the others`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let relay = try await VenueRelay(loop)
      relay.changes { $0.replacing("ETH", with: "XTH") }
      let venue = try await SteppedVenue(
        loop, known, symbols: { [$0.ether.replacing("ETH", with: "XTH"), $0.bitcoin] },
        settings: { $0.restURL = relay.standFor($0.restURL) })
      try await venue.connect()
      #expect(venue.instruments.count == 2)
      let bitcoin = InstrumentID(1)
      for _ in 0..<100 where venue.follower(of: bitcoin).deltas < 20 {
        try await venue.step()
        _ = await eventually(within: .milliseconds(50)) { venue.follower(of: bitcoin).deltas >= 20 }
      }
      #expect(!venue.follower(of: bitcoin).isStale && venue.follower(of: bitcoin).deltas >= 20)
      #expect(venue.follower(of: bitcoin).staleReasons.isEmpty)
      #expect(venue.follower(of: InstrumentID(0)).snapshots == 0)
      // Binance says nothing of a stream that does not exist. The others name it, once a topic; a book
      // of Kraken is asked for again after 0, 1, 2, 4, ... seconds, of which a minute has six.
      let refused: UInt64 = known == .binance ? 0 : 3
      #expect(await soon { venue.counters.refusals.value >= refused })
      try await venue.step(.seconds(40))
      for _ in 0..<5 { try await venue.step() }
      #expect(venue.counters.refusals.value <= refused + (known == .kraken ? 6 : 0))
      #expect(venue.counters.reconnections.value == 0)
      #expect(venue.follower(of: bitcoin).staleReasons.isEmpty)
      await venue.stop()
      await relay.stop()
    }
  }
}
