import Foundation
import JSON
import Testing

extension Journeys.`One mesh` {
  /// An order's whole life.
  @Suite(.serialized) struct `An order` {
    var mesh: Mesh { .current }

    @Test func `OB-01 the book moves and its best prices do not cross`() async throws {
      let first = try await mesh.get("/v1/books/BTCUSDT?depth=5&venue=binance")
      #expect(first.status == 200, "\(first)")
      #expect(first["bids"]?.array?.count == 5 && first["asks"]?.array?.count == 5, "\(first)")
      let bids = first["bids"]?.array?.compactMap { units($0["price"]?.string, scale: 8) } ?? []
      let asks = first["asks"]?.array?.compactMap { units($0["price"]?.string, scale: 8) } ?? []
      #expect(
        bids == bids.sorted(by: >) && asks == asks.sorted() && bids.first ?? 0 < asks.first ?? 0,
        "\(first)")

      let moved = try await eventually {
        let book = try await mesh.get("/v1/books/BTCUSDT?depth=5&venue=binance")
        return book.text("updateId") != first.text("updateId") && book.text != first.text
      }
      #expect(moved)
    }

    @Test func `MD-08 the book of three exchanges says whose each level is`() async throws {
      let all = try await eventually {
        try await mesh.get("/v1/books/BTCUSDT?depth=1000")["venues"]?.array?.count == 3
      }
      #expect(all)
      let book = try await mesh.get("/v1/books/BTCUSDT?depth=1000")
      let levels = book["bids"]?.array?.map { $0 } ?? []
      #expect(levels.count > 50, "\(book)")
      for level in levels {
        let parts = level["byVenue"]?.array?.map { units($0["quantity"]?.string, scale: 8) ?? 0 }
        #expect(parts?.reduce(0, +) == units(level["quantity"]?.string, scale: 8), "\(book)")
      }
      let venues = Set(levels.flatMap { $0["byVenue"]?.array?.map { $0["venue"]?.string } ?? [] })
      #expect(venues == ["binance", "kraken", "okx"], "\(book)")
    }

    @Test(arguments: ["kraken", "okx"])
    func `MD-07 an order names its exchange and fills there`(_ venue: String) async throws {
      let id = Mesh.newID()
      let made = try await mesh.submit(
        "BUY", "BTCUSDT", "0.001", id: id, venue: venue)
      #expect(made.status == 201 && made.text("venue") == venue, "\(made)")
      let order = try #require(made.text("orderId"))
      let filled = try await mesh.order(order, becomes: "FILLED")
      #expect(filled.text("venue") == venue, "\(filled)")
    }

    @Test func `OMS-01 GWY-03 an order is made, read, changed and cancelled`() async throws {
      let price = try await mesh.farBelow("BTCUSDT")
      let id = Mesh.newID()
      let made = try await mesh.submit("BUY", "BTCUSDT", "0.002", at: price, id: id)
      #expect(made.status == 201, "\(made)")
      let order = try #require(made.text("orderId"))
      #expect(made.headers["location"] == "/v1/orders/\(order)")
      #expect(made.text("clientOrderId") == id)

      let read = try await mesh.order(order, becomes: "NEW")
      #expect(read.text("clientOrderId") == id && read.text("createdBy") == "trader", "\(read)")

      let lower = price.replacingOccurrences(of: ".00", with: ".25")
      let path = "/v1/orders/\(order)"
      let changed = try await mesh.send("PATCH", path, Mesh.object(["price": lower]))
      #expect(changed.status == 200, "\(changed)")
      let isReplaced = try await eventually {
        let now = try await mesh.order(order)
        return now.text("status") == "NEW"
          && units(now.text("price"), scale: 8) == units(lower, scale: 8)
      }
      let now = try await mesh.order(order)
      #expect(isReplaced, "\(now)")
      let atVenue = try await mesh.openAtVenue().filter { $0.hasPrefix(order) }
      #expect(atVenue.count == 1, "\(atVenue)")

      let gone = try await mesh.send("DELETE", path)
      #expect(gone.status == 200, "\(gone)")
      try await mesh.order(order, becomes: "CANCELLED")
      #expect(try await !mesh.openAtVenue().contains { $0.hasPrefix(order) })

      let isRecorded = try await eventually {
        let row = try await mesh.psql(
          "SELECT status, price FROM oms.orders WHERE order_id = '\(order)'"
        ).first
        return row?[0] == "CANCELLED" && units(row?[1], scale: 8) == units(lower, scale: 8)
      }
      #expect(isRecorded)
      let again = try await mesh.send("DELETE", path)
      #expect(again.status == 400, "\(again)")
    }

