import Chrono
import JSON
import SimulatorKit
import Testing
import Units

@testable import VenueSimulator

@Suite struct `Simulator dialect` {
  private let resting =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.10000&price=50000.00"

  @Test func `a signed order rests, is found by both ids, and is cancelled`() throws {
    var client = DialectClient()

    let placed = client.order(resting + "&newClientOrderId=mine-1")

    #expect(placed.status == 200)
    #expect(placed.json["status"]?.string == "NEW")
    #expect(placed.json["price"]?.string == "50000.00000000")
    #expect(placed.json["fills"]?.array?.isEmpty == true)
    let id = try placed.json.root.uint64("orderId")
    let query = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=\(id)")
    #expect(query.json["clientOrderId"]?.string == "mine-1")
    let cancel = client.signed(
      "DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine-1")
    #expect(cancel.json["status"]?.string == "CANCELED")
    #expect(cancel.json["origClientOrderId"]?.string == "mine-1")
    let again = client.signed(
      "DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine-1")
    #expect(again.code == -2011)
  }

  @Test func `a marketable order fills with its fee in what it receives`() throws {
    var client = DialectClient()

    let answer = client.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.30000")

    #expect(answer.json["status"]?.string == "FILLED")
    let fills = try #require(answer.json["fills"]?.array)
    #expect(!fills.isEmpty)
    for fill in fills {
      let quantity = try Decimal(parsing: fill.string("qty"))
      let fee = try Decimal(parsing: fill.string("commission"))
      #expect(try fill.string("commissionAsset") == "BTC")
      // Ten basis points, rounded down to eight places.
      #expect(fee.units(atScale: 8) == quantity.units(atScale: 8)! / 1_000)
    }
  }

  @Test func `the private stream tells NEW, TRADE and the balances, in this order`() throws {
    var client = DialectClient()
    _ = client.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.00100&newClientOrderId=m")

    let events = client.venue.takeMessages(now: client.now).compactMap { message -> JSONValue? in
      guard case .account(0, let payload) = message else { return nil }
      return try? JSONDocument(parsing: payload).root
    }

    #expect(events.first?["x"]?.string == "NEW")
    #expect(events.dropFirst().first?["x"]?.string == "TRADE")
    #expect(events.last?["e"]?.string == "outboundAccountPosition")
    let fill = try #require(events.dropFirst().first)
    #expect(fill["c"]?.string == "m")
    #expect(fill["m"]?.bool == false)
    #expect(try fill.int64("t") > 0)
  }

