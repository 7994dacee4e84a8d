import JSON
import SimulatorKit
import Testing
import Units

@testable import VenueSimulator

@Suite struct `Fees in the quote asset` {
  @Test func `a buy receives all it bought and pays its fee in USDT`() throws {
    var settings = DialectClient.settings()
    settings.feeAsset = .quote
    var client = DialectClient(settings)

    let answer = client.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5")

    let fills = try #require(answer.json["fills"]?.array)
    var spent = Decimal.zero
    for fill in fills {
      #expect(try fill.string("commissionAsset") == "USDT")
      let price = try #require(try Decimal(parsing: fill.string("price")).units(atScale: 2))
      let lots = try #require(try Decimal(parsing: fill.string("qty")).units(atScale: 5))
      spent = try spent.adding(Decimal(exactly: Int128(price) * Int128(lots), scale: 7))
        .adding(Decimal(parsing: fill.string("commission")))
    }
    let balances = try #require(
      client.signed("GET", "/api/v3/account").json["balances"]?.array)
    let free = try balances.reduce(into: [String: Decimal]()) { found, balance in
      found[try balance.string("asset")] = try Decimal(parsing: balance.string("free"))
    }
    #expect(free["BTC"] == Decimal(units: 105, scale: 1))
    #expect(free["USDT"] == (try Decimal(units: 1_000_000, scale: 0).subtracting(spent)))
  }

  @Test func `a resting buy locks its fee too, and gets back what it did not need`() throws {
    var settings = DialectClient.settings()
    settings.feeAsset = .quote
    var client = DialectClient(settings)
    _ = client.order(
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000"
        + "&newClientOrderId=r")

    let locked = try balance(&client, "locked")
    _ = client.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=r")

    #expect(locked == "50050.00000000")
    #expect(try balance(&client, "locked") == "0.00000000")
    #expect(try balance(&client, "free") == "1000000.00000000")
  }

  private func balance(_ client: inout DialectClient, _ name: String) throws -> String {
    let balances = client.signed("GET", "/api/v3/account").json["balances"]?.array
    let found = try #require(balances?.first { $0["asset"]?.string == "USDT" })
    return try found.string(name)
  }
}
