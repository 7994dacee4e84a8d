import Chrono
import Foundation
import OrderBook
import Recording
import TestKit
import Testing
import Units
import Venue

@testable import Venues

/// Every check that Kraken's recordings allow. Counts are those of their manifest.
@Suite(.enabled(if: RecordedData.isPresent("kraken"), "no recorded data beside the package"))
struct `Kraken's recordings` {
  static let depth25 = "v2_btcusd_depth25_20260802.log"
  static let ripple = "v2_xrpusd_depth25_20260802.log"
  static let resubscribing = "v2_btcusd_depth10_resubscribe_20260801.log"
  static let books = "v1_20210405_book1000_KRAKEN-c197c0.0.zst"
  static let pairs = [
    "ALGO/BTC", "LSK/USD", "USDC/GBP", "FIL/BTC", "WAVES/ETH", "ICX/USD", "AUD/USD", "KAVA/USD",
    "DASH/EUR", "BTC/USD",
  ]

  static func feed(_ symbol: String, priceScale: UInt8, depth: Int) -> KrakenFeed {
    KrakenFeed([.kraken(symbol, priceScale: priceScale)], depth: depth)
  }

  static var recordedPairs: [Instrument] {
    pairs.enumerated().map { .kraken($1, $0, priceScale: 10) }
  }

  @Test(arguments: [(depth25, "BTC/USD", UInt8(1), 2_052), (ripple, "XRP/USD", 5, 1_147)])
  func `MD-05 MD-07 every checksum of version 2 matches`(
    _ name: String, _ symbol: String, _ scale: UInt8, _ checks: Int
  ) throws {
    let frames = try KrakenCapture.frames(name)
    let feed = Self.feed(symbol, priceScale: scale, depth: 25)
    var capture = KrakenCapture()
    capture.open(feed, at: frames[0].time)
    capture.play(frames, through: feed)

    let book = try #require(feed.book(of: InstrumentID(0)))
    print("\(name): \(book.verified) of \(checks) checksums match")
    #expect(book.verified == checks)
    #expect(capture.snapshots == 1 && capture.deltas == checks - 1)
    #expect(capture.faults.isEmpty && capture.stales == 0)
    #expect(book.levels.levelCount(.buy) == 25 && book.levels.levelCount(.sell) == 25)
    // A hearer that knows nothing of the depth has the same book.
    #expect(capture.heard[InstrumentID(0)]?.stateHash == book.levels.stateHash)
  }

  @Test func `MD-05 a price scale that is finer than the venue's digits changes no checksum`()
    throws
  {
    let frames = try KrakenCapture.frames(Self.depth25)
    let feed = Self.feed("BTC/USD", priceScale: 5, depth: 25)
    var capture = KrakenCapture()
    capture.open(feed, at: frames[0].time)
    capture.play(frames, through: feed)
    #expect(feed.book(of: InstrumentID(0))?.verified == 2_052)
  }

