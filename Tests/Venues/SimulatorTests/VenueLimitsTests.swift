import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

/// Each venue's own limits, as documented: `limitFactor` is 1.
@Suite struct `Venue limits` {
  private func kraken(_ tier: KrakenTier) throws -> KrakenClient {
    var settings = try KrakenClient.settings()
    settings.krakenTier = tier
    settings.limitFactor = 1
    return try KrakenClient(settings)
  }

  private func error(_ answer: JSONDocument) -> String? { answer["error"]?[0]?.string }

  private func place(_ client: inout KrakenClient, _ name: String, pair: String = "XBTUSD") throws
    -> String?
  {
    error(
      try client.call(
        "AddOrder",
        "pair=\(pair)&type=buy&ordertype=limit&volume=0.01&price=1000&cl_ord_id=\(name)"))
  }

  private func cancel(_ client: inout KrakenClient, _ name: String) throws -> String? {
    error(try client.call("CancelOrder", "cl_ord_id=\(name)"))
  }

  @Test(arguments: [(KrakenTier.starter, 15, 4), (.intermediate, 20, 2), (.pro, 20, 1)])
  func `MD-22 Kraken's private counter rises with calls and falls with time, by tier`(
    tier: KrakenTier, most: Int, seconds: Int
  ) throws {
    var client = try kraken(tier)
    for _ in 0..<most { #expect(error(try client.call("OpenOrders")) == nil) }
    #expect(error(try client.call("OpenOrders")) == "EAPI:Rate limit exceeded")

    client.now = client.now + .seconds(seconds)
    #expect(error(try client.call("OpenOrders")) == nil)
    #expect(error(try client.call("OpenOrders")) == "EAPI:Rate limit exceeded")
    // Orders are another counter's.
    #expect(try place(&client, "one") == nil)
  }

  @Test func `MD-22 Kraken counts a history of trades twice`() throws {
    var client = try kraken(.pro)
    for _ in 0..<10 { #expect(error(try client.call("TradesHistory")) == nil) }
    #expect(error(try client.call("TradesHistory")) == "EAPI:Rate limit exceeded")
  }

  @Test func `MD-22 Kraken's engine counts young cancels dear, and each pair apart`() throws {
    var client = try kraken(.starter)
    // Place and cancel at once: 1 + 8 of 60.
    for round in 0..<6 {
      #expect(try place(&client, "order\(round)") == nil)
      #expect(try cancel(&client, "order\(round)") == nil)
    }
    // 54 are used: six more orders, and the seventh is refused.
    for round in 0..<6 { #expect(try place(&client, "more\(round)") == nil) }
    #expect(try place(&client, "over") == "EOrder:Rate limit exceeded")
    #expect(try place(&client, "other", pair: "ETHUSD") == nil)
    // A cancel only counts, and is not refused.
    #expect(try cancel(&client, "more0") == nil)

    client.now = client.now + .seconds(8)
    // 68 less 8, still full.
    #expect(try place(&client, "full") == "EOrder:Rate limit exceeded")
    client.now = client.now + .seconds(2)
    #expect(try place(&client, "fits") == nil)
  }

  @Test(arguments: [(0, 4), (5, 3), (10, 2), (15, 1)])
  func `MD-22 Kraken's amendments cost by the order's age`(age: Int, cost: Int) throws {
    var counters = KrakenCounters(.starter)
    let now = DialectClient.start
    let amend = KrakenTransaction.amend(age: .seconds(age))
    for _ in 0..<60 / cost {
      try counters.transact(amend, account: 0, market: 0, open: 0, now: now)
    }
    #expect(throws: KrakenError("EOrder:Rate limit exceeded")) {
      try counters.transact(amend, account: 0, market: 0, open: 0, now: now)
    }
  }

  @Test(arguments: [(0, 7), (5, 6), (10, 5), (15, 3), (45, 2), (90, 1)])
  func `MD-22 Kraken's edits cost by the order's age`(age: Int, cost: Int) {
    let counted = KrakenTransaction.edit(age: .seconds(age)).cost
    #expect(counted.fixed + counted.aged == Int64(cost) * 100)
  }

  @Test(arguments: [(0, 8), (5, 6), (10, 5), (15, 4), (45, 2), (90, 1), (300, 0)])
  func `MD-22 Kraken's cancels cost by the order's age`(age: Int, cost: Int) {
    let counted = KrakenTransaction.cancel(age: .seconds(age)).cost
    #expect(counted.fixed == 0 && counted.aged == Int64(cost) * 100)
  }

  @Test func `MD-22 Kraken limits the open orders of a pair`() throws {
    var client = try kraken(.starter)
    for round in 0..<60 {
      #expect(try place(&client, "order\(round)") == nil)
      client.now = client.now + .seconds(1)
    }
    #expect(try place(&client, "over") == "EOrder:Orders limit exceeded")
    #expect(try place(&client, "other", pair: "ETHUSD") == nil)
  }

  @Test func `MD-22 OKX limits each endpoint in two seconds, orders by instrument`() throws {
    var settings = OKXClient.settings()
    settings.limitFactor = 1
    var client = OKXClient(settings)
    func order(_ client: inout OKXClient, _ instrument: String) throws -> String? {
      try client.call(
        "POST", "/api/v5/trade/order",
        #"{"instId":"\#(instrument)","tdMode":"cash","side":"buy","ordType":"limit","px":"1000","#
          + #""sz":"0.01"}"#)["code"]?.string
    }

    for _ in 0..<60 { #expect(try order(&client, "BTC-USDT") == "0") }
    #expect(try order(&client, "BTC-USDT") == "50011")
    #expect(try order(&client, "ETH-USDT") == "0")
    for _ in 0..<10 {
      #expect(try client.call("GET", "/api/v5/account/balance")["code"]?.string == "0")
    }
    #expect(try client.call("GET", "/api/v5/account/balance")["code"]?.string == "50011")
    #expect(try client.call("GET", "/api/v5/trade/orders-pending")["code"]?.string == "0")

    client.now = client.now + .seconds(2)
    #expect(try order(&client, "BTC-USDT") == "0")
    #expect(try client.call("GET", "/api/v5/account/balance")["code"]?.string == "0")
  }

  @Test func `MD-22 OKX counts the orders of a batch, and an account's in all`() throws {
    var counters = OKXCounters(factor: 1)
    let now = DialectClient.start
    for market in 0..<3 {
      try counters.spend(
        "POST trade/batch-orders", "key", Array(repeating: "M\(market)", count: 300), now: now)
    }
    #expect(throws: OKXError.tooManyRequests) {
      try counters.spend("POST trade/batch-orders", "key", ["M0"], now: now)
    }
    let error = #expect(throws: OKXError.self) {
      try counters.spend(
        "POST trade/batch-orders", "key", Array(repeating: "M9", count: 101), now: now)
    }
    #expect(error?.code == 50_061)
    // Cancels are not of that count.
    try counters.spend("POST trade/cancel-order", "key", ["M0"], now: now)
  }
}
