import Chrono
import JSON
import OrderBook
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Binance's feed` {
  private static let id = InstrumentID(0)
  private static let start = Instant(milliseconds: 1_700_000_000_000)

  private func feed(_ market: BinanceMarket = .spot, symbols: Int = 1) -> BinanceFeed {
    BinanceFeed(
      market,
      (0..<symbols).map { .recorded($0 == 0 ? "BTCUSDT" : "S\($0)USDT", $0, priceScale: 2) })
  }

  private func frame(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func trade(_ id: Int) -> [UInt8] {
    frame(
      #"{"e":"trade","E":5,"s":"BTCUSDT","t":\#(id),"p":"1.5","q":"2","T":4,"m":true,"M":true}"#)
  }

  private func depth(_ first: Int, _ last: Int, previous: Int? = nil) -> [UInt8] {
    let pu = previous.map { #""pu":\#($0),"# } ?? ""
    return frame(
      #"{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":\#(first),"u":\#(last),\#(pu)"b":[["1","2"]],"a":[]}"#
    )
  }

  private func snapshot(_ id: Int) -> [UInt8] {
    frame(#"{"lastUpdateId":\#(id),"bids":[["1","1"]],"asks":[["2","1"]]}"#)
  }

  private func requests(_ output: FeedOutput) -> [(target: String, kind: FeedQuestion.Kind)] {
    output.wishes.compactMap { wish in
      if case .get(let target, _, let question, _) = wish { (target, question.kind) } else { nil }
    }
  }

  private func sent(_ output: FeedOutput) throws -> [JSONValue] {
    try output.wishes.compactMap { wish in
      guard case .send(let bytes) = wish else { return nil }
      return try JSONDocument(parsing: bytes).root
    }
  }

  // MARK: Subscriptions

  @Test func `streams are asked for in few messages a second, and anew on each connection`()
    throws
  {
    let feed = feed(symbols: 300)
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    let first = try sent(output)
    output.removeAll()
    feed.tick(at: Self.start + .seconds(1), &output)
    let second = try sent(output)
    output.removeAll()
    feed.tick(at: Self.start + .seconds(2), &output)
    let third = try sent(output)

    #expect([first.count, second.count, third.count] == [4, 4, 1])
    let names = (first + second + third).flatMap { $0["params"]?.array?.compactMap(\.string) ?? [] }
    #expect(names.count == 900 && Set(names).count == 900)
    #expect(names.prefix(3) == ["btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker"])
    #expect(Set((first + second + third).compactMap { $0["id"]?.int }).count == 9)

    output.removeAll()
    feed.opened(at: Self.start + .seconds(3), &output)
    #expect(try sent(output).count == 4)
  }

  @Test func `a subscription that is never acknowledged or is refused is told`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    output.removeAll()
    feed.receive(
      frame(#"{"code":2,"msg":"Invalid request","id":1}"#), at: Self.start, &output)
    #expect(output.faults == [.refused("2: Invalid request")])

    output.removeAll()
    feed.tick(at: Self.start + .seconds(11), &output)
    #expect(output.wishes == [])

    feed.opened(at: Self.start, &output)
    output.removeAll()
    feed.tick(at: Self.start + .seconds(11), &output)
    #expect(output.wishes == [.reconnect(reason: "a subscription was not acknowledged")])
    feed.opened(at: Self.start + .seconds(12), &output)
    output.removeAll()
    feed.receive(frame(#"{"result":null,"id":3}"#), at: Self.start, &output)
    feed.tick(at: Self.start + .seconds(30), &output)
    #expect(output.wishes == [] && output.faults == [])
  }

  // MARK: Books

  @Test func `MD-04 futures chain by the update before, and by nothing else`() {
    let feed = feed(.usdm)
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    output.removeAll()
    feed.receive(depth(90, 95, previous: 80), at: Self.start, &output)
    #expect(requests(output).map(\.target) == ["/fapi/v1/depth?symbol=BTCUSDT&limit=1000"])
    output.removeAll()
    feed.receive(depth(99, 104, previous: 95), at: Self.start, &output)
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(100), at: Self.start, &output)
    feed.receive(depth(110, 120, previous: 104), at: Self.start, &output)
    #expect(output.faults == [] && !feed.book(of: Self.id).isStale)
    #expect(feed.book(of: Self.id).lastUpdateID == 120)

    feed.receive(depth(121, 125, previous: 119), at: Self.start, &output)

    #expect(feed.book(of: Self.id).isStale)
    #expect(output.faults == [.gap(Self.id, "gap: expected update 121, found 120")])
  }

  @Test func `MD-04 a snapshot older than the kept updates is asked for again, later each time`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    feed.receive(depth(50, 51), at: Self.start, &output)
    var waits: [Duration] = []
    for _ in 0..<3 {
      output.removeAll()
      feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(40), at: Self.start, &output)
      for case .get(_, _, _, let wait) in output.wishes { waits.append(wait) }
    }
    #expect(waits == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])
    output.removeAll()
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(49), at: Self.start, &output)
    #expect(!feed.book(of: Self.id).isStale && output.wishes == [])
    #expect(output.events.count == 2)
  }

  @Test func `a book that is asked for anew is stale at once, and no fault is counted`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    feed.receive(depth(2, 3), at: Self.start, &output)
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(1), at: Self.start, &output)
    output.removeAll()

    for _ in 0..<3 {
      feed.resynchronise(Self.id, reason: "asked for", at: Self.start, &output)
    }
    feed.resynchronise(InstrumentID(7), reason: "asked for", at: Self.start, &output)
    #expect(output.events == [.stale(Self.id, reason: "asked for")] && output.faults == [])
    #expect(requests(output).map(\.kind) == [.snapshot])
    // Deltas that come meanwhile are bridged.
    feed.receive(depth(4, 6), at: Self.start, &output)
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(4), at: Self.start, &output)
    #expect(feed.book(of: Self.id).lastUpdateID == 6 && !feed.book(of: Self.id).isStale)
  }

  @Test func `one gap asks for one snapshot, whatever follows it`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    feed.receive(depth(2, 3), at: Self.start, &output)
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(1), at: Self.start, &output)
    output.removeAll()

    for id in 10..<20 { feed.receive(depth(id, id), at: Self.start, &output) }
    #expect(requests(output).count == 1)
    #expect(output.faults == [.gap(Self.id, "gap: expected update 4, found 10")])
    feed.answered(FeedQuestion(.snapshot, Self.id), snapshot(12), at: Self.start, &output)

    #expect(feed.book(of: Self.id).lastUpdateID == 19 && !feed.book(of: Self.id).isStale)
    feed.closed(reason: "lost", at: Self.start, &output)
    #expect(output.events.last == .stale(Self.id, reason: "lost"))
  }

  // MARK: Trades and status

  @Test func `MD-04 trades that the stream left out are fetched, and marked`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    output.removeAll()
    for id in [10, 11, 11, 10, 15, 16, 18] { feed.receive(trade(id), at: Self.start, &output) }
    #expect(
      output.faults == [
        .missedTrades(Self.id, "12 to 14"), .missedTrades(Self.id, "17 to 17"),
      ])
    #expect(requests(output).map(\.target) == ["/api/v3/trades?symbol=BTCUSDT&limit=1000"])
    output.removeAll()

    let rows = (8...18).map { id in
      #"{"id":\#(id),"price":"1.5","qty":"2","quoteQty":"3","time":4,"isBuyerMaker":true}"#
    }
    feed.answered(
      FeedQuestion(.trades, Self.id), frame("[\(rows.joined(separator: ","))]"), at: Self.start,
      &output)

    let trades = output.events.compactMap { event in
      if case .trade(let trade) = event { trade } else { nil }
    }
    #expect(trades.map(\.tradeID) == [12, 13, 14, 17])
    #expect(trades.allSatisfy { $0.isBackfilled && $0.aggressor == .sell })
    output.removeAll()
    feed.receive(trade(30), at: Self.start, &output)
    #expect(requests(output).count == 1)
  }

  @Test func `an id of futures that was given to no trade is not missed`() {
    let feed = feed(.usdm)
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    output.removeAll()
    feed.receive(trade(1), at: Self.start, &output)
    feed.receive(
      frame(
        #"{"e":"trade","E":5,"s":"BTCUSDT","t":2,"p":"0","q":"0","T":4,"X":"NA","m":true}"#),
      at: Self.start, &output)
    feed.receive(trade(3), at: Self.start, &output)

    #expect(output.faults == [] && output.events.count == 2)
  }

  @Test func `a change of status is told once`() {
    let feed = feed()
    var output = FeedOutput()
    feed.opened(at: Self.start, &output)
    output.removeAll()
    feed.receive(frame(#"{"result":null,"id":1}"#), at: Self.start, &output)
    feed.tick(at: Self.start + .seconds(59), &output)
    #expect(requests(output).isEmpty)
    feed.tick(at: Self.start + .seconds(60), &output)
    #expect(requests(output).map(\.target) == ["/api/v3/exchangeInfo"])
    output.removeAll()

    func answer(_ status: String) {
      feed.answered(
        FeedQuestion(.status, Self.id),
        frame(#"{"symbols":[{"symbol":"BTCUSDT","status":"\#(status)"}]}"#), at: Self.start,
        &output)
    }
    answer("TRADING")
    answer("HALT")
    answer("HALT")
    answer("TRADING")
    let told = output.events.compactMap { event in
      if case .status(let status) = event { "\(status.isTrading) \(status.text)" } else { nil }
    }
    #expect(told == ["false HALT", "true TRADING"])
  }
}
