import Glibc
import JSON

/// Orders by REST through a whole mesh as `up` starts it: HTTP/1.1 with kept connections, as curl and
/// every HTTP library speak it. The limits of the gate and of the simulated venue are raised out of the
/// way. Each order is a limit off the market that ends at once (IOC), so that no position grows.
///
/// `order.post.idle`: one connection, one order after another with a pause, until its answer; beside it
/// from the order's acceptance until the venue's word on it was on the disk, by the events' own times.
/// `order.post.10`, `order.post.50`: as many connections, each with one order at a time; the CPU time of
/// every process of the mesh, per order. With `later` the same once so many orders are history.
enum OrdersThroughGateway {
  static let raised = [
    "risk-manager.orders_per_second=1000000", "risk-manager.orders_per_minute=1000000",
    "market-connector.order_rate_max=1000000", "market-connector.request_weight_max=10000000",
    "market-connector.venues=binance", "risk-manager.max_long=1000000",
  ]
  /// Of `up`: the simulated venue's limits too.
  static let roomy = ["--limit-factor", "10000"] + raised.flatMap { ["--set", $0] }
  private static let idleOrders = 300
  private static let seconds = 10
  /// What is history when the last figure is taken.
  private static let history = 50_000

  static func run() throws -> [Figures] {
    let mesh = try MeshUnderTest("orders", roomy)
    let token = try mesh.token(user: "trader")
    try pause(.seconds(2))
    let client = OrderClient(
      port: mesh.gatewayPort, token: token, price: try price(mesh, token))
    var found = [try idle(client, mesh, token)]
    for connections in [10, 50] {
      found.append(try loaded(client, mesh, connections, "order.post.\(connections)"))
    }
    while client.sent < history { _ = try client.load(connections: 50, seconds: 5) }
    found.append(try loaded(client, mesh, 50, "order.post.50.later"))
    return found
  }

  /// Of an order to buy that rests.
  static func price(_ mesh: MeshUnderTest, _ token: String) throws -> String {
    let book = try mesh.get("/v1/books/BTCUSDT?depth=1", token: token)
    guard let mid = try JSONDocument(parsing: Array(book.utf8)).root["mid"]?.string,
      let whole = Int64(mid.prefix { $0 != "." })
    else { throw Broken("the book has no mid: \(book)") }
    return "\(whole * 97 / 100).00"
  }

  private static func idle(
    _ client: OrderClient, _ mesh: MeshUnderTest, _ token: String
  ) throws -> Figures {
    _ = try client.alone(orders: 50, pause: 5_000)
    let (times, answers) = try client.alone(orders: idleOrders, pause: 5_000)
    var figures = Figures("order.post.idle", samples: times)
    var untilVenue: [Double] = []
    try pause(.seconds(1))
    for answer in answers.suffix(100) {
      guard let id = try JSONDocument(parsing: answer).root["orderId"]?.string else { continue }
      let text = try mesh.get("/v1/orders/\(id)/events", token: token)
      let events = try JSONDocument(parsing: Array(text.utf8)).root["events"]?.array
      let times = (events?.map { $0["time"]?.string.flatMap(seconds) ?? 0 } ?? [])
      if times.count > 1 { untilVenue.append((times[1] - times[0]) * 1e9) }
    }
    guard !untilVenue.isEmpty else { throw Broken("no order has a second event") }
    let sorted = untilVenue.sorted()
    figures.more = [
      ("venue_answered_p50_ns", sorted.quantile(0.5)),
      ("venue_answered_p99_ns", sorted.quantile(0.99)),
    ]
    return figures
  }

  /// Of an RFC 3339 time in UTC: its seconds of the hour are enough for a difference.
  private static func seconds(_ text: String) -> Double? {
    guard let clock = text.split(separator: "T").last?.dropLast() else { return nil }
    let parts = clock.split(separator: ":").compactMap { Double($0) }
    return parts.count == 3 ? parts[0] * 3_600 + parts[1] * 60 + parts[2] : nil
  }

  private static func loaded(
    _ client: OrderClient, _ mesh: MeshUnderTest, _ connections: Int, _ name: String
  ) throws -> Figures {
    _ = try client.load(connections: connections, seconds: 2)
    let history = client.sent
    let before = try mesh.processorSeconds()
    let times = try client.load(connections: connections, seconds: seconds)
    let after = try mesh.processorSeconds()
    var figures = Figures(name, samples: times)
    figures.operationsPerSecond = Double(times.count) / Double(seconds)
    figures.more = [("orders_before", Double(history))]
    for (process, spent) in after.sorted(by: { $0.key < $1.key }) {
      let used = spent - (before[process] ?? 0)
      let plain = process.replacing("-", with: "_")
      figures.more.append(("\(plain)_cpu_us", used * 1e6 / Double(times.count)))
    }
    return figures
  }
}
