import Bytes
import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `Kraken dialect` {
  /// A book as a client keeps it: texts by price, cut to its depth after each message.
  private struct ClientBook {
    var sides: [String: [(price: String, quantity: String)]] = ["bids": [], "asks": []]
    let depth: Int

    mutating func apply(_ data: JSONValue) throws {
      for (name, isBetter) in [("bids", { $0 > $1 }), ("asks", { $0 < $1 })]
        as [(String, (Double, Double) -> Bool)]
      {
        var levels = sides[name] ?? []
        for level in try data.array(name) {
          let price = try #require(level["price"]?.numberText)
          let quantity = try #require(level["qty"]?.numberText)
          levels.removeAll { $0.price == price }
          if Double(quantity) != 0 { levels.append((price, quantity)) }
        }
        levels.sort { isBetter(Double($0.price)!, Double($1.price)!) }
        sides[name] = Array(levels.prefix(depth))
      }
    }

    var checksum: UInt32 {
      var text = ""
      for level in (sides["asks"] ?? []).prefix(10) + (sides["bids"] ?? []).prefix(10) {
        for number in [level.price, level.quantity] {
          text += number.split(separator: ".").joined().drop { $0 == "0" }
        }
      }
      return CRC32.of(text)
    }
  }

  private func run(
    seconds: Int, depth: Int, fault: VenueFault? = nil,
    _ body: (ClientBook, JSONValue) throws -> Void
  ) throws -> ClientBook {
    var client = try KrakenClient()
    var voice = KrakenVoice(client.venue.exchange)
    var book = ClientBook(depth: depth)
    let snapshot = voice.bookSnapshot(market: 0, depth: depth)
    let first = try #require(try JSONDocument(parsing: snapshot)["data"]?[0])
    try book.apply(first)
    try body(book, first)
    if let fault { _ = try client.venue.inject(fault, now: client.now) }
    for _ in 0..<seconds * 10 {
      client.now = client.now + .milliseconds(100)
      client.venue.exchange.advance(to: client.now)
      for delivery in client.venue.takeDeliveries(now: client.now) {
        for message in voice.messages(of: delivery, client.venue.exchange) {
          guard case .book(0, depth) = message.channel else { continue }
          let data = try #require(try JSONDocument(parsing: message.payload)["data"]?[0])
          try book.apply(data)
          try body(book, data)
        }
      }
    }
    let shown = client.venue.exchange.book(of: "BTC/USD", levelsMax: depth)
    if fault == nil {
      let market = SimulatedMarket.kraken[0]
      #expect(book.sides["bids"]?.map(\.price) == shown?.bids.map { market.krakenText($0.price) })
      #expect(
        book.sides["asks"]?.map(\.quantity) == shown?.asks.map { market.krakenText($0.quantity) })
    }
    return book
  }

  @Test(arguments: [10, 25, 100])
  func `MD-04 a book cut to its depth has the checksum of every message and ends as the exchange's`(
    depth: Int
  ) throws {
    var checked = 0
    _ = try run(seconds: 30, depth: depth) { book, data in
      let checksum = try data.uint64("checksum")
      #expect(UInt64(book.checksum) == checksum)
      checked += 1
    }
    #expect(checked > 100)
  }

  @Test(arguments: [BookFault.gap, .badChecksum, .duplicate, .reorder, .crossed])
  func `MD-03 a fault of the book shows in the checksum or the book, where it must`(
    fault: BookFault
  ) throws {
    var wrong = 0
    var isCrossed = false
    _ = try run(seconds: 5, depth: 10, fault: .book(fault, symbol: "BTC/USD", count: 3)) {
      book, data in
      if book.checksum != (try data.uint64("checksum")) { wrong += 1 }
      if let bid = book.sides["bids"]?.first, let ask = book.sides["asks"]?.first {
        isCrossed = isCrossed || Double(bid.price)! >= Double(ask.price)!
      }
    }
    // A message that comes twice says the same.
    #expect((wrong > 0) == (fault != .duplicate))
    #expect(isCrossed == (fault == .crossed) || fault == .gap || fault == .reorder)
  }

  @Test func `MD-22 a seed gives the same messages byte for byte, however often it is looked at`()
    throws
  {
    func tape(seed: UInt64, stride: Int64) throws -> [UInt8] {
      var venue = SimulatedVenue(
        exchange: SimulatedExchange(
          settings: try KrakenClient.settings(seed: seed), start: DialectClient.start))
      var voice = KrakenVoice(venue.exchange)
      var bytes = voice.bookSnapshot(market: 0, depth: 25)
      for step in 1...10_000 / stride {
        let now = DialectClient.start + .milliseconds(step * stride)
        venue.exchange.advance(to: now)
        for delivery in venue.takeDeliveries(now: now) {
          // The ticker shows the trades up to the moment of looking.
          for message in voice.messages(of: delivery, venue.exchange) {
            if case .ticker = message.channel { continue }
            bytes += message.payload
          }
        }
      }
      return bytes
    }
    let first = try tape(seed: 1, stride: 10)
    #expect(first == (try tape(seed: 1, stride: 1_000)))
    #expect(first != (try tape(seed: 2, stride: 10)))
  }

  @Test func `the published example of a signature opens the door`() throws {
    var client = try KrakenClient()

    let answer = try client.call(
      "AddOrder", "ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
      sign:
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==")

    #expect(answer["error"]?.array?.isEmpty == true)
    #expect(
      answer["result"]?["descr"]?["order"]?.string == "buy 1.25000000 XBTUSD @ limit 37500.0")
  }

  @Test func `an order rests, is amended, found and cancelled, and money comes back`() throws {
    var client = try KrakenClient()
    let placed = try client.call(
      "AddOrder",
      "ordertype=limit&pair=BTC/USD&price=50000.0&type=buy&volume=0.5&cl_ord_id=mine")
    let id = try #require(placed["result"]?["txid"]?[0]?.string)

    #expect(try client.call("AmendOrder", "txid=\(id)&order_qty=0.25")["error"]?[0] == nil)
    let open = try client.call("OpenOrders")
    #expect(open["result"]?["open"]?[id]?["vol"]?.string == "0.25000000")
    #expect(open["result"]?["open"]?[id]?["cl_ord_id"]?.string == "mine")
    #expect(
      try client.call("BalanceEx")["result"]?["ZUSD"]?["hold_trade"]?.string == "12512.50000000")
    #expect(try client.call("CancelOrder", "cl_ord_id=mine")["result"]?["count"]?.int == 1)
    #expect(
      try client.call("CancelOrder", "txid=\(id)")["error"]?[0]?.string == "EOrder:Unknown order")
    #expect(
      try client.call("BalanceEx")["result"]?["ZUSD"]?["hold_trade"]?.string == "0.00000000")
    let query = try client.call("QueryOrders", "txid=\(id)")
    #expect(query["result"]?[id]?["status"]?.string == "canceled")
  }

  @Test func `a marketable order fills, and its fills are in the history`() throws {
    var client = try KrakenClient()
    _ = try client.call("AddOrder", "ordertype=market&pair=XXBTZUSD&type=buy&volume=0.3")

    let trades = try #require(try client.call("TradesHistory")["result"]?["trades"]?.object)
    var volume: Int64 = 0
    for trade in trades {
      volume += try Decimal(parsing: trade.value.string("vol")).units(atScale: 8) ?? 0
      #expect(try trade.value.bool("maker") == false)
    }
    #expect(volume == 30_000_000)
    #expect(try client.call("Balance")["result"]?["XXBT"]?.string == "10.30000000")
  }

  @Test func `REC-03 the name of a trade belongs to one order of one pair`() throws {
    var client = try KrakenClient()
    var names: Set<String> = []
    for pair in ["XXBTZUSD", "XETHZUSD", "XXBTZUSD", "XETHZUSD"] {
      let placed = try client.call(
        "AddOrder", "ordertype=market&pair=\(pair)&type=buy&volume=0.3")
      let id = try #require(placed["result"]?["txid"]?[0]?.string)
      let asked = try client.call("QueryOrders", "txid=\(id)&trades=true")
      let trades = try #require(asked["result"]?[id]?["trades"]?.array)

      for name in trades.compactMap(\.string) {
        #expect(names.insert(name).inserted)
        let told = try client.call("QueryTrades", "txid=\(name)")["result"]?[name]
        #expect(told?["ordertxid"]?.string == id && told?["pair"]?.string == pair)
      }
    }
  }

  @Test(arguments: [
    (
      "AddOrder", "ordertype=limit&pair=NOPE&price=1&type=buy&volume=1", "EQuery:Unknown asset pair"
    ),
    (
      "AddOrder", "ordertype=limit&pair=XBTUSD&price=1.25&type=buy&volume=1",
      "EGeneral:Invalid arguments:price"
    ),
    (
      "AddOrder", "ordertype=limit&pair=XBTUSD&price=50000&type=buy&volume=100",
      "EOrder:Insufficient funds"
    ),
    (
      "AddOrder", "ordertype=limit&pair=XBTUSD&price=70000&type=buy&volume=1&oflags=post",
      "EOrder:Post only order"
    ),
    (
      "AddOrder", "ordertype=limit&pair=XBTUSD&price=50000&type=buy&volume=0.00001",
      "EGeneral:Invalid arguments:volume minimum not met"
    ),
    ("Nothing", "", "EGeneral:Unknown method"),
  ])
  func `a wrong request is refused in the documented words`(
    name: String, fields: String, error: String
  ) throws {
    var client = try KrakenClient()
    #expect(try client.call(name, fields)["error"]?[0]?.string == error)
  }

  @Test func `keys, signatures and nonces are checked, faults refuse in Kraken's words`() throws {
    var client = try KrakenClient()
    #expect(
      try client.call("Balance", sign: "AAAA")["error"]?[0]?.string == "EAPI:Invalid signature")
    #expect(try client.call("Balance")["error"]?[0] == nil)
    client.nonce -= 1
    #expect(try client.call("Balance")["error"]?[0]?.string == "EAPI:Invalid nonce")
    for (fault, text) in [
      (VenueFault.request(.tooMany, count: 1), "EAPI:Rate limit exceeded"),
      (.ban(.seconds(5)), "EGeneral:Temporary lockout"),
      (.maintenance(.seconds(5)), "EService:Unavailable"),
    ] {
      _ = try client.venue.inject(fault, now: client.now)
      #expect(try client.ask("/0/public/Time")["error"]?[0]?.string == text)
    }
    _ = try client.venue.inject(.none, now: client.now)
    _ = try client.venue.inject(.halt(symbol: "BTC/USD"), now: client.now)
    let pairs = try client.ask("/0/public/AssetPairs?pair=XBTUSD")
    #expect(pairs["result"]?["XXBTZUSD"]?["status"]?.string == "cancel_only")
    #expect(
      try client.call("AddOrder", "ordertype=market&pair=XBTUSD&type=buy&volume=1")["error"]?[0]?
        .string == "EService:Market in cancel_only mode")
  }
}
