import Chrono
import JSON
import OrderBook
import SimulatorKit
import Testing
import Transport
import Units
import Venue

@testable import VenueSimulator

/// Each fault on Binance's dialect, told without sockets.
@Suite struct `Venue faults` {
  private let resting =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.10000&price=50000.00"

  /// First and last update ids of bitcoin's depth messages while time goes on.
  private func depths(_ client: inout DialectClient, milliseconds: Int64) throws -> [[UInt64]] {
    let hub = FaultyPathOfDepth()
    var found: [[UInt64]] = []
    for _ in 0..<milliseconds / 100 {
      client.now = client.now + .milliseconds(100)
      client.venue.exchange.advance(to: client.now)
      for delivery in client.venue.takeDeliveries(now: client.now) {
        guard case .window(0, .depthFast, let window) = delivery.happening.what else { continue }
        found += hub.pass([window.first, window.last], delivery.fault)
      }
    }
    return found
  }

  private final class FaultyPathOfDepth {
    private var path = FaultyPath<[UInt64]>()
    func pass(_ ids: [UInt64], _ fault: BookFault?) -> [[UInt64]] { path.pass([ids], fault) }
  }

  private func chains(_ depths: [[UInt64]]) -> Bool {
    zip(depths, depths.dropFirst()).allSatisfy { $0[1] + 1 == $1[0] }
  }

  @Test func `MD-03 a gap loses one message, a duplicate comes twice, a reorder comes late`() throws
  {
    var client = DialectClient()
    let whole = try depths(&client, milliseconds: 1_000)
    #expect(chains(whole))

    try client.inject(.book(.gap, symbol: "BTCUSDT", count: 1))
    let gapped = try depths(&client, milliseconds: 900)
    #expect(chains(gapped) && !chains(whole + gapped))
    try client.inject(.book(.duplicate, symbol: "BTCUSDT", count: 1))
    let doubled = try depths(&client, milliseconds: 900)
    #expect(zip(doubled, doubled.dropFirst()).contains { $0 == $1 })
    try client.inject(.book(.reorder, symbol: "BTCUSDT", count: 1))
    let swapped = try depths(&client, milliseconds: 900)
    #expect(!chains(swapped) && chains(swapped.sorted { $0[0] < $1[0] }))
  }

  @Test func `a stalled venue says nothing of its markets and answers requests`() throws {
    var client = DialectClient()
    try client.inject(.stall(.seconds(2)))

    let silent = client.venue.takeMessages(now: client.now)
    client.now = client.now + .seconds(1)
    client.venue.exchange.advance(to: client.now)

    #expect(silent.isEmpty && client.venue.takeMessages(now: client.now).isEmpty)
    #expect(client.send("GET", "/api/v3/ping").status == 200)
    client.now = client.now + .seconds(2)
    client.venue.exchange.advance(to: client.now)
    #expect(!client.venue.takeMessages(now: client.now).isEmpty)
  }

  @Test func `a crossed message shows a bid above the asks, and only it`() throws {
    var client = DialectClient()
    client.now = client.now + .seconds(5)
    client.venue.exchange.advance(to: client.now)
    let happenings = client.venue.exchange.takeHappenings()
    let happening = try #require(
      happenings.first {
        if case .window(0, .depthFast, let window) = $0.what {
          !window.asks.isEmpty && !window.bids.isEmpty
        } else {
          false
        }
      })

    guard case .window(_, _, var window) = happening.what else { return }
    let ask = try #require(client.venue.exchange.markets[0].engine.best(.sell))
    window.cross(above: ask)

