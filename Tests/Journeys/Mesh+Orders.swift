import Foundation
import JSON

/// Orders as a trader with curl sends and follows them.
extension Mesh {
  /// A client order id that nobody else uses.
  static func newID(_ prefix: String = "j") -> String {
    "\(prefix)-\(UUID().uuidString.filter { $0 != "-" }.prefix(20).lowercased())"
  }

  /// The best bid, or ask, of a book that is not stale.
  func touch(_ symbol: String, _ side: String) async throws -> String {
    let found = try await soon { () -> String? in
      let book = try await self.get("/v1/books/\(symbol)?depth=1")
      guard book.status == 200, book["stale"]?.bool != true else { return nil }
      return book[side]?[0]?["price"]?.string
    }
    guard let found else { throw Failure("the book of \(symbol) shows no \(side)") }
    return found
  }

  /// A price at which a buy rests: a tenth below the bid, in whole dollars.
  func farBelow(_ symbol: String) async throws -> String {
    let bid = try await touch(symbol, "bids")
    guard let whole = Int(bid.prefix { $0 != "." }) else { throw Failure("a bid of \(bid)") }
    return "\(whole * 9 / 10).00"
  }

  func submit(
    _ side: String, _ symbol: String, _ quantity: String, at price: String? = nil,
    id: String = newID(), _ timeInForce: String? = nil, venue: String? = nil
  ) async throws -> Answer {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("clientOrderId", id)
    writer.member("symbol", symbol)
    if let venue { writer.member("venue", venue) }
    writer.member("side", side)
    writer.member("type", price == nil ? "MARKET" : "LIMIT")
    if let price { writer.member("price", price) }
    if let timeInForce { writer.member("timeInForce", timeInForce) }
    writer.member("quantity", quantity)
    writer.endObject()
    return try await send("POST", "/v1/orders", writer.text)
  }

  /// Submits an order that must be taken; its id.
  func place(
    _ side: String, _ symbol: String, _ quantity: String, at price: String? = nil,
    id: String = newID()
  ) async throws -> String {
    let answer = try await submit(side, symbol, quantity, at: price, id: id)
    guard answer.status == 201, let order = answer.text("orderId") else {
      throw Failure("the order was not taken: \(answer)")
    }
    return order
  }

  func order(_ id: String) async throws -> Answer { try await get("/v1/orders/\(id)") }

  /// The order once it is in one of these states; throws with what it is when it does not get there.
  @discardableResult
  func order(_ id: String, becomes statuses: String...) async throws -> Answer {
    let found = try await soon { () -> Answer? in
      let answer = try await self.order(id)
      return answer.text("status").map(statuses.contains) == true ? answer : nil
    }
    if let found { return found }
    throw Failure("order \(id) did not become \(statuses): \(try await order(id))")
  }

  /// Everything in a list that comes in pages.
  func pages(_ path: String, _ member: String) async throws -> [JSONValue] {
    var found: [JSONValue] = []
    var token = ""
    repeat {
      let joint = path.contains("?") ? "&" : "?"
      let answer = try await get("\(path)\(joint)pageSize=1000&pageToken=\(token)")
      guard answer.status == 200 else { throw Failure("\(path): \(answer)") }
      found += answer[member]?.array?.map { $0 } ?? []
      token = answer.text("nextPageToken") ?? ""
    } while !token.isEmpty
    return found
  }

  /// The client order ids of open orders at the venue itself: each is an order's id and `-N`.
  func openAtVenue() async throws -> [String] {
    let answer = try await call("market-connector/ListOpenOrders", #"{"venue": "binance"}"#)
    return answer["orders"]?.array?.compactMap { $0["clientOrderId"]?.string } ?? []
  }

  /// The venue's ids of an order's children that are open there.
  func atVenue(_ order: String) async throws -> [String] {
    let answer = try await call("market-connector/ListOpenOrders", #"{"venue": "binance"}"#)
    return answer["orders"]?.array?
      .filter { $0["clientOrderId"]?.string?.hasPrefix(order) == true }
      .compactMap { $0["venueOrderId"]?.string } ?? []
  }

  /// Replaces the quantity of an order, and waits until it is in force.
  func change(_ id: String, quantity: String) async throws {
    let terms = Mesh.object(["quantity": quantity])
    let answer = try await send("PATCH", "/v1/orders/\(id)", terms)
    guard answer.status == 200 else { throw Failure("the change was not taken: \(answer)") }
    let isReplaced = try await eventually {
      let now = try await order(id)
      return now.text("status") == "NEW"
        && units(now.text("quantity"), scale: 8) == units(quantity, scale: 8)
    }
    guard isReplaced else { throw Failure("it was not changed: \(try await order(id))") }
  }

  /// Cancels everything and waits until nothing is open, here and at the venue.
  func cancelAll() async throws {
    let isClear = try await eventually(within: .seconds(30)) {
      let answer = try await post("/v1/orders:cancelAll")
      guard answer.status == 200 else { return false }
      let open = try await pages("/v1/orders?openOnly=true", "orders")
      if !open.isEmpty { return false }
      return try await openAtVenue().isEmpty
    }
    guard isClear else {
      let open = try await pages("/v1/orders?openOnly=true", "orders")
      throw Failure(
        "still open: \(open.map(\.description)), at the venue: \(try await openAtVenue())")
    }
  }

  /// Waits until the gate's own answer about an order is as wanted: a change of limits reaches it by a
  /// stream.
  func gate(
    says reason: String?, of side: String, _ symbol: String, _ quantity: String, at price: String
  ) async throws -> Bool {
    let order = Self.object([
      "clientOrderId": Self.newID("check"), "symbol": symbol, "side": side, "type": "LIMIT",
      "price": price, "quantity": quantity,
    ])
    return try await eventually {
      let answer = try await send("POST", "/v1/risk:check", order)
      guard answer.status == 200 else { return false }
      if let reason { return answer.text("reason") == reason }
      return answer["admitted"]?.bool == true
    }
  }
}
