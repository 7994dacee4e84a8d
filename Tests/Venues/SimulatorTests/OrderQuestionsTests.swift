import Chrono
import JSON
import SimulatorKit
import Testing
import Transport
import Units
import Venue

@testable import VenueSimulator

/// What the exchanges answer about orders and trades, page by page, and how they take a change.
@Suite struct `Questions about orders` {
  // MARK: Binance

  @Test func `Binance makes an order smaller in place, and nothing else of it`() throws {
    var client = DialectClient()
    let path = "/api/v3/order/amend/keepPriority"
    _ = client.order(
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.30000&price=50000.00"
        + "&newClientOrderId=mine")
    let order = "symbol=BTCUSDT&origClientOrderId=mine&newClientOrderId=mine"

    let amended = client.signed("PUT", path, "\(order)&newQty=0.20000").json
    #expect(amended["amendedOrder"]?["qty"]?.string == "0.20000000")
    #expect(amended["amendedOrder"]?["clientOrderId"]?.string == "mine")
    #expect(client.signed("PUT", path, "\(order)&newQty=0.20000").code == -2038)
    #expect(client.signed("PUT", path, "\(order)&newQty=0.40000").code == -2038)
    #expect(client.signed("PUT", path, "\(order)&newQty=0.100001").code == -1013)
    let none = "symbol=BTCUSDT&origClientOrderId=none&newClientOrderId=none"
    #expect(client.signed("PUT", path, "\(none)&newQty=0.1").code == -2013)
    let open = client.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").json
    #expect(open[0]?["origQty"]?.string == "0.20000000" && open[0]?["status"]?.string == "NEW")
  }

  @Test func `a price outside of the market's band is refused in each exchange's words`() throws {
    func banded(_ settings: ExchangeSettings) -> ExchangeSettings {
      var settings = settings
      let (low, high) = (Decimal(units: 5, scale: 1), Decimal(units: 15, scale: 1))
      settings.markets[0].instrument.priceBand = PriceBand(
        buyLowest: low, buyHighest: high, sellLowest: low, sellHighest: high)
      return settings
    }
    var binance = DialectClient(banded(DialectClient.settings()))
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1"
    #expect(
      binance.order("\(order)&price=20000.00").json["msg"]?.string
        == "Filter failure: PERCENT_PRICE_BY_SIDE")
    #expect(binance.order("\(order)&price=40000.00").status == 200)
    let listing = binance.send("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT").json
    let filter = listing["symbols"]?[0]?["filters"]?.array?.first {
      $0["filterType"]?.string == "PERCENT_PRICE_BY_SIDE"
    }
    #expect(filter?["bidMultiplierDown"]?.string == "0.5")
    var okx = OKXClient(banded(OKXClient.settings()))
    let far = try okx.order(#""side":"sell","ordType":"limit","px":"99000","sz":"0.1""#)
    #expect(far["data"]?[0]?["sCode"]?.string == "51006")
  }

  // MARK: Kraken