    #expect(window.bids[0].price > ask.price)
  }

  @Test func `a lost fill is missing from the private stream and not from the account`() throws {
    var client = DialectClient()
    try client.inject(.lostFill(count: 1))

    let answer = client.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.00100")

    let fills = try #require(answer.json["fills"]?.array)
    let told = client.venue.takeMessages(now: client.now).filter { message in
      guard case .account(_, let payload) = message else { return false }
      return String(decoding: payload, as: UTF8.self).contains(#""x":"TRADE""#)
    }
    #expect(told.count == fills.count - 1)
  }

  @Test func `a late fill is told after the cancel, and nothing is made of nothing`() throws {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=late")
    _ = client.venue.takeMessages(now: client.now)
    try client.inject(.lateFill(count: 1))

    let cancel = client.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=late")

    #expect(cancel.json["status"]?.string == "CANCELED")
    #expect(cancel.json["executedQty"]?.string == "0.05000000")
    let types = client.venue.takeMessages(now: client.now).compactMap { message -> String? in
      guard case .account(_, let payload) = message else { return nil }
      return (try? JSONDocument(parsing: payload))?["x"]?.string
    }
    #expect(types == ["CANCELED", "TRADE"])
    let known = client.venue.exchange.account(DialectClient.key)
    let account = try #require(known)
    #expect(account.openOrders.isEmpty)
    #expect(account.balances.allSatisfy { $0.locked == .zero })
  }

  @Test func `429, a ban and maintenance refuse in the venue's words, for as long as told`() throws
  {
    var client = DialectClient()
    try client.inject(.request(.tooMany, count: 1))
    #expect(client.send("GET", "/api/v3/ping").status == 429)
    #expect(client.send("GET", "/api/v3/ping").status == 200)

    try client.inject(.ban(.seconds(10)))
    let banned = client.send("GET", "/api/v3/ping")
    #expect(banned.status == 418 && banned.code == -1003)
    #expect(banned.response.headers.first("retry-after") == "11")
    client.now = client.now + .seconds(11)
    #expect(client.send("GET", "/api/v3/ping").status == 200)

    try client.inject(.maintenance(.seconds(10)))
    #expect(client.send("GET", "/api/v3/ping").status == 503)
    try client.inject(.none)
    #expect(client.send("GET", "/api/v3/ping").status == 200)
  }

  @Test func `a halt is shown, a clock can be moved`() throws {
    var client = DialectClient()
    try client.inject(.halt(symbol: "BTCUSDT"))
    try client.inject(.clockSkew(.seconds(-30)))

    let listing = client.send("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT").json
    #expect(listing["symbols"]?[0]?["status"]?.string == "HALT")
    #expect(
      client.send("GET", "/api/v3/time").json["serverTime"]?.int64
        == client.now.milliseconds - 30_000)
    #expect(client.signed("GET", "/api/v3/account").code == -1021)
    try client.inject(.resume(symbol: "BTCUSDT"))
    let book = client.venue.exchange.book(of: "BTCUSDT", levelsMax: 1)
    #expect(book?.isHalted == false)
  }

  @Test(arguments: [
    (VenueFault.book(.gap, symbol: "NOPE", count: 1), "symbol"),
    (.book(.gap, symbol: "BTCUSDT", count: 0), "count"),
    (.book(.badChecksum, symbol: "BTCUSDT", count: 1), "kind"),
    (.ban(.zero), "duration"), (.clockSkew(.seconds(90_000)), "skew"),
  ])
  func `a fault that cannot be names the part that is wrong`(fault: VenueFault, field: String) {
    var client = DialectClient()
    let error = #expect(throws: FaultError.self) { try client.inject(fault) }
    #expect(error?.field == field)
  }

  @Test func `MD-03 the status of an exchange is told while it is closed for maintenance`() throws {
    var kraken = try KrakenClient()
    var okx = OKXClient()
    _ = try kraken.venue.inject(.maintenance(.seconds(60)), now: kraken.now)
    _ = try okx.venue.inject(.maintenance(.seconds(60)), now: okx.now)

    #expect(
      try kraken.ask("/0/public/Time")["error"]?[0]?.string == "EService:Unavailable")
    #expect(
      try kraken.ask("/0/public/SystemStatus")["result"]?["status"]?.string == "maintenance")
    let ongoing = try okx.call("GET", "/api/v5/system/status")["data"]?[0]
    #expect(ongoing?["state"]?.string == "ongoing" && ongoing?["serviceType"]?.string == "5")
    #expect(ongoing?["end"]?.string == String((okx.now + .seconds(60)).milliseconds))
    kraken.now = kraken.now + .seconds(61)
    okx.now = okx.now + .seconds(61)
    #expect(try kraken.ask("/0/public/SystemStatus")["result"]?["status"]?.string == "online")
    #expect(
      try okx.call("GET", "/api/v5/system/status")["data"]?[0]?["state"]?.string == "completed")
  }
}