    @Test func `GWY-03 OMS-05 a smaller quantity is changed in place, a larger one is placed anew`()
      async throws
    {
      let price = try await mesh.farBelow("BTCUSDT")
      let order = try await mesh.place("BUY", "BTCUSDT", "0.003", at: price)
      try await mesh.order(order, becomes: "NEW")
      let before = try await mesh.atVenue(order)

      try await mesh.change(order, quantity: "0.002")
      #expect(try await mesh.atVenue(order) == before, "the order has other ids")
      try await mesh.change(order, quantity: "0.004")
      let anew = try await mesh.atVenue(order)
      #expect(anew.count == 1 && anew != before, "\(anew)")

      let events = try await mesh.get("/v1/orders/\(order)/events")
      let kinds = events["events"]?.array?.compactMap { $0["kind"]?.string } ?? []
      #expect(kinds.filter { $0 == "REPLACED" }.count == 2, "\(events)")
      try await mesh.cancelAll()
    }

    @Test func `EX-10 an operator clears a venue, and the orders end`() async throws {
      let price = try await mesh.farBelow("BTCUSDT")
      var orders: [String] = []
      for _ in 0..<3 {
        let order = try await mesh.place("BUY", "BTCUSDT", "0.003", at: price)
        try await mesh.order(order, becomes: "NEW")
        orders.append(order)
      }
      let cleared = try await mesh.call(
        "market-connector/CancelAllOrders", #"{"venue": "binance", "symbol": "BTCUSDT"}"#)

      let cancelled = cleared["cancelled"]?.array?.compactMap { $0["clientOrderId"]?.string } ?? []
      for order in orders {
        #expect(cancelled.contains { $0.hasPrefix(order) }, "\(cleared)")
        try await mesh.order(order, becomes: "CANCELLED")
      }
    }

    @Test func `OMS-04 a marketable order fills, and its fills add up exactly`() async throws {
      let order = try await mesh.place("BUY", "BTCUSDT", "0.5")

      let filled = try await mesh.order(order, becomes: "FILLED")
      let fills = try await mesh.pages("/v1/executions?orderId=\(order)", "executions")
      #expect(!fills.isEmpty)
      let total = fills.reduce(into: (quantity: Int128(0), notional: Int128(0))) { sum, fill in
        let quantity = units(fill["quantity"]?.string, scale: 8) ?? 0
        sum.quantity += quantity
        sum.notional += quantity * (units(fill["price"]?.string, scale: 2) ?? 0)
      }
      #expect(total.quantity == units("0.5", scale: 8))
      #expect(units(filled.text("filledQuantity"), scale: 8) == total.quantity)
      #expect(units(filled.text("filledNotional"), scale: 10) == total.notional)
    }

    @Test func `OMS-02 every event of an order is told in order`() async throws {
      let order = try await mesh.place("BUY", "SOLUSDT", "0.5", at: mesh.farBelow("SOLUSDT"))
      try await mesh.order(order, becomes: "NEW")
      _ = try await mesh.send("DELETE", "/v1/orders/\(order)")
      try await mesh.order(order, becomes: "CANCELLED")

      let events = try await mesh.get("/v1/orders/\(order)/events")
      let kinds = events["events"]?.array?.compactMap { $0["kind"]?.string }
      #expect(kinds == ["ACCEPTED", "ACKNOWLEDGED", "CANCEL_REQUESTED", "CANCELLED"], "\(events)")
    }

    @Test func `IDM-01 GWY-13 one client order id is one order, however often it is sent`()
      async throws
    {
      let price = try await mesh.farBelow("BTCUSDT")
      let id = Mesh.newID("idem")
      let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
        for _ in 0..<5 {
          group.addTask { try await mesh.submit("BUY", "BTCUSDT", "0.001", at: price, id: id) }
        }
        return try await group.reduce(into: [Answer]()) { $0.append($1) }
      }
      for answer in answers { #expect(answer.status == 201, "\(answer)") }
      let orders = Set(answers.compactMap { $0.text("orderId") })
      #expect(orders.count == 1)
      let order = try #require(orders.first)
      try await mesh.order(order, becomes: "NEW")

      let isRecorded = try await eventually {
        try await mesh.psql("SELECT order_id FROM oms.orders WHERE client_order_id = '\(id)'")
          == [[order]]
      }
      #expect(isRecorded)
      #expect(try await mesh.openAtVenue().filter { $0.hasPrefix(order) }.count == 1)

      let other = try await mesh.submit("BUY", "BTCUSDT", "0.002", at: price, id: id)
      #expect(other.status == 409 && other.reason == "DUPLICATE_ORDER", "\(other)")
      _ = try await mesh.send("DELETE", "/v1/orders/\(order)")
      try await mesh.order(order, becomes: "CANCELLED")
      let late = try await mesh.submit("BUY", "BTCUSDT", "0.001", at: price, id: id)
      #expect(late.status == 201 && late.text("orderId") == order, "\(late)")
      #expect(late.text("status") == "CANCELLED", "\(late)")
    }
  }
}
