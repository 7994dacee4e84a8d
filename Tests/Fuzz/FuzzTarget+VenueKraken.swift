import Bytes
import Chrono
import JSON
import OrderBook
import Units
import Venue
import Venues

extension FuzzTarget {
  /// Whatever Kraken's streams say, the feed does not fall over; who hears its events has its book;
  /// and when the venue is itself again the book is whole. A line is a frame.
  static let venueKraken = FuzzTarget(
    name: "venue-kraken",
    seeds: [
      #"""
      {"channel":"status","type":"update","data":[{"system":"online","connection_id":16763580994566763544}]}
      {"method":"subscribe","req_id":2,"result":{"channel":"book","depth":10,"symbol":"BTC/USD"},"success":true}
      {"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":99.9,"qty":1.00000000}],"asks":[{"price":100.0,"qty":0.50000000}],"checksum":4201310372}]}
      {"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":99.9,"qty":0.00000000},{"price":99.8,"qty":2.00000000}],"asks":[],"checksum":1,"timestamp":"2026-08-01T02:53:53.646219Z"}]}
      """#,
      #"""
      {"channel":"level3","type":"snapshot","data":[{"symbol":"BTC/USD","checksum":2967107854,"bids":[{"order_id":"OA","limit_price":99.9,"order_qty":1.00000000}],"asks":[{"order_id":"OB","limit_price":100.0,"order_qty":0.50000000}]}]}
      {"channel":"level3","type":"update","data":[{"symbol":"BTC/USD","checksum":1721052917,"bids":[{"event":"delete","order_id":"OA","limit_price":99.9,"order_qty":1.00000000},{"event":"add","order_id":"OC","limit_price":99.8,"order_qty":2.00000000}],"asks":[{"event":"modify","order_id":"OB","limit_price":100.0,"order_qty":0.50000000}]}]}
      """#,
      #"""
      {"channel":"trade","type":"snapshot","data":[{"symbol":"BTC/USD","side":"buy","price":99.9,"qty":0.1,"trade_id":7,"timestamp":"2026-08-01T02:53:53.646219Z"}]}
      {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":99.9,"qty":0.1,"trade_id":10}]}
      {"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":99.9,"bid_qty":1.0,"ask":100.0,"ask_qty":2.0}]}
      {"channel":"instrument","type":"update","data":{"pairs":[{"symbol":"BTC/USD","status":"cancel_only","price_precision":1}]}}
      {"method":"unsubscribe","req_id":3,"success":false,"error":"Subscription Not Found","symbol":"BTC/USD"}
      """#,
      #"""
      [1,{"as":[["100.00000","0.50000000","1617666423.606671"]],"bs":[["99.90000","1.00000000","1617666423.6"]]},"book-10","XBT/USD"]
      [1,{"a":[["100.10000","0.5","1617666423.6","r"]]},{"b":[["99.80000","1.0","1617666423.6"]],"c":"1"},"book-10","XBT/USD"]
      [2,[["99.90000","0.1","1617666423.6","b","l",""]],"trade","XBT/USD"]
      """#,
      #"""
      {"feed":"book_snapshot","product_id":"BTC/USD","timestamp":1626994925378,"seq":91192,"bids":[{"price":99.9,"qty":1.0}],"asks":[]}
      {"feed":"book","product_id":"BTC/USD","side":"sell","seq":91193,"price":100.0,"qty":4787.0,"timestamp":1626994927744}
      """#,
      #"""
      {"channel":"executions","type":"snapshot","data":[{"order_id":"O1","symbol":"BTC/USD","cl_ord_id":"x","exec_type":"new","order_status":"new"}],"sequence":1}
      {"channel":"executions","type":"update","data":[{"order_id":"O1","exec_type":"trade","order_status":"partially_filled","exec_id":"T1","last_qty":0.5,"last_price":99.9,"fees":[{"asset":"USD","qty":0.1}]}],"sequence":2}
      {"channel":"balances","type":"update","data":[],"sequence":2}
      {"error":[],"result":{"XXBTZUSD":[["99.9","0.1",1790446153.5,"b","m","",8]],"last":"1"}}
      {"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8,"ordermin":"0.00005","costmin":"0.5","tick_size":"0.1","fees":[[0,0.40]],"fees_maker":[[0,0.25]]}}}
      """#,
    ].map { Array($0.utf8) },
    words: [
      "\n", "\"BTC/USD\"", "\"book\"", "\"snapshot\"", "\"update\"", "\"checksum\":", "\"price\":",
      "\"qty\":", "0.00000000", "99999999999999999999", "1e5", "-1", "\"unsubscribe\"",
      "\"req_id\":2", "\"success\":false", "\"trade_id\":18446744073709551615", "null", "[]", "{}",
      "\"as\":", "\"seq\":18446744073709551615", "\"level3\"", "\"event\":\"add\"",
      "\"order_id\":\"OA\"",
    ]
  ) { bytes in
    let frames = bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
    let kraken = KrakenConversation()
    var fault: String?
    for frame in frames { fault = fault ?? kraken.play(frame) }
    return Verdict(
      signature: kraken.signature, fault: fault ?? kraken.heal())
  }
}

/// The feed with a hearer of its events, and the two readers of recordings beside it.
private final class KrakenConversation {
  private let instrument: Instrument
  private let feed: KrakenFeed
  private let readers: [any PublicFeed]
  private let account: KrakenAccountFeed
  private let heard = PriceLevelBook()
  /// The same of the books by orders.
  private let orders: KrakenFeed
  private let heardOrders = PriceLevelBook()
  private var areOrdersStale = true
  private var isStale = true
  private var now = Instant(milliseconds: 1_790_000_000_000)
  private var output = FeedOutput()
  private var counts = [0, 0, 0, 0]
  private var kinds: Set<String> = []
  private var requests: [String] = []

  init() {
    instrument = Instrument(
      id: InstrumentID(0), venue: VenueID("kraken"), symbol: "BTCUSD", venueSymbol: "BTC/USD",
      base: "BTC", quote: "USD", priceScale: 1, quantityScale: 8, tickSize: Price(1),
      lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
      minNotional: .zero)
    feed = KrakenFeed([instrument], depth: 10)
    account = KrakenAccountFeed(InstrumentDirectory([instrument]), host: nil)
    orders = KrakenFeed([instrument], depth: 10, channels: .orders(token: { "token" }))
    readers = [KrakenV1Reader([instrument]), KrakenFuturesReader([instrument])]
    feed.opened(at: now, &output)
    _ = take()
    orders.opened(at: now, &output)
    output.removeAll()
  }

  var signature: String {
    "\(counts.map { min($0, 3) }) \(kinds.sorted().prefix(2).joined(separator: ";"))"
  }

  func play(_ frame: [UInt8]) -> String? {
    now = now + .milliseconds(10)
    for reader in readers {
      var output = FeedOutput()
      reader.receive(frame, at: now, &output)
      counts[3] += output.events.count
    }
    var told = PrivateOutput()
    account.receive(frame, at: Uptime(nanoseconds: 0), &told)
    counts[3] += told.events.count
    readListing(frame)
    if let fault = playOrders(frame) { return fault }
    feed.receive(frame, at: now, &output)
    feed.answered(FeedQuestion(.trades, instrument.id), frame, at: now, &output)
    return take()
  }

  private func playOrders(_ frame: [UInt8]) -> String? {
    var output = FeedOutput()
    orders.receive(frame, at: now, &output)
    for event in output.events {
      switch event {
      case .snapshot(let snapshot):
        heardOrders.apply(snapshot)
        areOrdersStale = false
      case .delta(let delta):
        if areOrdersStale { return "a delta of a book by orders that is stale" }
        heardOrders.apply(delta)
      case .stale: areOrdersStale = true
      case .trade, .top, .status: break
      }
    }
    counts[3] += output.events.count
    guard let book = orders.orderBook(of: instrument.id) else { return "no book by orders" }
    if book.isWhole == areOrdersStale { return "by orders: whole \(book.isWhole)" }
    let isSame = areOrdersStale || book.levels.stateHash == heardOrders.stateHash
    return isSame ? nil : "the hearer has another book by orders"
  }

  private func readListing(_ frame: [UInt8]) {
    do throws(JSONError) {
      counts[3] += try KrakenPairs.instruments(
        frame, symbols: ["BTCUSD"], venue: instrument.venue
      ).count
    } catch {
      kinds.insert(String("\(error)".filter(\.isLetter).prefix(10)))
    }
  }

  /// Applies what was said, and compares.
  private func take() -> String? {
    for event in output.events {
      switch event {
      case .snapshot(let snapshot):
        counts[0] += 1
        heard.apply(snapshot)
        isStale = false
      case .delta(let delta):
        counts[1] += 1
        if isStale { return "a delta of a book that is stale" }
        heard.apply(delta)
      case .stale: isStale = true
      case .trade, .top, .status: counts[2] += 1
      }
    }
    for wish in output.wishes {
      if case .send(let bytes) = wish { requests.append(String(decoding: bytes, as: UTF8.self)) }
    }
    for fault in output.faults {
      if case .malformed(let text) = fault {
        kinds.insert(String(text.filter(\.isLetter).prefix(10)))
      }
    }
    output.removeAll()
    guard let book = feed.book(of: instrument.id) else { return "no book" }
    if book.isWhole == isStale { return "whole: \(book.isWhole), told stale: \(isStale)" }
    if !isStale, book.levels.stateHash != heard.stateHash { return "the hearer has another book" }
    if book.levels.levelCount(.buy) > 10, book.isWhole { return "a book deeper than subscribed" }
    return nil
  }

  /// The venue acknowledges everything and sends a sound snapshot for each subscription.
  func heal() -> String? {
    var fault: String?
    for _ in 0..<400 {
      now = now + .seconds(1)
      feed.receive(Array(#"{"channel":"heartbeat"}"#.utf8), at: now, &output)
      fault = fault ?? take()
      feed.tick(at: now, &output)
      if output.wishes.contains(where: { if case .reconnect = $0 { true } else { false } }) {
        output.removeAll()
        feed.closed(reason: "given up", at: now, &output)
        fault = fault ?? take()
        requests = []
        feed.opened(at: now, &output)
      }
      fault = fault ?? take()
      let asked = requests
      requests = []
      for request in asked { fault = fault ?? acknowledge(request) }
      if let fault { return fault }
      if feed.book(of: instrument.id)?.isWhole == true, heard.bestBid?.price == Price(999) {
        return nil
      }
      // A garbled snapshot can be sound in itself: the venue's next end of it brings a new one.
      if feed.book(of: instrument.id)?.isWhole == true {
        fault = play(
          Array(#"{"method":"unsubscribe","success":true,"result":{"channel":"book","#.utf8)
            + Array(#""symbol":"BTC/USD"}}"#.utf8))
      }
    }
    return fault ?? "the book has not healed"
  }

  private func acknowledge(_ request: String) -> String? {
    do throws(JSONError) {
      let root = try JSONDocument(parsing: request).root
      let method = try root.string("method")
      guard method != "ping" else { return nil }
      let channel = try root.member("params").string("channel")
      let symbol = channel == "instrument" ? "" : #","symbol":"BTC/USD""#
      let fault = play(
        Array(
          (#"{"method":"\#(method)","req_id":\#(try root.uint64("req_id")),"success":true,"#
            + #""result":{"channel":"\#(channel)"\#(symbol)}}"#).utf8))
      guard fault == nil, channel == "book", method == "subscribe" else { return fault }
      return play(
        Array(
          (#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","#
            + #""bids":[{"price":99.9,"qty":1.00000000}],"asks":[{"price":100.0,"qty":0.5}],"#
            + #""checksum":\#(CRC32.of("10005999100000000"))}]}"#).utf8))
    } catch {
      return "a request that is no JSON: \(error)"
    }
  }
}
