import Chrono
import Loop
import OrderBook
import Recording
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Recordings played by the simulator in the venue's own dialect, heard through the venue's adapter.
@Suite struct `A replayed venue` {
  /// A hearer's book, as a service behind the connector keeps it.
  private struct HeardBook {
    let book = PriceLevelBook(levelsMax: 20_000)
    private var taken = 0

    mutating func hear(_ events: [MarketEvent], of instrument: InstrumentID) {
      for event in events[taken...] {
        switch event {
        case .snapshot(let snapshot) where snapshot.instrument == instrument: book.apply(snapshot)
        case .delta(let delta) where delta.instrument == instrument:
          for level in delta.bids { book.set(.buy, level.price, to: level.quantity) }
          for level in delta.asks { book.set(.sell, level.price, to: level.quantity) }
        default: break
        }
      }
      taken = events.count
    }
  }

  /// OKX's adapter counts quantities in lots, the exchange in its own units.
  private func isSame(
    _ book: PriceLevelBook, _ instrument: Instrument, _ other: ExchangeBook
  ) -> Bool {
    func level(_ level: PriceLevel, _ price: UInt8, _ quantity: UInt8) -> [Decimal] {
      [
        Decimal(units: level.price.raw, scale: price).normalized,
        Decimal(units: level.quantity.raw, scale: quantity).normalized,
      ]
    }
    let ours = [Side.buy, .sell].map { side in
      book.levels(side, max: .max).map {
        level($0, instrument.priceScale, instrument.quantityScale)
      }
    }
    let theirs = [other.bids, other.asks].map { side in
      side.map { level($0, other.priceScale, other.quantityScale) }
    }
    return ours == theirs
  }

  /// What the adapter has heard when the whole recording is played.
  private func replayed(
    _ loop: EventLoop, _ venue: KnownVenue, _ dialect: VenueDialect, _ listed: String,
    _ symbol: String, _ path: String
  ) async throws -> PriceLevelBook {
    let replay = ReplaySettings(
      dialect: dialect, symbol: listed, files: [path], speed: .instant)
    let connected = try await ConnectedVenue(
      loop, venue, replays: [replay], timeout: .seconds(30), symbols: [symbol])
    let instruments = try await connected.start()
    let instrument = try #require(instruments.first { $0.symbol == symbol })
    #expect(await soon { await connected.server.isReplayFinished() })
    let shown = try await connected.exchangeBook(listed)
    var heard = HeardBook()
    #expect(
      await soon {
        heard.hear(connected.market.all, of: instrument.id)
        return isSame(heard.book, instrument, shown)
      })

    let counters = connected.session.counters
    #expect(counters.gaps.value == 0 && counters.checksums.value == 0)
    #expect(connected.market.all.allSatisfy { if case .stale = $0 { false } else { true } })
    await connected.stop()
    return heard.book
  }

  @Test(
    .enabled(if: RecordedData.isPresent("kraken"), "no recorded data beside the package"),
    arguments: [
      (KnownVenue.kraken, VenueDialect.kraken, "BTC/USD", "kraken/v2_btcusd_depth25_20260802.log"),
      (.kraken, .kraken, "XRP/USD", "kraken/v2_xrpusd_depth25_20260802.log"),
      (.kraken, .kraken, "KAVA/USD", "kraken/v1_20210405_book1000_KRAKEN-c197c0.0.zst"),
      (.okx, .okx, "BTC-USDT", "okx/books_20220513_OKX.ws.1.0"),
      (.okx, .okx, "ONT-USDT", "okx/books-l2-tbt_20210722_OKEX.ws.1.0"),
    ])
  func `MD-23 the adapter ends with the recording's book and nothing wrong on the way`(
    venue: KnownVenue, dialect: VenueDialect, listed: String, file: String
  ) async throws {
    let path = try #require(RecordedData.path(file))
    let symbol = String(listed.filter { $0.isLetter })
    try await withLoop { loop in
      let end = try await replayed(loop, venue, dialect, listed, symbol, path)
      #expect(end.bestBid != nil && !end.isCrossed)
    }
  }

  @Test(
    .enabled(if: RecordedData.isPresent("kraken"), "no recorded data beside the package"))
  func `MD-23 a replayed book is that of the recorder's own feed, level by level`() async throws {
    let name = "v2_btcusd_depth25_20260802.log"
    let frames = try KrakenCapture.frames(name)
    let feed = `Kraken's recordings`.feed("BTC/USD", priceScale: 1, depth: 25)
    var capture = KrakenCapture()
    capture.open(feed, at: frames[0].time)
    capture.play(frames, through: feed)
    let book = try #require(feed.book(of: InstrumentID(0))).levels
    let (bids, asks) = (book.levels(.buy, max: .max), book.levels(.sell, max: .max))
    let path = try #require(RecordedData.path("kraken/\(name)"))

    try await withLoop { loop in
      let end = try await replayed(loop, .kraken, .kraken, "BTC/USD", "BTCUSD", path)
      #expect(end.levels(.buy, max: .max) == bids && end.levels(.sell, max: .max) == asks)
    }
  }

  @Test(arguments: [
    (KnownVenue.kraken, VenueDialect.kraken, "ETH/USD", "ETHUSD"),
    (.okx, .okx, "ETH-USDT", "ETHUSDT"), (.binance, .binance, "ETHUSDT", "ETHUSDT"),
  ])
  func `MD-23 what is recorded at a venue plays back to the book that the recorder had`(
    venue: KnownVenue, dialect: VenueDialect, listed: String, symbol: String
  ) async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/tape.sqr"
    try await withLoop { loop in
      let recorder = FrameRecorder(path)
      let live = try await ConnectedVenue(
        loop, venue, timeout: .seconds(30), symbols: [symbol], settings: { $0.recorder = recorder })
      let instruments = try await live.session.loadInstruments()
      try recorder.begin(venue: venue.rawValue, symbols: [symbol], at: SystemTime().now)
      _ = try await live.start()
      let instrument = try #require(instruments.first { $0.symbol == symbol }).id
      #expect(
        await soon {
          live.market.all.count { if case .delta = $0 { true } else { false } } >= 25
        })
      await live.stop()
      recorder.finish()
      #expect(recorder.failure == nil)
      var recorded = HeardBook()
      recorded.hear(live.market.all, of: instrument)

      let end = try await replayed(loop, venue, dialect, listed, symbol, path)
      #expect(end.levels(.buy, max: 100) == recorded.book.levels(.buy, max: 100))
      #expect(end.levels(.sell, max: 100) == recorded.book.levels(.sell, max: 100))
    }
  }
}
