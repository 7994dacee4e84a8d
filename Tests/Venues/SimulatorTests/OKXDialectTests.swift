import Bytes
import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `OKX dialect` {
  private typealias Levels = [(price: String, size: String)]

  /// Messages of the channel `books` of bitcoin while time goes on.
  private func books(
    _ settings: ExchangeSettings, seconds: Int, fault: VenueFault? = nil, stride: Int = 100
  ) throws -> (messages: [JSONValue], bytes: [UInt8], shown: ExchangeBook?) {
    var client = OKXClient(settings)
    var voice = OKXVoice(client.venue.exchange)
    var bytes = voice.bookSnapshot(market: 0, time: client.now)
    var messages = [try #require(try JSONDocument(parsing: bytes)["data"]?[0])]
    if let fault { _ = try client.venue.inject(fault, now: client.now) }
    for _ in 0..<seconds * 1_000 / stride {
      client.now = client.now + .milliseconds(stride)
      client.venue.exchange.advance(to: client.now)
      for delivery in client.venue.takeDeliveries(now: client.now) {
        for message in voice.messages(of: delivery, client.venue.exchange) {
          bytes += message.payload
          guard case .books(0) = message.channel else { continue }
          messages.append(try #require(try JSONDocument(parsing: message.payload)["data"]?[0]))
        }
      }
    }
    return (messages, bytes, client.venue.exchange.book(of: "BTC-USDT", levelsMax: 400))
  }

  private func apply(_ data: JSONValue, to book: inout [String: Levels]) throws {
    for name in ["bids", "asks"] {
      var levels = book[name] ?? []
      for level in try data.array(name) {
        let price = try #require(level[0]?.string)
        let size = try #require(level[1]?.string)
        levels.removeAll { $0.price == price }
        if size != "0" { levels.append((price, size)) }
      }
      levels.sort {
        name == "bids"
          ? Double($0.price)! > Double($1.price)! : Double($0.price)! < Double($1.price)!
      }
      book[name] = Array(levels.prefix(400))
    }
  }

  private func checksum(_ book: [String: Levels]) -> Int64 {
    var parts: [String] = []
    for index in 0..<25 {
      for name in ["bids", "asks"] {
        guard let levels = book[name], index < levels.count else { continue }
        parts += [levels[index].price, levels[index].size]
      }
    }
    return Int64(Int32(bitPattern: CRC32.of(parts.joined(separator: ":"))))
  }

  @Test func `MD-04 messages chain, every checksum is right, and the book ends as the exchange's`()
    throws
  {
    var settings = OKXClient.settings()
    settings.hasOKXChecksums = true
    let (messages, _, shown) = try books(settings, seconds: 20)

    var book: [String: Levels] = [:]
    var last: Int64 = -1
    for data in messages {
      #expect(try data.int64("prevSeqId") == last)
      last = try data.int64("seqId")
      try apply(data, to: &book)
      #expect(try data.int64("checksum") == checksum(book))
    }
    #expect(messages.count > 100)
    let market = SimulatedMarket.okx[0]
    #expect(book["bids"]?.map(\.price) == shown?.bids.map { market.okxText($0.price) })
    #expect(book["asks"]?.map(\.size) == shown?.asks.map { market.okxText($0.quantity) })
  }

  @Test func `the checksum is zero unless it is asked for, and then it cannot be spoilt`() throws {
    let (messages, _, _) = try books(OKXClient.settings(), seconds: 1)
    #expect(messages.allSatisfy { $0["checksum"]?.int64 == 0 })
    var client = OKXClient()
    #expect(throws: FaultError.self) {
      try client.venue.inject(.book(.badChecksum, symbol: "BTC-USDT", count: 1), now: client.now)
    }
  }

  @Test(arguments: [BookFault.gap, .duplicate, .reorder])
  func `MD-03 a fault of the book breaks the chain of ids`(fault: BookFault) throws {
    let (messages, _, _) = try books(
      OKXClient.settings(), seconds: 3, fault: .book(fault, symbol: "BTC-USDT", count: 1))
    let breaks = zip(messages, messages.dropFirst()).count {
      $0["seqId"]?.int64 != $1["prevSeqId"]?.int64
    }
    #expect(breaks > 0)
  }

  @Test func `MD-22 a seed gives the same messages byte for byte, however often it is looked at`()
    throws
  {
    let first = try books(OKXClient.settings(seed: 1), seconds: 5, stride: 20).bytes
    #expect(first == (try books(OKXClient.settings(seed: 1), seconds: 5, stride: 500).bytes))
    #expect(first != (try books(OKXClient.settings(seed: 2), seconds: 5, stride: 20).bytes))
  }

  @Test func `an order rests, is amended, found and cancelled, and money comes back`() throws {
    var client = OKXClient()
    let placed = try client.order(
      #""side":"buy","ordType":"limit","px":"50000","sz":"0.5","clOrdId":"mine1""#)
    let id = try #require(placed["data"]?[0]?["ordId"]?.string)
    #expect(placed["code"]?.string == "0" && placed["data"]?[0]?["sCode"]?.string == "0")

    let amended = try client.call(
      "POST", "/api/v5/trade/amend-order",
      #"{"instId":"BTC-USDT","ordId":"\#(id)","newPx":"51000"}"#)
    #expect(amended["code"]?.string == "0")
    let query = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&clOrdId=mine1")
    #expect(query["data"]?[0]?["px"]?.string == "51000")
    #expect(query["data"]?[0]?["state"]?.string == "live")
    #expect(try frozen(&client) == "25500.00000000")
    let cancel = #"[{"instId":"BTC-USDT","ordId":"\#(id)"},{"instId":"BTC-USDT","ordId":"1"}]"#
    let cancelled = try client.call("POST", "/api/v5/trade/cancel-batch-orders", cancel)
    #expect(cancelled["code"]?.string == "2")
    #expect(cancelled["data"]?[1]?["sCode"]?.string == "51400")
    #expect(try frozen(&client) == "0.00000000")
  }

  @Test func `open orders are those of the instrument, newest first, a page at a time`() throws {
    var client = OKXClient()
    var placed: [String] = []
    for _ in 0..<5 {
      let order = try client.order(#""side":"buy","ordType":"limit","px":"50000","sz":"0.01""#)
      placed.append(try #require(order["data"]?[0]?["ordId"]?.string))
    }
    func ids(_ query: String) throws -> [String?] {
      try client.call("GET", "/api/v5/trade/orders-pending?instType=SPOT&" + query)["data"]?.array?
        .map { $0["ordId"]?.string } ?? []
    }
    let newest: [String?] = placed.reversed()
    #expect(try ids("instId=BTC-USDT") == newest)
    #expect(try ids("instId=BTC-USDT&limit=2") == Array(newest.prefix(2)))
    #expect(try ids("instId=BTC-USDT&limit=2&after=\(placed[3])") == Array(newest[2...3]))
    #expect(try ids("instId=ETH-USDT").isEmpty)
  }

  private func frozen(_ client: inout OKXClient) throws -> String? {
    let details = try client.call("GET", "/api/v5/account/balance")["data"]?[0]?["details"]?.array
    return details?.first { $0["ccy"]?.string == "USDT" }?["frozenBal"]?.string
  }

  @Test func `a marketable order fills with its fee in what it receives`() throws {
    var client = OKXClient()
    _ = try client.order(#""side":"buy","ordType":"market","tgtCcy":"base_ccy","sz":"0.3""#)

    let fills = try #require(try client.call("GET", "/api/v5/trade/fills")["data"]?.array)
    var size: Int64 = 0
    for fill in fills {
      size += try Decimal(parsing: fill.string("fillSz")).units(atScale: 8) ?? 0
      #expect(try fill.string("feeCcy") == "BTC" && fill.string("fee").hasPrefix("-"))
    }
    #expect(size == 30_000_000)
  }

  @Test func `a post-only order that would trade is taken and cancelled at once`() throws {
    var client = OKXClient()
    let placed = try client.order(#""side":"buy","ordType":"post_only","px":"70000","sz":"0.1""#)
    let id = try #require(placed["data"]?[0]?["ordId"]?.string)
    let query = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&ordId=\(id)")
    #expect(query["data"]?[0]?["state"]?.string == "canceled")
    #expect(query["data"]?[0]?["accFillSz"]?.string == "0")
  }

  @Test(arguments: [
    (#""side":"buy","ordType":"limit","px":"50000","sz":"100""#, "51008"),
    (#""side":"up","ordType":"limit","px":"50000","sz":"1""#, "51000"),
    (#""side":"buy","ordType":"limit","px":"50000.001","sz":"1""#, "51000"),
    (#""side":"buy","ordType":"limit","px":"50000","sz":"0.000001""#, "51020"),
    (#""side":"buy","ordType":"market","sz":"1""#, "51000"),
    (#""side":"buy","ordType":"limit","px":"50000","sz":"1","clOrdId":"a-b""#, "51000"),
  ])
  func `a wrong order is refused with a code of its own`(fields: String, code: String) throws {
    var client = OKXClient()
    let answer = try client.order(fields)
    #expect(answer["code"]?.string == "1")
    #expect(answer["data"]?[0]?["sCode"]?.string == code)
  }

  @Test func `keys, signatures, times and passphrases are checked, faults refuse in OKX's words`()
    throws
  {
    var client = OKXClient()
    let path = "/api/v5/account/balance"
    #expect(try client.call("GET", path, sign: "AAAA")["code"]?.string == "50113")
    #expect(try client.call("GET", path, skew: .seconds(-31))["code"]?.string == "50102")
    #expect(try client.call("GET", path, passphrase: "other")["code"]?.string == "50105")
    #expect(try client.call("GET", path)["code"]?.string == "0")
    for (fault, code) in [
      (VenueFault.request(.tooMany, count: 1), "50011"), (.ban(.seconds(5)), "50011"),
      (.maintenance(.seconds(5)), "50001"),
    ] {
      _ = try client.venue.inject(fault, now: client.now)
      #expect(try client.call("GET", "/api/v5/public/time")["code"]?.string == code)
    }
    _ = try client.venue.inject(.none, now: client.now)
    _ = try client.venue.inject(.halt(symbol: "BTC-USDT"), now: client.now)
    let listing = try client.call("GET", "/api/v5/public/instruments?instType=SPOT&instId=BTC-USDT")
    #expect(listing["data"]?[0]?["state"]?.string == "suspend")
  }
}
