import Chrono
import JSON
import OrderBook
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `OKX public feed` {
  /// A feed, its clock, and all it has said.
  private final class Driver {
    let feed: OKXFeed
    var now = Instant(milliseconds: 1_790_000_000_000)
    var events: [MarketEvent] = []
    var sent: [String] = []
    var asked: [String] = []
    var reconnects: [String] = []
    var faults: [FeedFault] = []

    init(_ instruments: [Instrument], channels: OKXChannels = OKXChannels()) {
      feed = OKXFeed(instruments, channels: channels, login: { "login at \($0.seconds)".bytes })
    }

    func take(_ call: (inout FeedOutput) -> Void) {
      var output = FeedOutput()
      call(&output)
      events += output.events
      faults += output.faults
      for wish in output.wishes {
        switch wish {
        case .send(let bytes): sent.append(String(decoding: bytes, as: UTF8.self))
        case .get(let target, _, _, _): asked.append(target)
        case .reconnect(let reason): reconnects.append(reason)
        }
      }
    }

    func open() { take { feed.opened(at: now, &$0) } }
    func hear(_ text: String) { take { feed.receive(text.bytes, at: now, &$0) } }
    func pass(_ time: Duration) {
      for _ in 0..<Int(time.components.seconds) {
        now = now + .seconds(1)
        take { feed.tick(at: now, &$0) }
      }
    }
    func forget() {
      events = []
      sent = []
      asked = []
      faults = []
    }

    var deltas: [BookDelta] {
      events.compactMap { if case .delta(let delta) = $0 { delta } else { nil } }
    }
    var trades: [Trade] {
      events.compactMap { if case .trade(let trade) = $0 { trade } else { nil } }
    }
    var staleReasons: [String] {
      events.compactMap { if case .stale(_, let reason) = $0 { reason } else { nil } }
    }
  }

  private static let bitcoin = OKXFixture.instrument("BTC-USDT", 0, 1, 8)

  private static func book(
    _ action: String, bids: String = "", asks: String = "", seq: Int64?, previous: Int64?,
    checksum: Int? = 0, of name: String = "BTC-USDT"
  ) -> String {
    var tail = ""
    if let checksum { tail += #","checksum":\#(checksum)"# }
    if let seq { tail += #","seqId":\#(seq)"# }
    if let previous { tail += #","prevSeqId":\#(previous)"# }
    return #"{"arg":{"channel":"books","instId":"\#(name)"},"action":"\#(action)","data":[{"#
      + #""asks":[\#(asks)],"bids":[\#(bids)],"ts":"1790000000000"\#(tail)}]}"#
  }

  private static let snapshot = book(
    "snapshot", bids: #"["100.0","1","0","1"],["99.9","2","0","1"]"#,
    asks: #"["100.1","3","0","2"]"#, seq: 100, previous: -1)

  private func whole() -> Driver {
    let driver = Driver([Self.bitcoin])
    driver.open()
    for channel in ["books", "trades", "tickers"] {
      driver.hear(#"{"event":"subscribe","arg":{"channel":"\#(channel)","instId":"BTC-USDT"}}"#)
    }
    driver.hear(#"{"event":"subscribe","arg":{"channel":"instruments","instType":"SPOT"}}"#)
    driver.hear(#"{"event":"subscribe","arg":{"channel":"status"}}"#)
    driver.hear(Self.snapshot)
    driver.forget()
    return driver
  }

  @Test func `MD-03 maintenance of trading is a status of every market, until all of it has ended`()
  {
    func status(_ state: String, _ service: String, begin: String = "1") -> String {
      #"{"arg":{"channel":"status"},"data":[{"title":"upgrade","state":"\#(state)","#
        + #""begin":"\#(begin)","end":"2","href":"","serviceType":"\#(service)","#
        + #""system":"unified","env":"1","ts":"1790000000000"}]}"#
    }
    func instrument(_ state: String) -> String {
      #"{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT","#
        + #""state":"\#(state)"}]}"#
    }
    func told(_ driver: Driver) -> [String] {
      driver.events.compactMap { event in
        if case .status(let status) = event { "\(status.text) \(status.isTrading)" } else { nil }
      }
    }
    let driver = whole()

    driver.hear(status("scheduled", "5"))
    driver.hear(status("ongoing", "6"))
    #expect(told(driver).isEmpty)
    driver.hear(status("ongoing", "5"))
    driver.hear(status("ongoing", "9", begin: "7"))
    #expect(told(driver) == ["maintenance false"])
    driver.hear(status("completed", "5"))
    driver.hear(instrument("suspend"))
    driver.hear(status("completed", "9", begin: "7"))
    #expect(told(driver) == ["maintenance false"])
    driver.hear(instrument("live"))
    #expect(told(driver) == ["maintenance false", "live true"])
    driver.hear(instrument("suspend"))
    #expect(told(driver).last == "suspend false")
  }

  @Test func `MD-03 a missing update makes the book stale at that message, and nothing is merged`()
  {
    let driver = whole()
    driver.hear(Self.book("update", bids: #"["100.0","5","0","1"]"#, seq: 107, previous: 100))
    driver.hear(Self.book("update", bids: #"["99.9","0","0","0"]"#, seq: 120, previous: 112))

    #expect(driver.deltas.count == 1)
    #expect(driver.staleReasons == ["gap: expected an update after 107, found one after 112"])
    #expect(driver.faults.count == 1)
    #expect(
      driver.sent == [
        #"{"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#,
        #"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#,
      ])
    driver.forget()
    // What still comes of the old subscription changes nothing.
    driver.hear(Self.book("update", bids: #"["98.0","1","0","1"]"#, seq: 125, previous: 120))
    #expect(driver.events.isEmpty && driver.feed.book(of: Self.bitcoin.id).isEmpty)
    driver.hear(
      Self.book("snapshot", bids: #"["97.0","1","0","1"]"#, asks: "", seq: 130, previous: -1))
    #expect(driver.events.count == 1 && driver.feed.isWhole(Self.bitcoin.id))
    #expect(driver.feed.book(of: Self.bitcoin.id).levelCount(.buy) == 1)
  }

  @Test func `a book that is asked for anew is stale at once, and no fault is counted`() {
    let driver = whole()
    for id in [Self.bitcoin.id, Self.bitcoin.id, InstrumentID(7)] {
      driver.take {
        driver.feed.resynchronise(id, reason: "asked for", at: driver.now, &$0)
      }
    }
    #expect(driver.staleReasons == ["asked for"] && driver.faults.isEmpty)
    #expect(driver.sent.count == 2 && driver.sent[0].hasPrefix(#"{"op":"unsubscribe""#))
    driver.hear(Self.snapshot)
    #expect(driver.feed.isWhole(Self.bitcoin.id))
  }

  @Test func `MD-03 an empty message keeps the chain, and a lower number after maintenance`() {
    let driver = whole()
    driver.hear(Self.book("update", seq: 100, previous: 100))
    driver.hear(Self.book("update", asks: #"["100.2","1","0","1"]"#, seq: 3, previous: 100))
    driver.hear(Self.book("update", asks: #"["100.3","1","0","1"]"#, seq: 5, previous: 3))

    #expect(driver.staleReasons.isEmpty && driver.faults.isEmpty)
    #expect(driver.deltas.map(\.lastUpdateID) == [3, 5])
    // The hearer's book follows it too.
    let book = SequencedBook()
    _ = book.apply(
      BookSnapshot(
        instrument: Self.bitcoin.id, updateID: 100, exchangeTime: .epoch, receivedTime: .epoch,
        bids: [], asks: []))
    #expect(driver.deltas.map(book.apply) == [.applied, .applied])
    // A new number without a change is told too: the next update names it.
    driver.hear(Self.book("update", seq: 8, previous: 5))
    #expect(driver.deltas.last?.firstUpdateID == 6 && driver.deltas.last?.lastUpdateID == 8)
    driver.hear(Self.book("update", seq: 9, previous: 9))
    #expect(driver.staleReasons.count == 1)
  }

  @Test func `MD-03 an update without a number, and a number told twice, are no chain`() {
    for text in [
      Self.book("update", bids: #"["99.0","1","0","1"]"#, seq: nil, previous: nil),
      Self.book("update", bids: #"["99.0","1","0","1"]"#, seq: 100, previous: 100),
      Self.book("update", bids: #"["99.0","1","0","1"]"#, seq: -5, previous: 100),
    ] {
      let driver = whole()
      driver.hear(text)
      #expect(driver.staleReasons.count == 1 && driver.deltas.isEmpty)
    }
  }

  @Test func `MD-03 a crossed book and one whose message cannot be read are stale`() {
    var driver = whole()
    driver.hear(Self.book("update", bids: #"["100.1","1","0","1"]"#, seq: 101, previous: 100))
    #expect(driver.staleReasons == ["the best bid reached the best ask"])

    driver = whole()
    driver.hear(Self.book("update", bids: #"["99.123","1","0","1"]"#, seq: 101, previous: 100))
    #expect(driver.staleReasons == ["a message cannot be read"])
    #expect(driver.faults.count == 2)
  }

  @Test func `MD-05 a checksum is signed and checked wherever there is one`() {
    let driver = whole()
    // CRC-32 of "100:1:100.1:3:99.9:2" as zlib has it.
    driver.hear(
      Self.book(
        "update", asks: #"["100.2","0","0","0"]"#, seq: 101, previous: 100, checksum: -354_657_231))
    #expect(driver.feed.checksumCount == 1)
    let told = driver.staleReasons.first ?? ""
    #expect(told.isEmpty, "\(told)")
    driver.hear(
      Self.book("update", bids: #"["99.8","1","0","1"]"#, seq: 102, previous: 101, checksum: 17))
    #expect(driver.staleReasons.count == 1 && driver.deltas.count == 1)
    guard case .checksum? = driver.faults.first else {
      Issue.record("no checksum fault")
      return
    }
  }

  @Test func `MD-04 a book that never gets whole is asked for after pauses that grow`() {
    let driver = whole()
    driver.hear(Self.book("update", seq: 200, previous: 199))
    var requests: [Int] = []
    for second in 0..<600 {
      // Each new snapshot fails its checksum.
      driver.hear(
        Self.book(
          "snapshot", bids: #"["100.0","1","0","1"]"#, seq: 300, previous: -1, checksum: 1))
      driver.hear(#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"}}"#)
      requests.append(driver.sent.count)
      driver.sent = []
      driver.pass(.seconds(1))
      if second == 0 { #expect(requests[0] > 0) }
    }
    let total = requests.reduce(0, +)
    // Doubling from 0.1 s to 30 s: some thirty times in ten minutes, two requests each.
    #expect(total > 30 && total < 80, "\(total) requests")
    #expect(requests.suffix(60).reduce(0, +) <= 6)
  }

  @Test func `MD-04 no connection asks more often than 480 times an hour`() {
    let driver = whole()
    var total = 0
    // Whole for a minute each time, so no pause ever grows.
    for step in 0..<55 {
      driver.pass(.seconds(1))
      for _ in 0..<30 {
        driver.hear(Self.snapshot)
        driver.now = driver.now + .seconds(61)
        driver.hear(Self.book("update", seq: 1, previous: 999))
        driver.now = driver.now + .seconds(-61)
      }
      total += driver.sent.count
      driver.sent = []
      if step == 20 { #expect(driver.staleReasons.count > 100) }
    }
    #expect(total > 400 && total <= 480, "\(total) requests")
  }

  @Test func `MD-01 topics are asked for in parts and again when nobody answers`() throws {
    let many = (0..<240).map { OKXFixture.instrument("C\($0)-USDT", Int32($0), 1, 8) }
    let driver = Driver(many)
    driver.open()
    driver.pass(.seconds(3))
    let topics = try driver.sent.reduce(0) {
      $0 + (try JSONDocument(parsing: $1).root.array("args").count)
    }
    #expect(topics == 3 * 240 + 2)
    #expect(driver.sent.allSatisfy { $0.utf8.count < OKXSubscription.messageMax })
    #expect(driver.sent.count == 8)
    for _ in 0..<60 where driver.reconnects.isEmpty {
      driver.hear("pong")
      driver.pass(.seconds(1))
    }
    #expect(driver.reconnects == ["a subscription was not acknowledged"])
    #expect(driver.sent.count > 16)
  }

  @Test func `a topic that the venue refuses is counted and not asked for again`() {
    let driver = Driver([Self.bitcoin])
    driver.open()
    driver.hear(#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"}}"#)
    driver.hear(#"{"event":"subscribe","arg":{"channel":"instruments","instType":"SPOT"}}"#)
    driver.hear(#"{"event":"subscribe","arg":{"channel":"status"}}"#)
    for channel in ["trades", "tickers"] {
      driver.hear(
        #"{"event":"error","code":"60018","msg":"channel:\#(channel),instId:BTC-USDT is wrong"}"#)
    }
    driver.hear(Self.snapshot)
    driver.forget()
    driver.pass(.seconds(15))
    #expect(driver.sent.isEmpty && driver.reconnects.isEmpty)
  }

  @Test func `MD-04 a snapshot that never comes is asked for again, a refused one is not`() {
    let driver = Driver([Self.bitcoin])
    driver.open()
    for channel in ["books", "trades", "tickers"] {
      driver.hear(#"{"event":"subscribe","arg":{"channel":"\#(channel)","instId":"BTC-USDT"}}"#)
    }
    driver.hear(#"{"event":"subscribe","arg":{"channel":"instruments","instType":"SPOT"}}"#)
    driver.hear(#"{"event":"subscribe","arg":{"channel":"status"}}"#)
    driver.forget()
    driver.pass(.seconds(11))
    #expect(driver.sent.count == 2 && driver.sent[1].contains("books"))
    driver.hear(#"{"event":"error","code":"60018","msg":"channel:books,instId:BTC-USDT"}"#)
    driver.forget()
    driver.pass(.seconds(18))
    #expect(driver.sent.isEmpty && driver.reconnects.isEmpty)
  }

  @Test func `an idle connection is pinged every twenty seconds`() {
    let driver = whole()
    driver.pass(.seconds(20))
    #expect(driver.sent == ["ping"])
    driver.hear("pong")
    driver.pass(.seconds(19))
    #expect(driver.sent == ["ping"])
    driver.pass(.seconds(1))
    #expect(driver.sent == ["ping", "ping"])
    driver.pass(.seconds(20))
    #expect(driver.sent.count == 3)
    // Before the venue's 30 s.
    #expect(OKXFeed.pingAfter < .seconds(30))
  }

  @Test func `MD-03 a book that stalls while its connection is alive is found`() {
    let driver = whole()
    for _ in 0..<300 {
      driver.pass(.seconds(1))
      driver.hear("pong")
      // What the venue says once a minute of a book that does not change.
      if driver.now.seconds % 60 == 0 { driver.hear(Self.book("update", seq: 100, previous: 100)) }
    }
    #expect(driver.staleReasons.isEmpty && driver.sent.isEmpty)
    for _ in 0..<160 {
      driver.pass(.seconds(1))
      driver.hear("pong")
    }
    #expect(driver.staleReasons == ["no message for 150.0 seconds"])
    #expect(driver.sent.count >= 2 && driver.sent[1].contains("subscribe"))
  }

  @Test func `a notice of maintenance makes the connection anew, and its end the book stale`() {
    let driver = whole()
    driver.hear(#"{"event":"notice","code":"64008","msg":"The connection will soon be closed."}"#)
    #expect(driver.reconnects == ["notice: The connection will soon be closed."])
    driver.take { driver.feed.closed(reason: "gone", at: driver.now, &$0) }
    #expect(driver.staleReasons == ["gone"])
  }

  private static func trade(_ id: Int, count: Int? = nil) -> String {
    let tail = count.map { #","count":"\#($0)""# } ?? ""
    return #"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","#
      + #""tradeId":"\#(id)","px":"100.5","sz":"0.25","side":"sell","ts":"1790000000001"\#(tail)}]}"#
  }

  private static func history(_ ids: some Sequence<Int>) -> [UInt8] {
    let rows = ids.map {
      #"{"instId":"BTC-USDT","side":"buy","sz":"1","px":"99","tradeId":"\#($0)","ts":"1790000000000"}"#
    }
    return #"{"code":"0","msg":"","data":[\#(rows.joined(separator: ","))]}"#.bytes
  }

  @Test func `MD-04 missed trades are fetched page by page and told as back-filled`() {
    let driver = whole()
    driver.hear(Self.trade(1_000))
    driver.hear(Self.trade(1_003, count: 3))
    #expect(driver.faults.isEmpty && driver.trades.count == 2)
    driver.hear(Self.trade(1_200))
    #expect(driver.faults == [.missedTrades(Self.bitcoin.id, "1004 to 1199")])
    #expect(
      driver.asked == ["/api/v5/market/history-trades?instId=BTC-USDT&type=1&after=1200&limit=100"])
    driver.forget()
    let question = FeedQuestion(.trades, Self.bitcoin.id)
    driver.take {
      driver.feed.answered(
        question, Self.history((1_100..<1_200).reversed()), at: driver.now, &$0)
    }
    #expect(driver.asked.last?.contains("after=1100&") == true)
    driver.take {
      driver.feed.answered(
        question, Self.history((1_000..<1_100).reversed()), at: driver.now, &$0)
    }
    #expect(driver.trades.map(\.tradeID) == Array(1_100..<1_200) + Array(1_004..<1_100))
    #expect(driver.trades.allSatisfy { $0.isBackfilled })
    #expect(driver.asked.count == 1)
  }

  @Test func `MD-04 trades that were missed while there was no connection are fetched`() {
    let driver = whole()
    driver.hear(Self.trade(50))
    driver.take { driver.feed.closed(reason: "gone", at: driver.now, &$0) }
    driver.forget()
    driver.open()
    driver.hear(Self.trade(60))
    #expect(driver.faults == [.missedTrades(Self.bitcoin.id, "51 to 59")])
    // The answer is lost with its connection: the next one asks again.
    driver.asked = []
    driver.open()
    #expect(driver.asked.count == 1 && driver.asked[0].contains("after=60&"))
    // A long absence is fetched in part.
    driver.hear(Self.trade(100_000))
    driver.take {
      driver.feed.answered(
        FeedQuestion(.trades, Self.bitcoin.id), Self.history((99_900..<100_000).reversed()),
        at: driver.now, &$0)
    }
    #expect(driver.trades.filter(\.isBackfilled).count <= Int(OKXFeed.backfillMax))
  }

  @Test func `MD-06 messages become the same values as at every venue`() throws {
    let driver = whole()
    driver.hear(Self.trade(7))
    driver.hear(
      #"{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","#
        + #""instId":"BTC-USDT","last":"100","askPx":"100.1","askSz":"3","bidPx":"100","bidSz":"1"}]}"#
    )
    driver.hear(
      #"{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT","#
        + #""state":"suspend"},{"instId":"ETH-USDT","state":"suspend"}]}"#)
    let trade = try #require(driver.trades.first)
    #expect(trade.price == Price(1_005) && trade.quantity == Quantity(25_000_000))
    #expect(
      trade.aggressor == .sell && trade.exchangeTime == Instant(milliseconds: 1_790_000_000_001))
    #expect(
      driver.events[1]
        == .top(
          TopOfBook(
            instrument: Self.bitcoin.id, updateID: 0,
            bid: PriceLevel(price: Price(1_000), quantity: Quantity(100_000_000)),
            ask: PriceLevel(price: Price(1_001), quantity: Quantity(300_000_000)),
            receivedTime: driver.now)))
    #expect(
      driver.events[2]
        == .status(
          TradingStatus(
            instrument: Self.bitcoin.id, isTrading: false, text: "suspend",
            receivedTime: driver.now)))
    #expect(driver.events.count == 3)
  }

  @Test func `tick-by-tick books are asked for after a login`() {
    let driver = Driver(
      [Self.bitcoin], channels: OKXChannels(book: .booksTick, top: .bestTick))
    driver.open()
    #expect(driver.sent == ["login at 1790000000"])
    driver.hear(#"{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}"#)
    #expect(driver.sent.count == 2 && driver.sent[1].contains("books-l2-tbt"))
    #expect(driver.sent[1].contains("bbo-tbt"))
    driver.hear(
      #"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["100.1","3","0","1"]],"#
        + #""bids":[["100","1","0","1"]],"ts":"1790000000000","seqId":363996337}]}"#)
    guard case .top(let top)? = driver.events.first else {
      Issue.record("no best prices")
      return
    }
    #expect(top.updateID == 363_996_337 && top.ask.price == Price(1_001))
    driver.open()
    driver.hear(#"{"event":"error","code":"60009","msg":"Login failed."}"#)
    #expect(driver.reconnects == ["the login was refused"])
    driver.open()
    driver.pass(.seconds(11))
    #expect(driver.reconnects == ["the login was refused", "the login was not answered"])
  }

  @Test func `MD-05 books from before numbers count their messages, empty ones too`() {
    let driver = Driver([Self.bitcoin])
    driver.open()
    driver.hear(
      Self.book(
        "snapshot", bids: #"["100.0","1","0","1"]"#, asks: #"["100.1","3","0","2"]"#, seq: nil,
        previous: nil))
    for _ in 0..<2 { driver.hear(Self.book("update", seq: nil, previous: nil)) }
    #expect(driver.deltas.map(\.firstUpdateID) == [1, 2])
    // A first book that is wrong was nobody's, so nobody is told that it is stale.
    let other = Driver([Self.bitcoin])
    other.open()
    other.hear(
      Self.book("snapshot", bids: #"["100.0","1","0","1"]"#, seq: 1, previous: -1, checksum: 5))
    #expect(other.events.isEmpty && other.faults.count == 1 && !other.feed.isWhole(Self.bitcoin.id))
    #expect(other.sent.last?.contains("subscribe") == true)
  }
}

extension String {
  fileprivate var bytes: [UInt8] { Array(utf8) }
}
