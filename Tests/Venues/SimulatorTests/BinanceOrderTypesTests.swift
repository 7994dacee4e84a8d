import Bytes
import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `Binance order types` {
  private static let other = ("key-of-bob", Array("secret-of-bob".utf8))

  private static func settings() -> ExchangeSettings {
    var settings = DialectClient.settings()
    settings.accounts.append(
      SimulatedAccountSettings(
        apiKey: other.0, secret: other.1,
        balances: [
          "USDT": Decimal(units: 100_000_000, scale: 0), "BTC": Decimal(units: 1_000, scale: 0),
        ]))
    return settings
  }

  /// A client of a market that has traded.
  private func client() -> DialectClient {
    var client = DialectClient(Self.settings())
    client.now = client.now + .seconds(10)
    client.venue.exchange.advance(to: client.now)
    _ = client.venue.takeMessages(now: client.now)
    return client
  }

  private func last(_ client: borrowing DialectClient) throws -> Int64 {
    let price = client.venue.exchange.markets[0].engine.lastTradePrice
    return try #require(price).raw
  }

  private func text(_ cents: Int64) -> String { decimalText(Int128(cents), scale: 2) }

  private func account(_ client: borrowing DialectClient) throws -> ExchangeAccount {
    let account = client.venue.exchange.account(DialectClient.key)
    return try #require(account)
  }

  /// Somebody else takes all bids down to a price.
  private func sell(downTo price: String, _ client: inout DialectClient) {
    let answer = client.signed(
      "POST", "/api/v3/order",
      "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=140&price=\(price)",
      key: Self.other.0, secret: Self.other.1)
    #expect(answer.status == 200, "\(answer.text)")
  }

  private func reports(_ client: inout DialectClient) throws -> [JSONValue] {
    try client.venue.takeMessages(now: client.now).compactMap { message in
      guard case .account(0, let payload) = message else { return nil }
      let root = try JSONDocument(parsing: payload).root
      return root["e"]?.string == "executionReport" ? root : nil
    }
  }

  @Test func `OB-09 a stop loss waits out of the book, and sells once a trade reaches its price`()
    throws
  {
    var client = client()
    let stop = try last(client) - 20_00

    let placed = client.order(
      "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.5&stopPrice=\(text(stop))"
        + "&newClientOrderId=guard")

    #expect(placed.json["status"]?.string == "NEW" && placed.json["type"]?.string == "STOP_LOSS")
    #expect(placed.json["workingTime"]?.int64 == -1)
    let waiting = client.signed(
      "GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=guard")
    #expect(waiting.json["isWorking"]?.bool == false)
    #expect(waiting.json["stopPrice"]?.string == text(stop) + "000000")
    let told = try reports(&client)
    #expect(told.map { $0["x"]?.string } == ["NEW"] && told[0]["w"]?.bool == false)

    sell(downTo: text(stop - 20_00), &client)

    let after = try reports(&client)
    #expect(after.first?["x"]?.string == "NEW" && after.first?["W"]?.int64 != nil)
    #expect(after.last?["x"]?.string == "TRADE" && after.last?["X"]?.string == "FILLED")
    #expect(after.allSatisfy { $0["o"]?.string == "STOP_LOSS" && $0["c"]?.string == "guard" })
  }

  @Test func `OB-09 a stop-loss limit that is set off waits in the book at its limit`() throws {
    var client = client()
    let stop = try last(client) - 20_00
    let limit = stop + 500_00

    _ = client.order(
      "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.5"
        + "&stopPrice=\(text(stop))&price=\(text(limit))&newClientOrderId=late")
    sell(downTo: text(stop - 20_00), &client)

    let query = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=late")
    #expect(query.json["status"]?.string == "NEW" && query.json["isWorking"]?.bool == true)
    #expect(
      client.venue.exchange.markets[0].engine.quantity(.sell, Price(limit)).raw == 50_000_000)
  }

  @Test
  func `OB-09 a stop beyond the market, take profits and trailing stops have codes of their own`()
    throws
  {
    var client = client()
    let last = try last(client)
    let sell = "symbol=BTCUSDT&side=SELL&quantity=0.5"

    let beyond = client.order("\(sell)&type=STOP_LOSS&stopPrice=\(text(last + 1_00))")
    let profit = client.order("\(sell)&type=TAKE_PROFIT&stopPrice=\(text(last + 1_00))")
    let trailing = client.order("\(sell)&type=STOP_LOSS&trailingDelta=100")
    let none = client.order("\(sell)&type=STOP_LOSS")
    let unneeded = client.order("\(sell)&type=MARKET&stopPrice=\(text(last))")

    #expect(beyond.code == -2010 && beyond.text.contains("Order would trigger immediately."))
    #expect(profit.code == -2010 && profit.text.contains("Take profit orders are not supported"))
    #expect(trailing.code == -2010 && trailing.text.contains("Trailing stop orders"))
    #expect(none.code == -1102 && none.text.contains("stopPrice"))
    #expect(unneeded.code == -1106 && unneeded.text.contains("stopPrice"))
  }

  @Test func `OB-09 a buying stop never spends more than it has locked`() throws {
    var client = client()
    let stop = try last(client) + 10_00
    let before = try account(client)

    let placed = client.order(
      "symbol=BTCUSDT&side=BUY&type=STOP_LOSS&quantity=2&stopPrice=\(text(stop))")
    #expect(placed.status == 200, "\(placed.text)")
    let locked = try account(client)
    _ = client.signed(
      "POST", "/api/v3/order",
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=140&price=\(text(stop + 20_00))",
      key: Self.other.0, secret: Self.other.1)

    let after = try account(client)
    let index = try #require(before.balances.firstIndex { $0.asset == "USDT" })
    #expect(locked.balances[index].locked == AssetAmount(2 * (stop + stop * 5 / 100) * 1_000_000))
    #expect(after.balances[index].locked == .zero)
    #expect(after.balances[index].free >= locked.balances[index].free)
    #expect(after.openOrders.isEmpty)
  }

  @Test func `OB-09 an iceberg shows a part at a time, and only of an order that waits`() throws {
    var client = client()
    let price = try last(client) - 3_000_00
    let buy = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=\(text(price))&quantity=3"
    func shown() -> Int64 {
      client.venue.exchange.markets[0].engine.quantity(.buy, Price(price)).raw
    }

    let placed = client.order("\(buy)&timeInForce=GTC&icebergQty=1")

    #expect(placed.json["icebergQty"]?.string == "1.00000000", "\(placed.text)")
    #expect(shown() == 100_000_000)
    sell(downTo: text(price), &client)
    #expect(shown() == 0)
    let few = client.order("\(buy)&timeInForce=GTC&icebergQty=0.2")
    let many = client.order("\(buy)&timeInForce=GTC&icebergQty=4")
    let instant = client.order("\(buy)&timeInForce=IOC&icebergQty=1")
    #expect(few.code == -1013 && few.text.contains("ICEBERG_PARTS"))
    #expect(many.code == -2010 && many.text.contains("IcebergQty exceeds QTY."))
    #expect(instant.code == -2010 && instant.text.contains("Unsupported order combination"))
  }

  @Test(arguments: [
    ("NONE", "FILLED", "FILLED"), ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
    ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
    ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ("DECREMENT", "EXPIRED_IN_MATCH", "NEW"),
  ])
  func `OB-10 a self-trade is prevented as the taker asks`(
    mode: String, taker: String, maker: String
  ) throws {
    var client = client()
    // A cent inside the spread, where nobody else is.
    let (best, worst) = (
      client.venue.exchange.markets[0].engine.best(.buy),
      client.venue.exchange.markets[0].engine.best(.sell)
    )
    let (bid, ask) = try (#require(best).price.raw, #require(worst).price.raw)
    try #require(ask - bid > 1)
    let price = text(bid + 1)
    let (resting, taking) = mode == "DECREMENT" ? ("2", "1") : ("1", "1")

    _ = client.order(
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=\(resting)&price=\(price)"
        + "&newClientOrderId=maker")
    _ = try reports(&client)
    let placed = client.order(
      "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=\(taking)&price=\(price)"
        + "&selfTradePreventionMode=\(mode)&newClientOrderId=taker")

    #expect(placed.json["status"]?.string == taker, "\(placed.text)")
    #expect(placed.json["selfTradePreventionMode"]?.string == mode)
    let query = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=maker")
    #expect(query.json["status"]?.string == maker)
    let prevented = try reports(&client).filter { $0["x"]?.string == "TRADE_PREVENTION" }
    let ended = [taker, maker].count { $0 == "EXPIRED_IN_MATCH" }
    #expect(prevented.count == (mode == "DECREMENT" ? 2 : ended))
    #expect(prevented.allSatisfy { $0["B"]?.string == "1.00000000" && $0["v"]?.int64 != nil })
    if mode == "DECREMENT" {
      #expect(query.json["preventedQuantity"]?.string == "1.00000000")
      #expect(try account(client).openOrders.count == 1)
    }
  }

  @Test func `OB-10 an unknown self-trade prevention mode is refused by name`() {
    var client = client()
    let answer = client.order(
      "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1&selfTradePreventionMode=TRANSFER")
    #expect(answer.code == -1013 && answer.text.contains("self-trade prevention mode"))
  }

  @Test func `OB-09 amend keep priority makes an order smaller in its place, and never larger`()
    throws
  {
    var client = client()
    let price = try last(client) - 3_000_00
    for name in ["first", "second"] {
      _ = client.order(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=\(text(price))"
          + "&newClientOrderId=\(name)")
    }
    _ = try reports(&client)

    let amended = client.signed(
      "PUT", "/api/v3/order/amend/keepPriority",
      "symbol=BTCUSDT&origClientOrderId=first&newQty=0.5&newClientOrderId=renamed")

    #expect(amended.status == 200, "\(amended.text)")
    #expect(amended.json["amendedOrder"]?["qty"]?.string == "0.50000000")
    #expect(amended.json["amendedOrder"]?["clientOrderId"]?.string == "renamed")
    let told = try reports(&client)
    #expect(told.map { $0["x"]?.string } == ["REPLACED"])
    #expect(told[0]["c"]?.string == "renamed" && told[0]["C"]?.string == "first")
    let old = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=first")
    #expect(old.code == -2013)
    let larger = client.signed(
      "PUT", "/api/v3/order/amend/keepPriority",
      "symbol=BTCUSDT&origClientOrderId=renamed&newQty=0.6")
    #expect(larger.code == -2038 && larger.text.contains("quantity increase"))
    // It still trades before the one that came second.
    sell(downTo: text(price), &client)
    let fills = try reports(&client).filter { $0["x"]?.string == "TRADE" }
    #expect(fills.map { $0["c"]?.string } == ["renamed", "second"])
  }
}