  @Test func `MD-04 subscriptions that end and begin on one connection heal each time`() throws {
    let frames = try KrakenCapture.frames(Self.resubscribing)
    let feed = Self.feed("BTC/USD", priceScale: 1, depth: 10)
    var capture = KrakenCapture()
    capture.open(feed, at: frames[0].time)
    capture.play(frames, through: feed)

    let book = try #require(feed.book(of: InstrumentID(0)))
    print("\(Self.resubscribing): \(book.verified) of 301 checksums match")
    #expect(book.verified == 301)
    #expect(capture.snapshots == 5)
    // The book was trusted when four of the seven ends came.
    #expect(capture.stales == 4)
    #expect(
      capture.faults.allSatisfy { if case .gap = $0 { true } else { false } })
    #expect(capture.heard[InstrumentID(0)]?.stateHash == book.levels.stateHash)
  }

  @Test func `MD-05 MD-07 every checksum of version 1 matches, book by book`() throws {
    let frames = try KrakenCapture.frames(Self.books)
    let reader = KrakenV1Reader(Self.recordedPairs)
    var capture = KrakenCapture()
    capture.open(reader, at: frames[0].time)
    capture.play(frames, through: reader)

    let books = reader.instruments.compactMap { reader.book(of: $0.id) }
    let verified = books.map(\.verified).reduce(0, +)
    print("\(Self.books): \(verified) of 14496 checksums match, in \(books.count) books")
    #expect(verified == 14_496)
    #expect(books.last?.verified == 5_788)
    #expect(capture.snapshots == 10 && capture.deltas == 14_496)
    #expect(capture.faults.isEmpty && capture.stales == 0)
    for book in books {
      #expect(capture.heard[book.instrument.id]?.stateHash == book.levels.stateHash)
    }
  }

  @Test func `MD-07 trades and tickers of version 1 are all read`() throws {
    let reader = KrakenV1Reader(Self.recordedPairs)
    var capture = KrakenCapture()
    let trades = try KrakenCapture.frames("v1_20210405_trade_KRAKEN-82ac16.0")
    let tickers = try KrakenCapture.frames("v1_20210405_ticker_KRAKEN-4b7396.0")
    capture.play(trades, through: reader)
    capture.play(tickers, through: reader)

    print("version 1: \(capture.trades.count) trades, \(capture.tops) tickers")
    #expect(capture.trades.count == 28)
    #expect(capture.tops == 22)
    #expect(capture.faults.isEmpty)
  }

  @Test func `MD-03 MD-07 every change of Kraken Futures' books follows the one before`() throws {
    let frames = try KrakenCapture.frames("futures_20210722_KRAKEN_FUTURES.ws.1.0.zst")
    let names = [
      "FI_ETHUSD_211231", "PI_XRPUSD", "PI_LTCUSD", "FI_BCHUSD_210730", "PI_ETHUSD",
      "FI_XBTUSD_210924", "FI_ETHUSD_210730", "FI_BCHUSD_210924", "FI_XRPUSD_210924",
      "FI_XBTUSD_210730",
    ]
    let reader = KrakenFuturesReader(
      names.enumerated().map { .kraken($1, $0, priceScale: 6, quantityScale: 2) })
    var capture = KrakenCapture()
    capture.open(reader, at: frames[0].time)
    capture.play(frames, through: reader)

    print(
      "Kraken Futures: \(reader.followed) of 7014 changes follow, \(capture.trades.count) trades")
    #expect(reader.followed == 7_014)
    #expect(capture.snapshots == 10 && capture.deltas == 7_014)
    #expect(capture.faults.isEmpty && capture.stales == 0)
    for instrument in reader.instruments {
      #expect(reader.book(of: instrument.id)?.levels.isCrossed == false)
    }
  }

  @Test func `MD-03 a change of Kraken Futures that is left out taints the book there`() throws {
    var frames = try KrakenCapture.frames("futures_20210722_KRAKEN_FUTURES.ws.1.0.zst")
    let reader = KrakenFuturesReader([.kraken("PI_ETHUSD", priceScale: 6, quantityScale: 2)])
    let places = frames.indices.filter {
      let text = String(decoding: frames[$0].bytes, as: UTF8.self)
      return text.contains("\"feed\":\"book\",") && text.contains("PI_ETHUSD\",\"side")
    }
    let left = places[places.count / 2]
    let next = try #require(places.first { $0 > left })
    frames.remove(at: left)
    var capture = KrakenCapture()
    capture.open(reader, at: frames[0].time)
    capture.play(frames[..<(next - 1)], through: reader)
    #expect(capture.faults.isEmpty && capture.stales == 0)
    capture.play([frames[next - 1]], through: reader)
    #expect(capture.faults.count == 1 && capture.stales == 1)
    capture.play(frames[next...], through: reader)
    #expect(capture.faults.count == 1 && capture.stales == 1)
  }

  @Test func `MD-07 trades of version 2 have ids without holes`() throws {
    let frames = try KrakenCapture.frames("v2_trade_20260926_excerpt.jsonl")
    let feed = KrakenFeed([
      .kraken("BTC/USD", priceScale: 1), .kraken("ETH/USD", 1, priceScale: 2),
    ])
    var capture = KrakenCapture()
    capture.open(feed, at: Instant(milliseconds: 1_790_000_000_000))
    capture.play(frames, through: feed)

    #expect(capture.trades.map(\.tradeID) == [109_183_886])
    #expect(capture.trades.first?.exchangeTime == Instant(rfc3339: "2026-09-26T18:09:13.157776Z"))
    #expect(capture.trades.first?.aggressor == .sell && capture.faults.isEmpty)
  }

  @Test func `MD-05 one flipped digit is caught at that message, and the book heals`() throws {
    let frames = try KrakenCapture.frames(Self.depth25)
    var caught = 0
    for place in stride(from: 40, to: frames.count, by: 211) {
      guard let (at, changed) = try Self.flipped(frames, from: place) else { continue }
      let feed = Self.feed("BTC/USD", priceScale: 1, depth: 25)
      let twin = Self.feed("BTC/USD", priceScale: 1, depth: 25)
      var capture = KrakenCapture()
      var unharmed = KrakenCapture()
      capture.open(feed, at: frames[0].time)
      unharmed.open(twin, at: frames[0].time)
      capture.play(frames[..<at], through: feed)
      #expect(capture.faults.isEmpty)
      capture.play([changed], through: feed)
      guard case .checksum = capture.faults.first else {
        Issue.record("the digit at frame \(at) was not caught there: \(capture.faults)")
        continue
      }
      caught += 1
      #expect(capture.stales == 1)
      try Self.heal(feed, twin, frames, at, &capture, &unharmed)
      #expect(capture.faults.count == 1 && capture.stales == 1)
      #expect(
        feed.book(of: InstrumentID(0))?.levels.stateHash
          == twin.book(of: InstrumentID(0))?.levels.stateHash)
    }
    print("\(caught) flipped digits caught at their message")
    #expect(caught >= 8)
  }

  /// The subscription ends and begins anew; its snapshot is what the unharmed twin has by then.
  private static func heal(
    _ feed: KrakenFeed, _ twin: KrakenFeed, _ frames: [RecordedFrame], _ at: Int,
    _ capture: inout KrakenCapture, _ unharmed: inout KrakenCapture
  ) throws {
    let now = frames[at].time
    let resume = min(at + 30, frames.count)
    // What still comes of the old subscription is of no use.
    capture.play(frames[(at + 1)..<resume], through: feed)
    unharmed.play(frames[..<resume], through: twin)
    #expect(capture.sent.last?.contains(#""method":"unsubscribe""#) == true)
    capture.play(KrakenText.acknowledgement(capture.sent.last ?? ""), at: now, through: feed)
    #expect(capture.sent.last?.contains(#""method":"subscribe""#) == true)
    capture.play(KrakenText.acknowledgement(capture.sent.last ?? ""), at: now, through: feed)
    let book = try #require(twin.book(of: InstrumentID(0)))
    capture.play(KrakenText.snapshot(book), at: now, through: feed)
    capture.play(frames[resume...], through: feed)
    unharmed.play(frames[resume...], through: twin)
  }

  /// The first frame from `place` on whose level is among the best ten after it, with the last
  /// digit of its quantity changed.
  private static func flipped(
    _ frames: [RecordedFrame], from place: Int
  ) throws -> (Int, RecordedFrame)? {
    let feed = feed("BTC/USD", priceScale: 1, depth: 25)
    var capture = KrakenCapture()
    capture.open(feed, at: frames[0].time)
    capture.play(frames[..<place], through: feed)
    let book = try #require(feed.book(of: InstrumentID(0)))
    for at in place..<frames.count {
      let count = book.updates
      capture.play([frames[at]], through: feed)
      let best =
        book.levels.levels(.buy, max: 10).map(\.price)
        + book.levels.levels(.sell, max: 10).map(\.price)
      guard book.updates > count,
        let level = (book.delta.bids + book.delta.asks).first(where: { level in
          level.quantity.raw > 0 && best.contains(level.price)
        })
      else { continue }
      let text = String(decoding: frames[at].bytes, as: UTF8.self)
      let quantity = "\(book.instrument.decimal(level.quantity))"
      let last = quantity.last == "7" ? "8" : "7"
      guard let range = text.range(of: "\"qty\":\(quantity)") else { continue }
      var frame = frames[at]
      frame.bytes = Array(
        text.replacingCharacters(in: range, with: "\"qty\":\(quantity.dropLast())\(last)").utf8)
      return (at, frame)
    }
    return nil
  }
}
