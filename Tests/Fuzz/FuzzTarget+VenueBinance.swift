import Chrono
import OrderBook
import Units
import Venue
import Venues

extension FuzzTarget {
  /// A feed of Binance takes any frames and answers, each line of the input one of them, without
  /// losing its head: what it sent to be asked stays bounded, a book it trusts is not crossed, and
  /// a good snapshot and update heal whatever came before. The input's first byte chooses the
  /// exchange.
  static let venueBinance = FuzzTarget(
    name: "venue-binance",
    seeds: [
      """
      s{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256299,"s":"BTCUSDT","U":2,"u":3,"b":[["61737.63000000","0.50000000"]],"a":[["61740.00000000","1.00000000"]]}}
      ={"lastUpdateId":1,"bids":[["61737.63","1"]],"asks":[["61740","2.5"]]}
      {"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1.5","q":"2","T":3,"m":true,"M":true}
      {"u":3,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}
      {"result":null,"id":1}
      """,
      """
      u={"lastUpdateId":100,"E":5,"T":4,"bids":[["1","1"]],"asks":[["2","1"]]}
      {"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":99,"u":160,"pu":95,"b":[["0.02","10"]],"a":[]}
      {"e":"trade","E":5,"s":"BTCUSDT","t":9,"p":"0","q":"0","T":4,"X":"NA","m":true}
      {"e":"bookTicker","u":5,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4","T":1,"E":2}
      """,
      """
      c{"code":2,"msg":"Invalid request","id":1}
      ![{"id":8,"price":"1.5","qty":"2","quoteQty":"3","time":4,"isBuyerMaker":true}]
      ?{"symbols":[{"symbol":"BTCUSDT","status":"HALT"},{"symbol":"X","contractStatus":"TRADING"}]}
      """,
    ].map { Array($0.utf8) },
    words: [
      "\n", "\n=", "\n!", "\n?", "\"U\":", "\"u\":", "\"pu\":", "[[", "]]", "\"0\"", "null", "-1",
      "18446744073709551615", "9223372036854775807", "0.00000001", "depthUpdate", "BTCUSDT",
      "99999999999999999999", "\"e\":", "\\u0042", "\"s\":\"BTCUSDT\"", "\"T\":", "\"E\":",
    ]
  ) { bytes in
    let market: BinanceMarket =
      switch bytes.first {
      case UInt8(ascii: "u"): .usdm
      case UInt8(ascii: "c"): .coinm
      default: .spot
      }
    return VenueBinanceFuzz(market).run(bytes.dropFirst())
  }
}

private struct VenueBinanceFuzz {
  private let feed: BinanceFeed
  private let market: BinanceMarket
  private static let id = InstrumentID(0)
  private static let levelsMax = 1_000

  init(_ market: BinanceMarket) {
    self.market = market
    feed = BinanceFeed(
      market,
      [
        Instrument(
          id: Self.id, venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
          base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 8, tickSize: Price(1),
          lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
          minNotional: .zero)
      ], levelsMax: Self.levelsMax, bufferMax: 20)
  }

  func run(_ input: ArraySlice<UInt8>) -> FuzzTarget.Verdict {
    var output = FeedOutput()
    feed.opened(at: .epoch, &output)
    var kinds: Set<String> = []
    for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      output.removeAll()
      take(line, &output)
      kinds.formUnion(Self.kinds(output))
      let book = feed.book(of: Self.id)
      if !book.isStale, book.book.isCrossed { return fault(kinds, "a trusted book is crossed") }
      // A question a message and one more, whatever the message is.
      if output.wishes.count > 2 { return fault(kinds, "\(output.wishes.count) wishes at once") }
    }
    feed.tick(at: .epoch, &output)
    return FuzzTarget.Verdict(
      signature: kinds.sorted().joined(separator: ","), fault: healingFault(&output))
  }

  /// `=` snapshots, `!` trades and `?` instruments are answers; anything else is a frame.
  private func take(_ line: ArraySlice<UInt8>, _ output: inout FeedOutput) {
    let kind: FeedQuestion.Kind? =
      switch line.first {
      case UInt8(ascii: "="): .snapshot
      case UInt8(ascii: "!"): .trades
      case UInt8(ascii: "?"): .status
      default: nil
      }
    if let kind {
      feed.answered(
        FeedQuestion(kind, Self.id), Array(line.dropFirst()), at: .epoch, &output)
    } else {
      feed.receive(Array(line), at: .epoch, &output)
    }
  }

  /// A new connection, a snapshot and the update that follows it.
  private func healingFault(_ output: inout FeedOutput) -> String? {
    feed.closed(reason: "lost", at: .epoch, &output)
    feed.opened(at: .epoch, &output)
    feed.answered(
      FeedQuestion(.snapshot, Self.id),
      Array(#"{"lastUpdateId":500,"bids":[["10.00","1"]],"asks":[["11.00","2"]]}"#.utf8),
      at: .epoch, &output)
    let previous = market == .spot ? "" : #""pu":500,"#
    feed.receive(
      Array(
        #"{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":501,"u":502,\#(previous)"b":[["10.50","3"]],"a":[["11.00","0"],["12.00","4"]]}"#
          .utf8), at: .epoch, &output)
    let book = feed.book(of: Self.id)
    guard !book.isStale, book.lastUpdateID == 502,
      book.book.bestBid == PriceLevel(price: Price(1_050), quantity: Quantity(300_000_000)),
      book.book.bestAsk == PriceLevel(price: Price(1_200), quantity: Quantity(400_000_000)),
      book.book.levelCount(.buy) == 2, book.book.levelCount(.sell) == 1
    else { return "a good snapshot and update did not heal the book" }
    return nil
  }

  private func fault(_ kinds: Set<String>, _ text: String) -> FuzzTarget.Verdict {
    FuzzTarget.Verdict(signature: kinds.sorted().joined(separator: ","), fault: text)
  }

  private static func kinds(_ output: FeedOutput) -> [String] {
    let faults = output.faults.map { fault in
      switch fault {
      case .malformed(let text): "malformed " + text.filter(\.isLetter).prefix(24)
      case .gap(_, let text): "gap " + text.filter(\.isLetter).prefix(24)
      case .checksum: "checksum"
      case .missedTrades: "missed trades"
      case .refused: "refused"
      }
    }
    let events = output.events.map { event in
      switch event {
      case .snapshot: "snapshot"
      case .delta: "delta"
      case .trade(let trade): trade.isBackfilled ? "late trade" : "trade"
      case .top: "top"
      case .stale: "stale"
      case .status: "status"
      }
    }
    return faults + events
  }
}
