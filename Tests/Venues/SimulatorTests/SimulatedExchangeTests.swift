import Bytes
import Chrono
import JSON
import OrderBook
import Security
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `Simulated exchange` {
  /// Everything published in some seconds of exchange time, stepped in uneven strides.
  private func tape(seed: UInt64, stride: Int64, milliseconds: Int64) -> [ExchangeMessage] {
    let start = DialectClient.start
    var exchange = SimulatedExchange(settings: DialectClient.settings(seed: seed), start: start)
    var messages: [ExchangeMessage] = []
    var at: Int64 = 0
    while at < milliseconds {
      at = min(milliseconds, at + stride)
      exchange.advance(to: start + .milliseconds(at))
      messages += exchange.takeMessages()
    }
    return messages
  }

  @Test func `MD-22 a seed gives the same tape byte for byte, however often it is looked at`() {
    let first = tape(seed: 1, stride: 7, milliseconds: 5_000)
    let second = tape(seed: 1, stride: 1_000, milliseconds: 5_000)
    let other = tape(seed: 2, stride: 7, milliseconds: 5_000)

    #expect(first == second)
    #expect(first != other)
    #expect(first.count > 300)
  }

  @Test func `a tape begins with snapshots and is the same in every run`() throws {
    func tape() -> [UInt8] {
      var bytes: [UInt8] = []
      SimulatedTape.write(
        DialectClient.settings(seed: 1), start: DialectClient.start, duration: .seconds(10)
      ) { bytes += $0 + [UInt8(ascii: "\n")] }
      return bytes
    }

    let bytes = tape()

    #expect(bytes == tape())
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    #expect(lines.count > 600)
    for line in lines.prefix(3) {
      #expect(String(decoding: line, as: UTF8.self).contains("lastUpdateId"))
    }
    // Hashed once and kept: a change of the flow is a decision, not an accident.
    #expect(
      Hexadecimal.encode(Digest.sha256(bytes))
        == "db2d265f5131b64e942507631db8a2455fd60e844a3843fe2e369fe2b64b1005")
  }

  @Test func `the book is lively and at least fifty levels deep on both sides`() {
    var exchange = SimulatedExchange(
      settings: DialectClient.settings(), start: DialectClient.start)

    for second in 1...30 {
      exchange.advance(to: DialectClient.start + .seconds(second))

      for market in exchange.markets {
        let (bids, asks) = (
          market.engine.levels(.buy, max: 500), market.engine.levels(.sell, max: 500)
        )
        #expect(bids.count >= 50 && asks.count >= 50)
        #expect(bids[0].price < asks[0].price)
      }
    }

    let messages = exchange.takeMessages()
    let trades = messages.filter { message in
      if case .market(let key, _) = message { key.kind == .trade } else { false }
    }
    #expect(trades.count > 30)
  }

  @Test func `depth updates chain, and rebuild the book that a snapshot shows`() throws {
    var exchange = SimulatedExchange(
      settings: DialectClient.settings(), start: DialectClient.start)
    let market = SimulatedMarket.bitcoin
    let reader = CaptureReader(market)
    let first = try reader.snapshot(
      JSONDocument(parsing: exchange.markets[0].snapshot(limit: 5_000)).root)
    let book = SequencedBook()
    var lastTop: [UInt64: TopOfBook] = [:]
    _ = book.apply(first)

    exchange.advance(to: DialectClient.start + .seconds(20))

    for case .market(let key, let payload) in exchange.takeMessages() where key.market == 0 {
      switch key.kind {
      case .depthFast:
        let delta = try reader.delta(payload)
        #expect(book.apply(delta) == .applied)
        if let top = lastTop[delta.lastUpdateID] {
          #expect(book.book.bestBid == top.bid && book.book.bestAsk == top.ask)
        }
      case .bookTicker:
        let json = try JSONDocument(parsing: payload).root
        lastTop[try json.uint64("u")] = try top(json)
      case .trade, .depthSlow: break
      }
    }
    let last = try reader.snapshot(
      JSONDocument(parsing: exchange.markets[0].snapshot(limit: 5_000)).root)
    #expect(book.lastUpdateID == last.updateID)
    #expect(book.book.levels(.buy, max: 5_000) == last.bids)
    #expect(book.book.levels(.sell, max: 5_000) == last.asks)
  }

  private func top(_ json: JSONValue) throws -> TopOfBook {
    func level(_ price: String, _ quantity: String) throws -> PriceLevel {
      PriceLevel(
        price: Price(try Decimal(parsing: json.string(price)).units(atScale: 2)!),
        quantity: Quantity(try Decimal(parsing: json.string(quantity)).units(atScale: 8)!))
    }
    return TopOfBook(
      instrument: InstrumentID(0), updateID: try json.uint64("u"), bid: try level("b", "B"),
      ask: try level("a", "A"), receivedTime: .epoch)
  }

  @Test func `money is moved, never made: fills and fees account for every balance`() throws {
    var client = DialectClient()
    var bought = Decimal.zero
    var fees = Decimal.zero

    for number in 1...20 {
      client.now = client.now + .milliseconds(500)
      let side = number % 3 == 0 ? "SELL" : "BUY"
      _ = client.order("symbol=BTCUSDT&side=\(side)&type=MARKET&quantity=0.31000")
      _ = client.order(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.20000&price=59950.00")
    }

    let trades = client.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT&limit=1000").json.root
    for trade in try #require(trades.array) {
      let quantity = try Decimal(parsing: trade.string("qty"))
      let fee = try Decimal(parsing: trade.string("commission"))
      if try trade.bool("isBuyer") {
        bought = try bought.adding(quantity)
        #expect(try trade.string("commissionAsset") == "BTC")
        fees = try fees.adding(fee)
      } else {
        bought = try bought.subtracting(quantity)
      }
    }
    let account = client.signed("GET", "/api/v3/account").json
    let balances = try #require(account["balances"]?.array)
    let bitcoin = try #require(balances.first { $0["asset"]?.string == "BTC" })
    let owned = try Decimal(parsing: bitcoin.string("free"))
      .adding(Decimal(parsing: bitcoin.string("locked")))
    #expect(owned == (try Decimal(units: 10, scale: 0).adding(bought).subtracting(fees)))
  }

  @Test func `after every order is cancelled nothing stays locked`() throws {
    var client = DialectClient()
    for number in 1...5 {
      _ = client.order(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=5\(number)000.00")
      _ = client.order(
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=7\(number)000.00")
    }
    #expect(client.signed("GET", "/api/v3/openOrders").json.root.array?.count == 10)

    let answer = client.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT")

    #expect(answer.json.root.array?.count == 10)
    let balances = client.signed("GET", "/api/v3/account").json["balances"]?.array
    for balance in try #require(balances) {
      #expect(balance["locked"]?.string == "0.00000000")
    }
  }

  @Test func `a stopped exchange comes back with every order, fill and balance`() throws {
    var client = DialectClient()
    _ = client.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5&newClientOrderId=first")
    _ = client.order(
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000"
        + "&newClientOrderId=second"
    )
    let names = client.venue.exchange.recordNames
    let lines = client.venue.exchange.takeRecords().map { $0.line(names) }

    var again = DialectClient()
    again.venue.exchange.restore(
      try lines.compactMap { try ExchangeRecord(line: $0, names) })

    for query in ["origClientOrderId=first", "origClientOrderId=second"] {
      let before = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&\(query)").text
      let after = again.signed("GET", "/api/v3/order", "symbol=BTCUSDT&\(query)").text
      #expect(before == after)
    }
    #expect(
      client.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").text
        == again.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").text)
    #expect(
      client.signed("GET", "/api/v3/account").text == again.signed("GET", "/api/v3/account").text)
    let cancel = again.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=second")
    #expect(cancel.json["status"]?.string == "CANCELED")
  }
}
