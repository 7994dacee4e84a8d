import JSON
import OrderBook
import SimulatorKit
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator

/// Recordings of Kraken and OKX through the exchange that plays them. Counts are those of their
/// manifest.
@Suite(.enabled(if: RecordedData.isPresent("kraken"), "no recorded data beside the package"))
struct `Recorded markets` {
  static let depth25 = "kraken/v2_btcusd_depth25_20260802.log"
  static let ripple = "kraken/v2_xrpusd_depth25_20260802.log"
  static let resubscribing = "kraken/v2_btcusd_depth10_resubscribe_20260801.log"
  static let versionOne = "kraken/v1_20210405_book1000_KRAKEN-c197c0.0.zst"
  static let okx = "okx/books_20220513_OKX.ws.1.0"
  static let okxByTick = "okx/books-l2-tbt_20210722_OKEX.ws.1.0"

  private func markets(_ file: String) throws -> RecordedMarkets {
    let path = try #require(RecordedData.path(file))
    return try #require(try RecordedMarkets(path: path))
  }

  /// The exchange at the end of a recording, and what was wrong with it.
  private func played(
    _ file: String, _ symbol: String, _ dialect: VenueDialect
  ) throws -> (playback: MarketPlayback, told: Int, problems: [String], book: ExchangeBook?) {
    let path = try #require(RecordedData.path(file))
    var settings =
      dialect == .kraken ? try KrakenClient.settings() : OKXClient.settings()
    let replay = ReplaySettings(dialect: dialect, symbol: symbol, files: [path], speed: .instant)
    let capture = try MarketCapture.of(replay, markets: settings.markets)
    let index = settings.adopt(capture)
    let playback = MarketPlayback(capture, dialect)
    var exchange = SimulatedExchange(
      settings: settings, start: DialectClient.start, playbacks: [symbol: playback])
    var (told, problems): (Int, [String]) = (0, [])
    for place in 0..<capture.count {
      guard let message = try capture.message(place) else { continue }
      if let problem = try exchange.play(message, market: index) { problems.append(problem) }
      told += exchange.takeHappenings().count {
        if case .window(index, .depthFast, _) = $0.what { true } else { false }
      }
    }
    return (playback, told, problems, exchange.book(of: symbol, levelsMax: 1_000))
  }

  @Test(arguments: [
    (depth25, "BTC/USD", 2_052), (ripple, "XRP/USD", 1_147), (resubscribing, "BTC/USD", 301),
    (versionOne, "BTC/USD", 5_788), (versionOne, "DASH/EUR", nil),
  ])
  func `MD-23 Kraken's recordings play with every checksum of theirs`(
    file: String, symbol: String, count: Int?
  ) throws {
    let end = try played(file, symbol, .kraken)

    print("\(file), \(symbol): \(end.playback.checksumCount) checksums match")
    #expect(end.problems.isEmpty)
    #expect(count == nil || end.playback.checksumCount == count)
    #expect(end.told > 0 && end.told <= end.playback.checksumCount)
    let book = try #require(end.book)
    #expect(book.bids[0].price < book.asks[0].price)
  }

  @Test func `MD-23 every pair of a recording of version 1 plays: 14,496 checksums`() throws {
    let markets = try markets(Self.versionOne)
    #expect(markets.dialect == .kraken && markets.symbols.count == 10)
    var count = 0
    for symbol in markets.symbols {
      let end = try played(Self.versionOne, symbol, .kraken)
      #expect(end.problems.isEmpty, "\(symbol)")
      count += end.playback.checksumCount
    }
    #expect(count == 14_496)
  }

  @Test func `MD-23 OKX's spot books play with every checksum of theirs`() throws {
    var count = 0
    for file in [Self.okx, Self.okxByTick] {
      let markets = try markets(file)
      #expect(markets.dialect == .okx)
      for symbol in markets.symbols where symbol.split(separator: "-").count == 2 {
        let end = try played(file, symbol, .okx)
        print("\(file), \(symbol): \(end.playback.checksumCount) checksums match")
        #expect(end.problems.isEmpty, "\(symbol)")
        #expect(end.playback.checksumCount > 0)
        count += end.playback.checksumCount
      }
    }
    #expect(count > 500)
  }

  @Test func `MD-23 a message that names another predecessor ends the recording's word`() throws {
    let path = try #require(RecordedData.path("okx/books_20260824_seqid_excerpt.jsonl"))
    let replay = ReplaySettings(
      dialect: .okx, symbol: "BTC-USDT", files: [path], speed: .instant)
    let capture = try MarketCapture.of(replay, markets: SimulatedMarket.okx)
    let playback = MarketPlayback(capture, .okx)
    var books: [RecordedBook] = []
    for place in 0..<capture.count {
      if case .book(let book) = try capture.message(place)?.content { books.append(book) }
    }
    try #require(books.count > 3)

    #expect(books.allSatisfy { playback.play($0).problem == nil })
    #expect(books.last?.sequence == Int64(playback.lastUpdateID))
    let holed = MarketPlayback(capture, .okx)
    _ = holed.play(books[0])
    _ = holed.play(books[1])
    #expect(holed.play(books[3]).problem?.contains("is missing") == true)
    #expect(holed.play(books[2]).window == nil)
    #expect(holed.play(books[0]).problem == nil)
    #expect(books[0].sequence == Int64(holed.lastUpdateID))
  }

  @Test func `MD-23 a recording of something else is refused by name`() throws {
    let path = try #require(RecordedData.path(Self.depth25))
    let other = ReplaySettings(
      dialect: .kraken, symbol: "ETH/USD", files: [path], speed: .instant)
    #expect(throws: ExchangeLogError.self) {
      try MarketCapture.of(other, markets: SimulatedMarket.kraken)
    }
    let byTick = try #require(RecordedData.path(Self.okxByTick))
    let swap = ReplaySettings(
      dialect: .okx, symbol: "XMR-USDT-SWAP",
      files: [byTick], speed: .instant)
    let error = #expect(throws: ExchangeLogError.self) {
      try MarketCapture.of(swap, markets: SimulatedMarket.okx)
    }
    #expect(error?.description.contains("no spot market") == true)
  }

  @Test func `MD-23 our order is filled by the trades of a recorded market`() throws {
    let path = try #require(RecordedData.path(Self.depth25))
    var settings = try KrakenClient.settings()
    let replay = ReplaySettings(
      dialect: .kraken, symbol: "BTC/USD", files: [path], speed: .instant)
    let capture = try MarketCapture.of(replay, markets: settings.markets)
    _ = settings.adopt(capture)
    var exchange = SimulatedExchange(
      settings: settings, start: DialectClient.start,
      playbacks: ["BTC/USD": MarketPlayback(capture, .kraken)])
    var ticket = OrderTicket(account: 0, market: 0, defaultPrevention: .none)
    let ask = try #require(capture.snapshot.asks.first)
    ticket.price = ask.price
    ticket.quantity = Quantity(ask.quantity.raw / 2)
    let order = try exchange.enter(ticket).order
    #expect(order.status == .filled)
    ticket.terms.trigger = Price(ask.price.raw * 2)
    #expect(throws: Refusal.recordedMarket) { try exchange.enter(ticket) }
  }
}
