import Chrono
import OrderBook
import Units
import Venue
import Venues

extension FuzzTarget {
  private static let bookSeed = #"""
    {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["100.1","3",
    "0","2"]],"bids":[["100","1","0","1"],["99.9","2","0","1"]],"ts":"1790000000000","checksum":0,
    "seqId":100,"prevSeqId":-1}]}
    """#

  /// Frames, one a line: the feed survives them, never tells a change of a book that is stale, and
  /// is whole again after a good snapshot.
  static let okx = FuzzTarget(
    name: "venue-okx",
    seeds: [
      [
        bookSeed.filter { $0 != "\n" },
        #"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"#
          + #""bids":[["99.9","0","0","0"]],"ts":"1790000000100","checksum":0,"seqId":107,"#
          + #""prevSeqId":100}]}"#,
      ].joined(separator: "\n"),
      #"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","#
        + #""tradeId":"7","px":"100.5","sz":"0.25","side":"sell","count":"3","ts":"1790000000001"}]}"#,
      #"{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","#
        + #""askPx":"100.1","askSz":"3","bidPx":"100","bidSz":"1","ts":"1790000000001"}]}"#,
      #"{"event":"error","code":"60018","msg":"channel:books,instId:BTC-USDT"}"#,
    ].map { Array($0.utf8) },
    words: [
      "\n", "\"seqId\":", "\"prevSeqId\":", "-1", "9223372036854775807", "-9223372036854775808",
      "\"checksum\":", "4294967295", "\"snapshot\"", "\"update\"", "\"data\":[]", "null", "\"0\"",
      "\"\"", "1e9", "bbo-tbt", "instruments", "\"event\":\"subscribe\"", "pong", "{}", "[[]]",
    ]
  ) { bytes in
    let driver = OKXDriver()
    for line in bytes.split(separator: UInt8(ascii: "\n")) { driver.hear(Array(line)) }
    let count = driver.faults
    if let fault = driver.fault { return Verdict(signature: "fault", fault: fault) }
    driver.hear(Array(bookSeed.filter { $0 != "\n" }.utf8))
    guard driver.isWhole else {
      return Verdict(signature: "stale", fault: "a good snapshot did not make the book whole")
    }
    return Verdict(signature: "\(count) faults, \(driver.kinds)", fault: driver.fault)
  }
}

/// A feed and a hearer's book behind it.
private final class OKXDriver {
  private let feed: OKXFeed
  private let book = SequencedBook()
  private var output = FeedOutput()
  private var now = Instant(milliseconds: 1_790_000_000_000)
  private(set) var faults = 0
  private(set) var fault: String?
  private(set) var kinds = ""

  init() {
    let bitcoin = Instrument(
      id: InstrumentID(0), venue: VenueID("okx"), symbol: "BTCUSDT", venueSymbol: "BTC-USDT",
      base: "BTC", quote: "USDT", priceScale: 1, quantityScale: 8, tickSize: Price(1),
      lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
      minNotional: .zero)
    feed = OKXFeed([bitcoin])
    feed.opened(at: now, &output)
  }

  var isWhole: Bool { feed.isWhole(InstrumentID(0)) && !book.isStale }

  func hear(_ frame: [UInt8]) {
    now = now + .milliseconds(400)
    output.removeAll()
    feed.receive(frame, at: now, &output)
    feed.tick(at: now, &output)
    faults += output.faults.count
    for event in output.events { follow(event) }
    // Memory is bounded by what one frame can say.
    if output.wishes.count > 8 { fault = "\(output.wishes.count) wishes after one frame" }
  }

  private func follow(_ event: MarketEvent) {
    switch event {
    case .snapshot(let snapshot):
      kinds += "s"
      if book.apply(snapshot) != .recovered { fault = "a snapshot that does not help" }
    case .delta(let delta):
      kinds += "d"
      if book.isStale { fault = "a change of a stale book" }
      if book.apply(delta) != .applied { fault = "a change that does not follow" }
    case .stale:
      kinds += "x"
      book.reset()
    case .trade, .top, .status: break
    }
    if kinds.utf8.count > 12 { kinds.removeFirst(kinds.count - 12) }
  }
}
