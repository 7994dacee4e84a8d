import Chrono
import JSON
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

@Suite struct `Kraken order types` {
  /// A client of a market that has traded.
  private func client() throws -> KrakenClient {
    var client = try KrakenClient()
    client.now = client.now + .seconds(10)
    client.venue.exchange.advance(to: client.now)
    _ = client.venue.takeDeliveries(now: client.now)
    return client
  }

  private func last(_ client: borrowing KrakenClient) throws -> Int64 {
    let price = client.venue.exchange.markets[0].engine.lastTradePrice
    return try #require(price).raw
  }

  private func text(_ dimes: Int64) -> String { decimalText(Int128(dimes), scale: 1) }

  private func order(_ fields: String, _ client: inout KrakenClient) throws -> JSONDocument {
    try client.call("AddOrder", "pair=XBTUSD&\(fields)")
  }

  private func error(_ answer: JSONDocument) -> String? { answer["error"]?[0]?.string }

  /// Our own orders take part in nothing that another account does, so the market is moved by theirs.
  private func trade(at price: Int64, _ side: Side, _ client: inout KrakenClient) {
    let engine = client.venue.exchange.markets[0].engine
    let quantity = engine.levels(side.opposite, max: .max).reduce(Quantity(1)) { sum, level in
      let isReached = side == .buy ? level.price.raw <= price : level.price.raw >= price
      return isReached ? sum + level.quantity : sum
    }
    let result = client.venue.exchange.markets[0].engine.place(
      EngineOrder(
        id: client.venue.exchange.takeOrderID(), owner: 9_999, side: side, limit: Price(price),
        quantity: quantity, timeInForce: .ioc))
    client.venue.exchange.settle(result, 0)
    client.venue.exchange.publishBalances()
  }

  /// Executions told since the last time.
  private func executions(_ client: inout KrakenClient) throws -> [JSONValue] {
    var told: [JSONValue] = []
    for delivery in client.venue.takeDeliveries(now: client.now) {
      guard case .report(let order, let cause, _) = delivery.happening.what else { continue }
      for bytes in client.venue.exchange.krakenExecutions(order, cause, delivery.happening.time) {
        told.append(try JSONDocument(parsing: bytes).root)
      }
    }
    return told
  }

  @Test func `OB-09 a stop loss is untriggered, then triggered, then a trade`() throws {
    var client = try client()
    let stop = try last(client) - 20_0

    let placed = try order("type=sell&ordertype=stop-loss&volume=0.5&price=\(text(stop))", &client)

    let description = try #require(placed["result"]?["descr"]?["order"]?.string)
    #expect(description == "sell 0.50000000 XBTUSD @ stop loss \(text(stop))")
    let new = try executions(&client)
    #expect(new.map { $0["exec_type"]?.string } == ["new"])
    #expect(new[0]["order_type"]?.string == "stop-loss")
    #expect(new[0]["triggers"]?["status"]?.string == "untriggered")
    trade(at: stop - 20_0, .sell, &client)
    let after = try executions(&client)
    #expect(after.first?["exec_type"]?.string == "status")
    #expect(after.first?["triggers"]?["status"]?.string == "triggered")
    #expect(after.last?["exec_type"]?.string == "filled")
  }

