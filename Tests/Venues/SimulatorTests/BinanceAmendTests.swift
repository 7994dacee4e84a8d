import JSON
import SimulatorKit
import Testing

@testable import VenueSimulator

@Suite struct `Binance's amendments that keep priority` {
  private let resting =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=50000"

  private func amend(_ client: inout DialectClient, _ parameters: String) -> VenueAnswer {
    client.signed("PUT", "/api/v3/order/amend/keepPriority", "symbol=BTCUSDT&" + parameters)
  }

  private func locked(_ client: inout DialectClient) -> String? {
    client.signed("GET", "/api/v3/account").json["balances"]?.array?
      .first { $0["asset"]?.string == "USDT" }?["locked"]?.string
  }

  @Test func `a quantity gets smaller, the order keeps its number, and money comes back`() throws {
    var client = DialectClient()
    let placed = client.order(resting + "&newClientOrderId=a").json
    let id = try placed.root.int64("orderId")

    let answer = amend(&client, "origClientOrderId=a&newClientOrderId=a&newQty=0.2")

    #expect(answer.status == 200 && answer.weight == "5", "\(answer.text)")
    let amended = try answer.json.root.member("amendedOrder")
    #expect(try amended.int64("orderId") == id && amended["clientOrderId"]?.string == "a")
    #expect(amended["qty"]?.string == "0.20000000" && amended["status"]?.string == "NEW")
    #expect(locked(&client) == "10000.00000000")
    let query = client.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=\(id)").json
    #expect(query["origQty"]?.string == "0.20000000" && query["price"]?.string == "50000.00000000")
  }

  @Test func `the private stream says REPLACED, with the new quantity`() throws {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=a")
    _ = client.venue.takeDeliveries(now: client.now)
    _ = amend(&client, "origClientOrderId=a&newClientOrderId=a&newQty=0.2")

    var told: [JSONValue] = []
    for message in client.venue.exchange.takeMessages() {
      guard case .account(_, let payload) = message else { continue }
      told.append(try JSONDocument(parsing: payload).root)
    }

    let report = try #require(told.first { $0["e"]?.string == "executionReport" })
    #expect(report["x"]?.string == "REPLACED" && report["X"]?.string == "NEW")
    #expect(report["q"]?.string == "0.20000000" && report["c"]?.string == "a")
  }

  @Test func `without a name the order gets another, and the old one is free again`() throws {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=a")

    let amended = amend(&client, "origClientOrderId=a&newQty=0.2").json["amendedOrder"]

    let name = try #require(amended?["clientOrderId"]?.string)
    #expect(name != "a" && amended?["origClientOrderId"]?.string == "a")
    let path = "/api/v3/order"
    #expect(client.signed("GET", path, "symbol=BTCUSDT&origClientOrderId=a").code == -2013)
    #expect(client.signed("GET", path, "symbol=BTCUSDT&origClientOrderId=\(name)").status == 200)
    #expect(client.order(resting + "&newClientOrderId=a").status == 200)
    #expect(amend(&client, "origClientOrderId=a&newClientOrderId=\(name)&newQty=0.1").code == -2010)
  }

  @Test(arguments: [
    ("newQty=0.6", -2038, "Order amend (quantity increase) is not supported."),
    ("newQty=0.5", -2038, "The requested action would change no state; rejecting."),
    ("newQty=0.000001", -1013, "Filter failure: LOT_SIZE"),
    ("newQty=0.00001", -1013, "Filter failure: NOTIONAL"),
  ])
  func `everything else is refused in Binance's words`(
    _ parameters: String, _ code: Int64, _ text: String
  ) {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=a")

    let answer = amend(&client, "origClientOrderId=a&newClientOrderId=a&" + parameters)

    #expect(answer.code == code && answer.json["msg"]?.string == text, "\(answer.text)")
    #expect(locked(&client) == "25000.00000000")
  }

  @Test func `an order that is gone cannot be amended`() {
    var client = DialectClient()
    _ = client.order(resting + "&newClientOrderId=a")
    _ = client.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a")

    #expect(amend(&client, "origClientOrderId=a&newQty=0.2").code == -2013)
    #expect(amend(&client, "origClientOrderId=ghost&newQty=0.2").code == -2013)
  }
}
