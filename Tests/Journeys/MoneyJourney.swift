import Foundation
import JSON
import Testing

extension Journeys.`One mesh` {
  /// Executions, positions, portfolio and psql tell one story, to the last digit.
  @Suite(.serialized) struct `The money` {
    var mesh: Mesh { .current }

    @Test func `OMS-09 POS-01 POS-02 fills make one ledger everywhere`() async throws {
      for (side, quantity) in [
        ("BUY", "1.25"), ("SELL", "0.4"), ("BUY", "0.3"), ("SELL", "1.0001"),
      ] {
        let order = try await mesh.place(side, "ETHUSDT", quantity)
        try await mesh.order(order, becomes: "FILLED")
      }
      let fills = try await mesh.pages("/v1/executions?symbol=ETHUSDT", "executions")
      #expect(fills.count >= 4)
      var ledger = HandLedger()
      for fill in fills.reversed() { try ledger.apply(fill) }

      let position = try await settled(fills.count)
      #expect(units(position["quantity"]?.string, scale: 8) == ledger.net, "\(position)")
      #expect(units(position["cost"]?.string, scale: 10) == ledger.cost, "\(position)")
      #expect(units(position["realisedPnl"]?.string, scale: 10) == ledger.realised, "\(position)")
      #expect(units(position["fees"]?.string, scale: 18) == ledger.fees, "\(position)")
      try await compareExecutions(fills)
      try await comparePositions(position)
    }

    @Test func `POS-03 the portfolio is the sum of its positions at one moment`() async throws {
      let portfolio = try await mesh.get("/v1/portfolio")

      #expect(portfolio.status == 200, "\(portfolio)")
      let positions = portfolio["positions"]?.array?.map { $0 } ?? []
      func sum(_ member: String) -> Int128 {
        positions.reduce(0) { $0 + (units($1[member]?.string ?? "0", scale: 18) ?? 0) }
      }
      for member in ["realisedPnl", "unrealisedPnl", "fees"] {
        #expect(units(portfolio.text(member), scale: 18) == sum(member), "\(member): \(portfolio)")
      }
      #expect(
        units(portfolio.text("netPnl"), scale: 18)
          == sum("realisedPnl") + sum("unrealisedPnl") - sum("fees"), "\(portfolio)")
      for position in positions where position["markPrice"] != nil {
        let worth =
          (units(position["quantity"]?.string, scale: 8) ?? 0)
          * (units(position["markPrice"]?.string, scale: 4) ?? 0)
        let cost = units(position["cost"]?.string, scale: 12) ?? 0
        #expect(
          units(position["unrealisedPnl"]?.string ?? "0", scale: 12) == worth - cost, "\(position)")
      }
    }

    /// The position once it has counted every fill.
    private func settled(_ fills: Int) async throws -> JSONValue {
      let found = try await soon { () -> JSONValue? in
        let answer = try await mesh.get("/v1/positions?symbol=ETHUSDT")
        let position = answer["positions"]?[0]
        return position?["fills"]?.string == "\(fills)" ? position : nil
      }
      return try #require(found, "the position does not show \(fills) fills")
    }

    private func compareExecutions(_ fills: [JSONValue]) async throws {
      let query = """
        SELECT execution_id, order_id, side, price, quantity, fee, fee_asset FROM oms.executions
        WHERE symbol = 'ETHUSDT' ORDER BY sequence DESC
        """
      let found = try await soon { () -> [[String]]? in
        let rows = try await mesh.psql(query)
        return rows.count == fills.count ? rows : nil
      }
      let rows = try #require(found, "psql does not show \(fills.count) executions")
      for (row, fill) in zip(rows, fills) {
        #expect(row[0] == fill["executionId"]?.string && row[1] == fill["orderId"]?.string)
        #expect(row[2] == fill["side"]?.string)
        for (column, member) in zip(3..., ["price", "quantity", "fee"]) {
          #expect(units(row[column], scale: 18) == units(fill[member]?.string, scale: 18), "\(row)")
        }
        #expect(row[6] == fill["feeAsset"]?.string)
      }
    }

    private func comparePositions(_ position: JSONValue) async throws {
      let members = ["quantity", "cost", "realisedPnl", "fees", "boughtQuantity", "soldQuantity"]
      let wanted = members.map { units(position[$0]?.string, scale: 18) }
      let query = """
        SELECT quantity, cost, realised_pnl, fees, bought_quantity, sold_quantity
        FROM portfolio.positions WHERE symbol = 'ETHUSDT'
        """
      let isEqual = try await eventually {
        try await mesh.psql(query).first?.map { units($0, scale: 18) } == wanted
      }
      let rows = try await mesh.psql(query)
      #expect(isEqual, "\(position) is \(rows) in psql")
    }
  }
}

/// Average cost by hand, in raw units: quantities of 10^-8, prices of 10^-2, money of 10^-10. A fee in
/// the base asset leaves the position as if sold at the fill's price.
struct HandLedger {
  var net: Int128 = 0
  var cost: Int128 = 0
  var realised: Int128 = 0
  /// Of 10^-18, as fees have digits of their own.
  var fees: Int128 = 0

  mutating func apply(_ fill: JSONValue) throws {
    guard let price = units(fill["price"]?.string, scale: 2),
      let quantity = units(fill["quantity"]?.string, scale: 8)
    else { throw Failure("a fill without price or quantity: \(fill)") }
    trade(fill["side"]?.string == "BUY" ? quantity : -quantity, at: price)
    if fill["feeAsset"]?.string == "USDT" {
      fees += units(fill["fee"]?.string, scale: 18) ?? 0
    } else {
      let fee = units(fill["fee"]?.string, scale: 8) ?? 0
      trade(-fee, at: price)
      fees += fee * price * 100_000_000
    }
  }

  private mutating func trade(_ signed: Int128, at price: Int128) {
    if net == 0 || (net > 0) == (signed > 0) {
      cost += signed * price
    } else {
      let closed = min(abs(signed), abs(net))
      let part = abs(cost) * closed / abs(net)
      let share = cost < 0 ? -part : part
      realised += (net > 0 ? closed : -closed) * price - share
      cost -= share
      let opened = abs(signed) - closed
      cost += (signed > 0 ? opened : -opened) * price
    }
    net += signed
  }
}