  @Test func `Kraken tells closed orders and trades by name, id and page, the latest first`() throws
  {
    var client = try KrakenClient()
    for number in 1...60 {
      _ = try client.call(
        "AddOrder",
        "ordertype=limit&pair=XBTUSD&price=50000.0&type=buy&volume=0.01&cl_ord_id=n\(number)")
    }
    _ = try client.call("CancelAll")
    _ = try client.call(
      "AddOrder", "ordertype=market&pair=XBTUSD&type=buy&volume=0.3&cl_ord_id=filled")

    let closed = try client.call("ClosedOrders")["result"]
    #expect(closed?["count"]?.int == 61 && closed?["closed"]?.object?.count == 50)
    let rest = try client.call("ClosedOrders", "ofs=50")["result"]?["closed"]?.object
    #expect(rest?.count == 11)
    let one = try client.call("ClosedOrders", "cl_ord_id=n7")["result"]?["closed"]?.object
    let first = one?.first { _ in true }
    let order = try #require(first)
    #expect(order.value["status"]?.string == "canceled")
    #expect(order.value["closetm"] != nil && one?.count == 1)
    #expect(try client.call("OpenOrders", "cl_ord_id=n7")["result"]?["open"]?.object?.count == 0)

    let filled = try client.call("ClosedOrders", "cl_ord_id=filled&trades=true")["result"]
    let found = filled?["closed"]?.object?.first { _ in true }
    let ids = found?.value["trades"]?.array?.compactMap(\.string) ?? []
    let trades = try client.call("QueryTrades", "txid=\(ids.joined(separator: ","))")["result"]
    #expect(trades?.object?.count == ids.count && !ids.isEmpty)
    let history = try client.call("TradesHistory")["result"]?["trades"]?.object
    #expect(history?.map(\.name).reversed() == ids)
    let later = try client.call("TradesHistory", "start=\(client.now.seconds)")["result"]
    #expect(later?["count"]?.int == 0)
    #expect(
      try client.call("QueryTrades", "txid=TAAAAA-AAAAA-AAAAAA")["error"]?[0]?.string
        == "EOrder:Unknown order")
  }

  @Test(arguments: [
    (1, "EService:Deadline elapsed"), (-5, "EService:Deadline elapsed"), (30, nil),
    (61, "EGeneral:Invalid arguments:deadline"),
  ])
  func `Kraken takes an order whose deadline is two seconds to a minute ahead`(
    seconds: Int, error: String?
  ) throws {
    var client = try KrakenClient()
    let deadline = (client.now + .seconds(seconds)).rfc3339
    let answer = try client.call(
      "AddOrder",
      "ordertype=limit&pair=XBTUSD&price=50000.0&type=buy&volume=0.01&deadline=\(deadline)")
    #expect(answer["error"]?[0]?.string == error)
    #expect(
      try client.call("OpenOrders")["result"]?["open"]?.object?.count == (error == nil ? 1 : 0))
  }

  // MARK: OKX

  @Test func `OKX tells open orders and fills of an instrument page by page, the latest first`()
    throws
  {
    var client = OKXClient()
    for number in 1...130 {
      _ = try client.order(
        #""side":"buy","ordType":"limit","px":"50000","sz":"0.01","clOrdId":"n\#(number)""#)
    }
    let pending = "/api/v5/trade/orders-pending?instId=BTC-USDT"
    let first = try #require(try client.call("GET", pending)["data"]?.array)
    #expect(first.count == 100 && first.first?["clOrdId"]?.string == "n130")
    let last = try #require(first.reversed().first?["ordId"]?.string)
    let second = try client.call("GET", "\(pending)&after=\(last)")["data"]?.array
    #expect(second?.count == 30 && second?.first?["clOrdId"]?.string == "n30")
    let other = "/api/v5/trade/orders-pending?instId=ETH-USDT"
    #expect(try client.call("GET", other)["data"]?.array?.count == 0)

    for _ in 0..<2 {
      _ = try client.order(#""side":"buy","ordType":"market","tgtCcy":"base_ccy","sz":"0.3""#)
    }
    for path in ["fills", "fills-history"] {
      let fills = "/api/v5/trade/\(path)?instType=SPOT&instId=BTC-USDT"
      let all = try #require(try client.call("GET", fills)["data"]?.array)
      let bills = all.compactMap { $0["billId"]?.string }
      #expect(bills.count >= 2 && bills == bills.sorted().reversed())
      let older = try client.call("GET", "\(fills)&after=\(bills[0])")["data"]?.array
      #expect(older?.compactMap { $0["billId"]?.string } == Array(bills.dropFirst()))
      #expect(try client.call("GET", "\(fills)&limit=1")["data"]?.array?.count == 1)
      #expect(try client.call("GET", "\(fills)&limit=101")["code"]?.string == "51000")
    }
  }

  @Test func `OKX says why an order ended, and takes nothing after its expTime`() throws {
    var client = OKXClient()
    for (type, source) in [("ioc", "14"), ("fok", "13")] {
      let placed = try client.order(
        #""side":"buy","ordType":"\#(type)","px":"50000","sz":"0.1""#)
      let id = try #require(placed["data"]?[0]?["ordId"]?.string)
      let query = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&ordId=\(id)")
      #expect(query["data"]?[0]?["state"]?.string == "canceled")
      #expect(query["data"]?[0]?["cancelSource"]?.string == source)
    }
    let body =
      #"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","#
      + #""px":"50000","sz":"0.1"}"#
    let time = client.now.rfc3339
    let request = HTTPRequest(
      method: "POST", target: "/api/v5/trade/order",
      headers: [
        HTTPHeader("ok-access-key", OKXClient.key), HTTPHeader("ok-access-timestamp", time),
        HTTPHeader("ok-access-sign", OKXClient.sign("\(time)POST/api/v5/trade/order\(body)")),
        HTTPHeader("ok-access-passphrase", OKXClient.passphrase),
        HTTPHeader("exptime", String(client.now.milliseconds - 1)),
      ], body: Array(body.utf8), peerAddress: "127.0.0.1:9")
    let answer = try JSONDocument(
      parsing: client.venue.answer(request, now: client.now).response.body)
    #expect(answer["code"]?.string == "50036")
  }
}