  @Test(arguments: [
    ("symbol=NOPE&side=BUY&type=MARKET&quantity=1", -1121),
    ("symbol=BTCUSDT&side=UP&type=MARKET&quantity=1", -1117),
    ("symbol=BTCUSDT&side=BUY&type=STOP&quantity=1", -1116),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=1&price=1", -1115),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1", -1102),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1e5&price=50000", -1100),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=-1&price=50000", -1100),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000.001", -1013),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.000001&price=50000", -1013),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=50000", -1013),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.000000001", -1111),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=100&price=50000", -2010),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=181&price=50000", -1013),
    ("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=11", -2010),
    ("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.1&price=70000", -2010),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a b", -1100),
  ])
  func `a wrong order is refused with the documented code`(_ parameters: String, _ code: Int64) {
    var client = DialectClient()

    let answer = client.order(parameters)

    #expect(answer.code == code, "\(answer.text)")
    #expect(answer.status == 400)
  }

  @Test func `a client id may not be used twice while its order is open`() {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=same")

    let second = client.order(resting + "&newClientOrderId=same")

    #expect(second.code == -2010)
    #expect(second.json["msg"]?.string == "Duplicate order sent.")
  }

  @Test func `keys, signatures and timestamps are checked`() {
    var client = DialectClient()

    #expect(client.send("GET", "/api/v3/account").code == -2014)
    #expect(client.signed("GET", "/api/v3/account", key: "nobody").code == -2015)
    #expect(client.signed("GET", "/api/v3/account", secret: [1]).code == -1022)
    #expect(client.signed("GET", "/api/v3/account", skew: -5_001).code == -1021)
    #expect(client.signed("GET", "/api/v3/account", skew: 1_000).code == -1021)
    #expect(client.signed("GET", "/api/v3/account", "recvWindow=60001").code == -1131)
    #expect(client.signed("GET", "/api/v3/account").status == 200)
  }

  @Test func `an unknown order is -2013 to a query and -2011 to a cancel`() {
    var client = DialectClient()
    let name = "symbol=BTCUSDT&origClientOrderId=ghost"

    #expect(client.signed("GET", "/api/v3/order", name).code == -2013)
    #expect(client.signed("DELETE", "/api/v3/order", name).code == -2011)
  }

  @Test func `cancel and replace does both, or neither`() throws {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=old")
    let new =
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.2&price=51000"
      + "&cancelReplaceMode=STOP_ON_FAILURE"
    let path = "/api/v3/order/cancelReplace"

    let missing = client.signed("POST", path, new + "&cancelOrigClientOrderId=ghost")
    let done = client.signed(
      "POST", path, new + "&cancelOrigClientOrderId=old&newClientOrderId=new")

    #expect(missing.code == -2022)
    #expect(missing.json["data"]?["newOrderResult"]?.string == "NOT_ATTEMPTED")
    #expect(done.json["cancelResponse"]?["origClientOrderId"]?.string == "old")
    #expect(done.json["newOrderResponse"]?["clientOrderId"]?.string == "new")
    let open = client.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").json.root.array
    #expect(open?.count == 1)
  }

  @Test func `weight is counted, shown and limited`() {
    var settings = DialectClient.settings()
    settings.requestWeightPerMinuteMax = 6_000
    var client = DialectClient(settings)

    let first = client.send("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000")
    #expect(first.weight == "250")
    for _ in 0..<23 { _ = client.send("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000") }
    let over = client.send("GET", "/api/v3/ping")

    #expect(over.status == 429)
    #expect(over.code == -1003)
    client.now = client.now + .seconds(60)
    #expect(client.send("GET", "/api/v3/ping").status == 200)
  }

  @Test func `faults of requests happen as often as told`() throws {
    var client = DialectClient()
    try client.inject(.request(.lostAcknowledgement, count: 1))
    try client.inject(.halt(symbol: "ETHUSDT"))

    let lost = client.order(resting + "&newClientOrderId=lost")
    let kept = client.order(resting + "&newClientOrderId=kept")

    #expect(lost.isWithheld && !kept.isWithheld)
    #expect(
      client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=lost")
        .json["status"]?.string == "NEW")
    #expect(client.order("symbol=ETHUSDT&side=BUY&type=MARKET&quantity=1").code == -2010)
    #expect(client.send("POST", "/sim/v1/faults", body: "{}").status == 404)
  }

  @Test func `a listen key opens its account's stream until it is closed`() throws {
    var client = DialectClient()
    let answer = client.send("POST", "/api/v3/userDataStream", key: DialectClient.key)
    let key = try answer.json.root.string("listenKey")

    #expect(client.venue.exchange.listenKeys.account(of: key, now: client.now) == 0)
    let later = client.now + .seconds(3_601)
    #expect(client.venue.exchange.listenKeys.account(of: key, now: later) == nil)
    let target = "/api/v3/userDataStream?listenKey="
    #expect(
      client.send("PUT", target + key, key: DialectClient.key).status == 200)
    #expect(client.send("PUT", target + "other", key: DialectClient.key).code == -1125)
    #expect(
      client.send("DELETE", target + key, key: DialectClient.key).status == 200)
    #expect(client.venue.exchange.listenKeys.account(of: key, now: client.now) == nil)
  }

  @Test func `exchangeInfo lists the rules of the three markets`() throws {
    var client = DialectClient()

    let symbols = client.send("GET", "/api/v3/exchangeInfo").json["symbols"]?.array
    let one = client.send("GET", "/api/v3/exchangeInfo?symbols=%5B%22SOLUSDT%22%5D")

    #expect(symbols?.compactMap { $0["symbol"]?.string } == ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    #expect(one.json["symbols"]?.array?.count == 1)
    #expect(client.send("GET", "/api/v3/exchangeInfo?symbol=NOPE").code == -1121)
  }
}
