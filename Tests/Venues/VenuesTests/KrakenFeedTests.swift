import Bytes
import Chrono
import OrderBook
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Kraken's feed` {
  static let start = Instant(milliseconds: 1_790_000_000_000)
  static let bitcoin = InstrumentID(0)

  private func feed(depth: Int = 10, priceScale: UInt8 = 1) -> KrakenFeed {
    KrakenFeed([.kraken("BTC/USD", priceScale: priceScale)], depth: depth)
  }

  /// A feed with a whole book: bids 99.9 and 99.8, asks 100.0 and 100.1.
  private func whole(_ capture: inout KrakenCapture, depth: Int = 10) -> KrakenFeed {
    let feed = feed(depth: depth)
    capture.open(feed, at: Self.start)
    for request in capture.sent {
      capture.play(KrakenText.acknowledgement(request), at: Self.start, through: feed)
    }
    capture.play(Self.snapshot, at: Self.start, through: feed)
    return feed
  }

  static var snapshot: String {
    KrakenText.book(
      "snapshot", bids: [("99.9", "1.00000000"), ("99.8", "2.50000000")],
      asks: [("100.0", "0.00500000"), ("100.1", "3.00000000")],
      checksum: CRC32.of("1000500000100130000000099910000000099825000 0000".filter { $0 != " " }))
  }

  @Test func `subscribes to five channels' worth with numbered requests`() throws {
    var capture = KrakenCapture()
    capture.open(feed(depth: 30), at: Self.start)
    let texts = capture.sent
    #expect(texts.count == 4)
    for channel in ["instrument", "book", "trade", "ticker"] {
      #expect(texts.contains { $0.contains("\"channel\":\"\(channel)\"") })
    }
    // The next depth that Kraken has.
    #expect(texts.contains { $0.contains("\"depth\":100") })
    #expect(texts.allSatisfy { $0.contains("\"req_id\":") })
  }

  @Test func `MD-05 the checksum is over digits without point and leading zeros`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    #expect(capture.faults.isEmpty && capture.snapshots == 1)
    let book = try #require(feed.book(of: Self.bitcoin))
    #expect(book.verified == 1 && book.levels.bestAsk?.quantity == Quantity(500_000))
  }

  @Test func `MD-05 levels written with other digits keep theirs in the checksum`() throws {
    let feed = feed(priceScale: 2)
    var capture = KrakenCapture()
    capture.open(feed, at: Self.start)
    // One place is usual here, two and none are not; quantities differ too.
    let text = "1000" + "5" + "10015" + "20" + "999" + "10" + "99" + "3"
    capture.play(
      KrakenText.book(
        "snapshot", bids: [("99.9", "1.0"), ("99", "3")],
        asks: [("100.0", "0.5"), ("100.15", "2.0")], checksum: CRC32.of(text)),
      at: Self.start, through: feed)
    #expect(capture.faults.isEmpty)
    // The same levels in the usual way, and one that is taken away.
    capture.play(
      KrakenText.book(
        "update", bids: [("99.0", "3.0")], asks: [("100.15", "0.00")],
        checksum: CRC32.of("1000" + "5" + "999" + "10" + "990" + "30")),
      at: Self.start, through: feed)
    #expect(capture.faults.isEmpty && feed.book(of: Self.bitcoin)?.verified == 2)
  }

  @Test func `MD-05 the last word of a message that touches a price twice counts`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.play(
      KrakenText.book(
        "update", bids: [("99.9", "0.00000000"), ("99.9", "7.00000000")],
        checksum: CRC32.of("1000500000" + "1001300000000" + "999700000000" + "998250000000")),
      at: Self.start, through: feed)
    #expect(capture.faults.isEmpty)
    #expect(feed.book(of: Self.bitcoin)?.levels.bestBid?.quantity == Quantity(700_000_000))
    #expect(capture.heard[Self.bitcoin]?.bestBid?.quantity == Quantity(700_000_000))
  }

  @Test func `MD-05 MD-04 a mismatch taints at that message and growing pauses follow`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    let bad = KrakenText.book("update", bids: [("99.9", "2.00000000")], checksum: 1)
    var now = Self.start
    capture.play(bad, at: now, through: feed)
    #expect(capture.stales == 1 && capture.faults.count == 1)
    // What still comes of the old subscription says nothing.
    capture.play(bad, at: now, through: feed)
    #expect(capture.stales == 1 && capture.faults.count == 1)

    var pauses: [Int] = []
    for _ in 0..<9 {
      #expect(capture.requests.last?.contains("unsubscribe") == true)
      let sent = capture.requests.count
      capture.play(
        KrakenText.acknowledgement(capture.requests.last ?? ""), at: now, through: feed)
      var waited = 0
      while capture.requests.count == sent {
        now = now + .seconds(1)
        waited += 1
        capture.play(#"{"channel":"heartbeat"}"#, at: now, through: feed)
        capture.tick(feed, at: now)
      }
      pauses.append(waited)
      capture.play(
        KrakenText.acknowledgement(capture.requests.last ?? ""), at: now, through: feed)
      // A snapshot that is wrong as well.
      capture.play(
        KrakenText.book("snapshot", bids: [("99.9", "1.0")], checksum: 2), at: now, through: feed)
    }
    #expect(pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60])
    #expect(capture.stales == 1 && capture.faults.count == 10)

    // And it heals, from the snapshot alone.
    capture.play(KrakenText.acknowledgement(capture.sent.last ?? ""), at: now, through: feed)
    now = now + .seconds(61)
    capture.play(#"{"channel":"heartbeat"}"#, at: now, through: feed)
    capture.tick(feed, at: now)
    capture.play(Self.snapshot, at: now, through: feed)
    #expect(capture.snapshots == 2 && feed.book(of: Self.bitcoin)?.isWhole == true)
    #expect(capture.heard[Self.bitcoin]?.bestBid?.quantity == Quantity(100_000_000))
  }

  @Test func `MD-04 an update that cannot be read taints the book`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.play(
      KrakenText.book("update", bids: [("99.9", "1e-3")], checksum: 1), at: Self.start,
      through: feed)
    #expect(capture.stales == 1)
    #expect(capture.faults.allSatisfy { if case .malformed = $0 { true } else { false } })
    #expect(feed.book(of: Self.bitcoin)?.isWhole == false)
  }

  @Test func `levels that fall out of the depth are removed in the delta`() throws {
    var capture = KrakenCapture()
    let feed = feed(depth: 10)
    capture.open(feed, at: Self.start)
    let asks = (0..<10).map { ("10\($0).0", "1.00000000") }
    let text = asks.map { $0.0.filter { $0 != "." } + "100000000" }.joined()
    capture.play(
      KrakenText.book("snapshot", asks: asks, checksum: CRC32.of(text)), at: Self.start,
      through: feed)
    capture.play(
      KrakenText.book(
        "update", asks: [("99.0", "1.00000000")],
        checksum: CRC32.of("990100000000" + text.dropLast("1090100000000".count))),
      at: Self.start, through: feed)
    #expect(capture.faults.isEmpty)
    #expect(capture.heard[Self.bitcoin]?.levelCount(.sell) == 10)
    #expect(capture.heard[Self.bitcoin]?.quantity(.sell, at: Price(1_090)) == .zero)
  }

  // MARK: Trades

  private func trade(_ id: UInt64, _ type: String = "update") -> String {
    #"{"channel":"trade","type":"\#(type)","data":[{"symbol":"BTC/USD","side":"sell","#
      + #""price":99.9,"qty":0.10000000,"ord_type":"limit","trade_id":\#(id),"#
      + #""timestamp":"2026-09-26T18:09:13.157776Z"}]}"#
  }

  @Test func `MD-04 missed trades are fetched and told as back-filled`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.play(trade(100, "snapshot"), at: Self.start, through: feed)
    capture.play(trade(101), at: Self.start, through: feed)
    capture.play(trade(104), at: Self.start, through: feed)
    let question = FeedQuestion(.trades, Self.bitcoin)
    let asked = capture.wishes.compactMap { wish -> String? in
      guard case .get(let target, _, question, _) = wish else { return nil }
      return target
    }
    // 2026-09-26T18:09:13.157776Z and a millisecond less.
    #expect(
      asked == ["/0/public/Trades?pair=XBTUSD&since=1790446153156776000&count=1000"])
    let rows = (100...106).map {
      #"["99.90000","0.10000000",1790446153.5,"b","m","",\#($0)]"#
    }
    capture.answer(
      feed, question,
      #"{"error":[],"result":{"XXBTZUSD":[\#(rows.joined(separator: ","))],"last":"1"}}"#,
      at: Self.start)
    #expect(capture.trades.map(\.tradeID) == [101, 104, 102, 103])
    #expect(capture.trades.map(\.isBackfilled) == [false, false, true, true])
    #expect(capture.trades.last?.aggressor == .buy)
  }

  @Test func `after a reconnect only what is new of the trades' snapshot is told, late`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.play(trade(101), at: Self.start, through: feed)
    capture.close(feed, at: Self.start)
    #expect(capture.stales == 1)
    capture.open(feed, at: Self.start)
    capture.play(trade(101, "snapshot"), at: Self.start, through: feed)
    capture.play(trade(102, "snapshot"), at: Self.start, through: feed)
    capture.play(trade(103), at: Self.start, through: feed)
    #expect(capture.trades.map(\.tradeID) == [101, 102, 103])
    #expect(capture.trades.map(\.isBackfilled) == [false, true, false])
  }

  // MARK: Status, heartbeats, refusals

  @Test func `status of venue and pair is told when it changes`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    func pair(_ status: String) -> String {
      #"{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":["#
        + #"{"symbol":"OTHER/USD","status":"online"},{"symbol":"BTC/USD","status":"\#(status)","#
        + #""price_precision":1,"qty_precision":8}]}}"#
    }
    func system(_ status: String) -> String {
      #"{"channel":"status","type":"update","data":[{"system":"\#(status)","#
        + #""api_version":"v2","connection_id":16763580994566763544,"version":"2.0.10"}]}"#
    }
    capture.play(pair("online"), at: Self.start, through: feed)
    #expect(capture.statuses == 0)
    capture.play(pair("cancel_only"), at: Self.start, through: feed)
    #expect(capture.statuses == 1)
    capture.play(system("online"), at: Self.start, through: feed)
    #expect(capture.statuses == 1)
    capture.play(system("maintenance"), at: Self.start, through: feed)
    #expect(capture.statuses == 2)
    capture.play(system("online"), at: Self.start, through: feed)
    #expect(capture.statuses == 3 && capture.faults.isEmpty)
  }

  @Test func `a book that is asked for anew is stale at once, and no fault is counted`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    let before = capture.sent.count
    capture.resynchronise(feed, Self.bitcoin, at: Self.start)
    capture.resynchronise(feed, Self.bitcoin, at: Self.start)
    #expect(capture.stales == 1 && capture.faults.isEmpty)
    let asked = capture.sent.dropFirst(before)
    #expect(asked.count == 1 && asked.first?.contains("\"method\":\"unsubscribe\"") == true)
    for request in asked {
      capture.play(KrakenText.acknowledgement(request), at: Self.start, through: feed)
    }
    capture.play(Self.snapshot, at: Self.start, through: feed)
    #expect(capture.snapshots == 2)
    // An instrument that is not followed is nobody's.
    capture.resynchronise(feed, InstrumentID(7), at: Self.start)
    #expect(capture.stales == 1)
  }

  @Test func `CLK-04 answers tell the venue's time to the microsecond`() throws {
    var capture = KrakenCapture()
    let feed = feed()
    capture.open(feed, at: Self.start)
    let requests = capture.sent
    capture.play(
      #"{"method":"subscribe","result":{"channel":"instrument"},"success":true,"req_id":1,"#
        + #""time_in":"2026-09-21T14:13:20.100001Z","time_out":"2026-09-21T14:13:20.100401Z"}"#,
      at: Self.start + .milliseconds(20), through: feed)
    let reading = try #require(capture.clocks.first)
    #expect(reading.sent == Self.start && reading.received == Self.start + .milliseconds(20))
    #expect(reading.venueSent - reading.venueReceived == .microseconds(400))
    var clock = ClockOffset()
    clock.sample(reading)
    #expect(clock.errorMax == .microseconds(9_800))
    #expect(clock.offset == reading.venueReceived - Self.start - .microseconds(9_800))

    for request in requests.dropFirst() {
      capture.play(KrakenText.acknowledgement(request), at: Self.start, through: feed)
    }
    // Asked for twice a minute, however much else is heard.
    capture.play(#"{"channel":"heartbeat"}"#, at: Self.start + .seconds(29), through: feed)
    capture.tick(feed, at: Self.start + .seconds(30))
    #expect(capture.sent.filter { $0.contains("ping") }.count == 1)
    capture.play(
      #"{"method":"pong","req_id":5,"time_in":"2026-09-21T14:13:50.1Z","#
        + #""time_out":"2026-09-21T14:13:50.1Z"}"#,
      at: Self.start + .seconds(30), through: feed)
    #expect(capture.clocks.count == 2)
  }

  @Test func `silence is answered by one ping`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.tick(feed, at: Self.start + .seconds(4))
    #expect(capture.sent.allSatisfy { !$0.contains("ping") })
    capture.tick(feed, at: Self.start + .seconds(6))
    capture.tick(feed, at: Self.start + .seconds(7))
    #expect(capture.sent.filter { $0.contains("ping") }.count == 1)
    capture.play(#"{"method":"pong","req_id":5}"#, at: Self.start + .seconds(8), through: feed)
    capture.tick(feed, at: Self.start + .seconds(9))
    #expect(capture.sent.filter { $0.contains("ping") }.count == 1 && capture.faults.isEmpty)
  }

  @Test func `a subscription that is never acknowledged ends the connection`() throws {
    let feed = feed()
    var capture = KrakenCapture()
    capture.open(feed, at: Self.start)
    let now = Self.start + .seconds(11)
    // While nothing at all is heard it is not known to be late.
    capture.tick(feed, at: now)
    #expect(capture.faults.isEmpty)
    capture.play(#"{"channel":"heartbeat"}"#, at: now, through: feed)
    capture.tick(feed, at: now)
    #expect(
      capture.wishes.contains { if case .reconnect = $0 { true } else { false } })
  }

  @Test func `a refused symbol is named, and tried again after a pause`() throws {
    let feed = feed()
    var capture = KrakenCapture()
    capture.open(feed, at: Self.start)
    let request = try #require(capture.sent.first { $0.contains("\"book\"") })
    capture.play(
      KrakenText.acknowledgement(request, error: "Currency pair not supported BTC/USD"),
      at: Self.start, through: feed)
    guard case .refused(let text) = capture.faults.first else {
      Issue.record("no refusal: \(capture.faults)")
      return
    }
    #expect(text.contains("book BTC/USD: Currency pair not supported"))
    #expect(capture.sent.filter { $0.contains("\"book\"") }.count == 2)
  }

  @Test func `a ticker is the best bid and ask`() throws {
    var capture = KrakenCapture()
    let feed = whole(&capture)
    capture.play(
      #"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":99.9,"#
        + #""bid_qty":1.50000000,"ask":100.0,"ask_qty":0.00010000,"last":99.9}]}"#,
      at: Self.start, through: feed)
    #expect(capture.tops == 1 && capture.faults.isEmpty)
  }
}
