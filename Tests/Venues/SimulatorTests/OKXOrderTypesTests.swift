import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `OKX order types` {
  private func client() -> OKXClient {
    var client = OKXClient()
    client.now = client.now + .seconds(10)
    client.venue.exchange.advance(to: client.now)
    return client
  }

  private func last(_ client: borrowing OKXClient) throws -> Int64 {
    let price = client.venue.exchange.markets[0].engine.lastTradePrice
    return try #require(price).raw
  }

  private func text(_ cents: Int64) -> String { decimalText(Int128(cents), scale: 2) }

  private func algo(_ fields: String, _ client: inout OKXClient) throws -> JSONValue {
    let answer = try client.call(
      "POST", "/api/v5/trade/order-algo",
      #"{"instId":"BTC-USDT","tdMode":"cash","ordType":"conditional",\#(fields)}"#)
    return try #require(answer["data"]?[0])
  }

  private func pending(_ client: inout OKXClient) throws -> [JSONValue] {
    let answer = try client.call(
      "GET", "/api/v5/trade/orders-algo-pending?ordType=conditional")
    return answer["data"]?.array.map { Array($0) } ?? []
  }

  private func sell(downTo price: Int64, _ client: inout OKXClient) {
    let engine = client.venue.exchange.markets[0].engine
    let quantity = engine.levels(.buy, max: .max).reduce(Quantity(1)) { sum, level in
      level.price.raw >= price ? sum + level.quantity : sum
    }
    let result = client.venue.exchange.markets[0].engine.place(
      EngineOrder(
        id: client.venue.exchange.takeOrderID(), owner: 9_999, side: .sell, limit: Price(price),
        quantity: quantity, timeInForce: .ioc))
    client.venue.exchange.settle(result, 0)
    client.venue.exchange.publishBalances()
  }

  @Test func `OB-09 a stop loss is an algo order, and an order once it is effective`() throws {
    var client = client()
    let stop = try last(client) - 20_00

    let placed = try algo(
      #""side":"sell","sz":"0.5","slTriggerPx":"\#(text(stop))","slOrdPx":"-1","algoClOrdId":"g""#,
      &client)

    #expect(placed["sCode"]?.string == "0" && placed["algoClOrdId"]?.string == "g")
    let id = try #require(placed["algoId"]?.string)
    let waiting = try pending(&client)
    #expect(waiting.map { $0["state"]?.string } == ["live"])
    #expect(waiting[0]["slOrdPx"]?.string == "-1")
    let orders = try client.call("GET", "/api/v5/trade/orders-pending")
    #expect(orders["data"]?.array?.isEmpty == true)
    let early = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&ordId=\(id)")
    #expect(early["code"]?.string == "51603")

    sell(downTo: stop - 20_00, &client)

    #expect(try pending(&client).isEmpty)
    let order = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&ordId=\(id)")
    #expect(order["data"]?[0]?["state"]?.string == "filled")
    #expect(order["data"]?[0]?["algoId"]?.string == id)
  }

  @Test func `OB-09 an algo order is amended and cancelled by its own endpoints`() throws {
    var client = client()
    let stop = try last(client) - 20_00
    let placed = try algo(
      #""side":"sell","sz":"0.5","slTriggerPx":"\#(text(stop))","slOrdPx":"\#(text(stop - 5_00))""#,
      &client)
    let id = try #require(placed["algoId"]?.string)

    let amended = try client.call(
      "POST", "/api/v5/trade/amend-algos",
      #"{"instId":"BTC-USDT","algoId":"\#(id)","newSlTriggerPx":"\#(text(stop - 1_00))"}"#)
    #expect(amended["data"]?[0]?["sCode"]?.string == "0")
    #expect(
      try pending(&client).map { $0["slTriggerPx"]?.string }
        == [client.venue.exchange.markets[0].settings.okxText(Price(stop - 1_00))])
    let cancelled = try client.call(
      "POST", "/api/v5/trade/cancel-algos", #"[{"instId":"BTC-USDT","algoId":"\#(id)"}]"#)
    #expect(cancelled["data"]?[0]?["algoId"]?.string == id && cancelled["code"]?.string == "0")
    #expect(try pending(&client).isEmpty)
    let again = try client.call(
      "POST", "/api/v5/trade/cancel-algos", #"[{"instId":"BTC-USDT","algoId":"\#(id)"}]"#)
    #expect(again["data"]?[0]?["sCode"]?.string == "51400")
  }

  @Test func `OB-09 a stop beyond the market has the code of its side`() throws {
    var client = client()
    let last = try last(client)
    let sell = try algo(
      #""side":"sell","sz":"1","slTriggerPx":"\#(text(last + 1_00))","slOrdPx":"-1""#, &client)
    let buy = try algo(
      #""side":"buy","sz":"1","slTriggerPx":"\#(text(last - 1_00))","slOrdPx":"1""#, &client)

    #expect(sell["sCode"]?.string == "51280")
    #expect(buy["sCode"]?.string == "51278")
  }

  @Test(arguments: [
    (#""ordType":"iceberg""#, "ordType"), (#""ordType":"twap""#, "ordType"),
    (#""ordType":"oco""#, "ordType"), (#""ordType":"move_order_stop""#, "ordType"),
    (#""ordType":"conditional","tpTriggerPx":"70000""#, "tpTriggerPx"),
    (#""ordType":"conditional","slTriggerPxType":"mark""#, "slTriggerPxType"),
  ])
  func `OB-09 algo orders that are not simulated are a parameter error by name`(
    fields: String, name: String
  ) throws {
    var client = client()
    let answer = try client.call(
      "POST", "/api/v5/trade/order-algo",
      #"{"instId":"BTC-USDT","tdMode":"cash","side":"sell","sz":"1",\#(fields)}"#)
    #expect(answer["code"]?.string == "1")
    #expect(answer["data"]?[0]?["sCode"]?.string == "51000")
    #expect(answer["data"]?[0]?["sMsg"]?.string == "Parameter \(name) error")
  }

  @Test(arguments: [
    ("cancel_taker", ["maker"]), ("cancel_maker", ["taker"]), ("cancel_both", []),
    ("", ["taker"]),
  ])
  func `OB-10 a self-trade cancels the order that stpMode names, the maker by itself`(
    mode: String, left: [String]
  ) throws {
    var client = client()
    let (best, worst) = (
      client.venue.exchange.markets[0].engine.best(.buy),
      client.venue.exchange.markets[0].engine.best(.sell)
    )
    let (bid, ask) = try (#require(best).price.raw, #require(worst).price.raw)
    try #require(ask - bid > 1)
    let common = #""ordType":"limit","sz":"1","px":"\#(text(bid + 1))","stpMode":"\#(mode)""#

    _ = try client.order(#""side":"buy","clOrdId":"maker",\#(common)"#)
    _ = try client.order(#""side":"sell","clOrdId":"taker",\#(common)"#)

    let account = client.venue.exchange.account(OKXClient.key)
    #expect(account?.openOrders.map(\.clientOrderID) == left)
    for name in ["maker", "taker"] where !left.contains(name) {
      let order = try client.call(
        "GET", "/api/v5/trade/order?instId=BTC-USDT&clOrdId=\(name)")
      #expect(order["data"]?[0]?["state"]?.string == "canceled")
      #expect(order["data"]?[0]?["cancelSource"]?.string == "32")
    }
  }

  @Test func `OB-10 cancelSource says why, and both with fill-or-kill is refused`() throws {
    var client = client()
    let far = text(try last(client) - 500_00)
    for (name, type, source) in [("i", "ioc", "14"), ("f", "fok", "13")] {
      _ = try client.order(
        #""side":"buy","clOrdId":"\#(name)","ordType":"\#(type)","sz":"1","px":"\#(far)""#)
      let order = try client.call("GET", "/api/v5/trade/order?instId=BTC-USDT&clOrdId=\(name)")
      #expect(order["data"]?[0]?["cancelSource"]?.string == source)
    }
    let both = try client.order(
      #""side":"buy","ordType":"fok","sz":"1","px":"\#(far)","stpMode":"cancel_both""#)
    #expect(both["data"]?[0]?["sMsg"]?.string == "Parameter stpMode error")
  }
}