  @Test func `OB-09 a stop-loss limit takes its limit from price2, and rests there`() throws {
    var client = try client()
    let stop = try last(client) - 20_0

    let placed = try order(
      "type=sell&ordertype=stop-loss-limit&volume=0.5&price=\(text(stop))"
        + "&price2=\(text(stop + 500_0))&cl_ord_id=late", &client)

    #expect(error(placed) == nil)
    let amended = try client.call(
      "AmendOrder", "cl_ord_id=late&trigger_price=\(text(stop + 1_0))&order_qty=0.4")
    #expect(error(amended) == nil)
    trade(at: stop - 20_0, .sell, &client)
    #expect(
      client.venue.exchange.markets[0].engine.quantity(.sell, Price(stop + 500_0)).raw
        == 40_000_000)
    let open = try client.call("OpenOrders")
    let order = try #require(open["result"]?["open"]?.object.map(Array.init)?.first?.value)
    #expect(order["descr"]?["ordertype"]?.string == "stop-loss-limit")
    #expect(order["stopprice"]?.string == text(stop + 1_0))
  }

  @Test func `OB-09 an iceberg shows its display volume, a fifteenth at least`() throws {
    var client = try client()
    let price = try last(client) - 3_000_0
    let iceberg = "type=buy&ordertype=iceberg&price=\(text(price))&volume=3"

    let placed = try order("\(iceberg)&displayvol=0.2", &client)
    #expect(error(placed) == nil)
    #expect(
      client.venue.exchange.markets[0].engine.quantity(.buy, Price(price)).raw == 20_000_000)
    #expect(
      error(try order("\(iceberg)&displayvol=0.19", &client))
        == "EGeneral:Invalid arguments:displayvol")
    #expect(error(try order(iceberg, &client)) == "EGeneral:Invalid arguments:displayvol")
  }

  @Test(arguments: [
    ("cancel-newest", ["maker"]), ("cancel-oldest", ["taker"]), ("cancel-both", []),
    ("", ["maker"]),
  ])
  func `OB-10 a self-trade cancels the order that stptype names, the newest by itself`(
    mode: String, left: [String]
  ) throws {
    var client = try client()
    let (best, worst) = (
      client.venue.exchange.markets[0].engine.best(.buy),
      client.venue.exchange.markets[0].engine.best(.sell)
    )
    let (bid, ask) = try (#require(best).price.raw, #require(worst).price.raw)
    try #require(ask - bid > 1)
    let common = "ordertype=limit&volume=1&price=\(text(bid + 1))"

    _ = try order("type=buy&\(common)&cl_ord_id=maker", &client)
    _ = try executions(&client)
    let field = mode.isEmpty ? "" : "&stptype=\(mode)"
    let placed = try order("type=sell&\(common)&cl_ord_id=taker\(field)", &client)

    #expect(error(placed) == nil)
    let account = client.venue.exchange.account(KrakenClient.key)
    #expect(account?.openOrders.map(\.clientOrderID) == left)
    let told = try executions(&client)
    #expect(!told.contains { $0["exec_type"]?.string == "trade" })
    let ended = told.filter { $0["exec_type"]?.string == "canceled" }
    #expect(ended.count == 2 - left.count)
    #expect(ended.allSatisfy { $0["order_status"]?.string == "canceled" })
  }

  @Test func `OB-09 an edited order has another number, and stands when the edit is refused`()
    throws
  {
    var client = try client()
    let price = try last(client) - 500_0
    let placed = try order("type=buy&ordertype=limit&volume=1&price=\(text(price))", &client)
    let id = try #require(placed["result"]?["txid"]?[0]?.string)

    let refused = try client.call("EditOrder", "txid=\(id)&pair=XBTUSD&volume=100")
    #expect(error(refused) == "EOrder:Insufficient funds")
    let edited = try client.call("EditOrder", "txid=\(id)&pair=XBTUSD&volume=0.5")

    #expect(edited["result"]?["originaltxid"]?.string == id)
    let new = try #require(edited["result"]?["txid"]?.string)
    #expect(new != id && edited["result"]?["volume"]?.string == "0.50000000")
    let account = client.venue.exchange.account(KrakenClient.key)
    #expect(account?.openOrders.map(\.quantity.raw) == [50_000_000])
  }

  @Test func `OB-09 an order to be validated is checked in full and not entered`() throws {
    var client = try client()
    let good = try order("type=buy&ordertype=market&volume=1&validate=true", &client)
    let poor = try order("type=buy&ordertype=limit&volume=100&price=60000&validate=true", &client)

    #expect(good["result"]?["descr"]?["order"]?.string == "buy 1.00000000 XBTUSD @ market")
    #expect(good["result"]?["txid"] == nil)
    #expect(error(poor) == "EOrder:Insufficient funds")
    #expect(client.venue.exchange.account(KrakenClient.key)?.openOrders.isEmpty == true)
  }

  @Test(arguments: [
    ("ordertype=take-profit&price=1", "ordertype"),
    ("ordertype=trailing-stop&price=1", "ordertype"),
    ("ordertype=market&leverage=2", "leverage"), ("ordertype=market&oflags=viqc", "oflags"),
    ("ordertype=stop-loss&price=50000&trigger=index", "trigger"),
    ("ordertype=stop-loss&price=%2B5", "price"),
    ("ordertype=limit&price=1&timeinforce=GTD", "timeinforce"),
    ("ordertype=limit&price=1&displayvol=1", "displayvol"),
    ("ordertype=market&stptype=decrement", "stptype"),
  ])
  func `OB-09 what is not simulated is an invalid argument by its name`(
    fields: String, name: String
  ) throws {
    var client = try client()
    #expect(
      error(try order("type=sell&volume=1&\(fields)", &client))
        == "EGeneral:Invalid arguments:\(name)")
  }

  @Test func `OB-09 a stop beyond the market is an invalid price`() throws {
    var client = try client()
    let beyond = text(try last(client) + 1_0)
    #expect(
      error(try order("type=sell&ordertype=stop-loss&volume=1&price=\(beyond)", &client))
        == "EOrder:Invalid price")
  }
}
