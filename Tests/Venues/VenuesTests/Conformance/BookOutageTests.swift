import Chrono
import Loop
import MarketQuality
import OrderBook
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// A venue that falls silent, hangs up, closes, halts or has another time: seen, told, and over.
@Suite(.serialized) struct BookOutageTests {
  @Test(arguments: ConnectedVenue.simulated)
  func `MD-01 a lost connection is opened again once, and its books are whole again`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      let requests = await venue.snapshotRequests()
      try await venue.connected.fault(.disconnect(.publicStreams))
      #expect(await soon { venue.counters.reconnections.value == 1 })
      #expect(try await venue.recovers())
      for book in [venue.book, venue.etherBook] {
        #expect(book.staleReasons.count == 1 && book.snapshots == 2 && book.mergedOntoStale == 0)
      }
      // Binance's count is of both symbols.
      #expect(await venue.snapshotRequests() == requests + (known == .binance ? 2 : 1))
      #expect(venue.counters.connections.value == 2 && venue.counters.gaps.value == 0)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-01 a venue in maintenance refuses, and is found again when it opens`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      try await venue.connected.fault(.maintenance(.seconds(10)))
      #expect(await soon { venue.book.isStale && venue.etherBook.isStale })
      for _ in 0..<3 { try await venue.step() }
      await #expect(throws: VenueError.self) {
        try await venue.connected.session.loadInstruments()
      }
      #expect(venue.counters.reconnections.value == 0 && venue.book.isStale)
      try await venue.step(.seconds(10))
      #expect(await soon { venue.counters.reconnections.value == 1 })
      #expect(try await venue.recovers())
      #expect(venue.book.staleReasons.count == 1 && venue.book.mergedOntoStale == 0)
      await venue.stop()
    }
  }

  /// Minutes of it are soon played.
  private static let quiet: @Sendable (inout ExchangeSettings) -> Void = { exchange in
    for index in exchange.markets.indices { exchange.markets[index].eventsPerSecond = 10 }
  }

  @Test(arguments: [KnownVenue.kraken, .okx])
  func `MD-03 a book that stalls is stale although heartbeats go on`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known, exchange: Self.quiet)
      try await venue.begin()
      try await venue.connected.fault(.stall(.seconds(160)))
      try await venue.step(.seconds(151))
      #expect(await soon { venue.counters.gaps.value == 2 })
      for book in [venue.book, venue.etherBook] {
        #expect(book.staleReasons.count == 1)
        #expect(book.staleReasons[0].hasPrefix("no message for"))
      }
      // A new subscription has the book of now, and then nothing again.
      #expect(await soon { !venue.book.isStale && !venue.etherBook.isStale })
      #expect(try await venue.recovers(by: .seconds(1), steps: 300))
      // What was lost after the new snapshot shows in the first message after the stall.
      #expect(venue.counters.gaps.value == (known == .kraken ? 2 : 4))
      #expect(venue.counters.checksums.value == (known == .kraken ? 2 : 0))
      #expect(venue.book.staleReasons.count == 2 && venue.book.mergedOntoStale == 0)
      #expect(venue.counters.reconnections.value == 0)
      await venue.stop()
    }
  }

  /// Binance's heartbeats are the socket's own pings: any frame is a sign of its data.
  @Test func `MD-03 a connection of Binance without a frame is stale although pings go on`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await SteppedVenue(
        loop, .binance, exchange: Self.quiet, settings: { $0.silenceMax = .seconds(2) })
      try await venue.begin()
      try await venue.connected.fault(.stall(.seconds(160)))
      let before = venue.counters.reconnections.value
      try await venue.step(.seconds(100))
      #expect(
        await soon {
          venue.book.isStale && venue.etherBook.isStale
            && venue.counters.reconnections.value > before
        })
      #expect(venue.book.staleReasons.last?.hasPrefix("no frame for") == true)
      #expect(try await venue.recovers(by: .seconds(1), steps: 300))
      #expect(venue.book.mergedOntoStale == 0 && venue.counters.gaps.value == 0)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `a halted instrument is told, takes no order, and is told again when it trades`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      let symbol = venue.bitcoinSymbol
      try await venue.connected.fault(.halt(symbol: symbol))
      // Binance tells it with its instruments, which are asked for once a minute.
      try await venue.step(known == .binance ? .seconds(61) : SteppedVenue.window)
      #expect(await soon { venue.book.statuses.map(\.isTrading) == [false] })
      let deltas = venue.book.deltas
      for _ in 0..<5 {
        try await venue.step()
        #expect(try await venue.settles())
      }
      #expect(venue.book.deltas == deltas && !venue.book.isStale)
      #expect(try await venue.connected.exchangeBook(symbol).isHalted)
      #expect(try await venue.agreesSoon())
      let bitcoin = venue.instruments[0]
      let outcome = await venue.connected.session.orders.place(
        VenueOrder(
          instrument: bitcoin.id, clientOrderID: "0ABCDEFGHJKMN-1", side: .buy, type: .limit,
          timeInForce: .gtc, price: venue.book.levels(.buy)[0].price,
          quantity: Quantity(max(bitcoin.minQuantity.raw, bitcoin.lotSize.raw * 100))))
      guard case .rejected(.marketClosed, _) = outcome else {
        Issue.record("an order in a halt: \(outcome)")
        return await venue.stop()
      }
      #expect(try await venue.connected.exchangeAccount().openOrders.isEmpty)

      try await venue.connected.fault(.resume(symbol: symbol))
      try await venue.step(known == .binance ? .seconds(61) : SteppedVenue.window)
      #expect(await soon { venue.book.statuses.map(\.isTrading) == [false, true] })
      #expect(try await venue.recovers())
      #expect(venue.book.deltas > deltas && venue.book.staleReasons.isEmpty)
      #expect(venue.counters.gaps.value == 0 && venue.counters.checksums.value == 0)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated, [Duration.seconds(2), .seconds(-10)])
  func `CLK-04 MD-13 a venue's clock that is off is measured, and its ticks are flagged`(
    _ known: KnownVenue, _ skew: Duration
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.connected.fault(.clockSkew(skew))
      try await venue.begin()
      // Kraken tells whole seconds.
      let error = (venue.connected.session.clockOffset ?? .seconds(100)) - skew
      let errorMax: Duration = known == .kraken ? .milliseconds(500) : .zero
      #expect(error <= errorMax && error >= .zero - errorMax)
      for _ in 0..<50 where venue.book.lastDelta == nil {
        try await venue.step()
        #expect(try await venue.settles())
      }
      let delta = try #require(venue.book.lastDelta)
      #expect(delta.exchangeTime - delta.receivedTime == skew)
      let expected: QualityFlags = skew > .zero ? .skewed : .stale
      #expect(flags(venue).contains(expected))

      try await venue.connected.fault(.clockSkew(.zero))
      #expect(try await venue.recovers())
      for _ in 0..<5 { try await venue.step() }
      #expect(try await venue.agreesSoon())
      #expect(!flags(venue).contains(expected) && venue.book.staleReasons.isEmpty)
      await venue.stop()
    }
  }

  /// What the quality monitor thinks of bitcoin after all that was told.
  private func flags(_ venue: SteppedVenue) -> QualityFlags {
    var monitor = QualityMonitor(venue.instruments[0], .standard)
    let book = PriceLevelBook()
    for event in venue.connected.market.all where event.instrument == SteppedVenue.bitcoin {
      switch event {
      case .snapshot(let snapshot): book.apply(snapshot)
      case .delta(let delta): book.apply(delta)
      default: break
      }
      _ = monitor.take(event, bid: book.bestBid, ask: book.bestAsk)
    }
    return monitor.flags
  }
}
