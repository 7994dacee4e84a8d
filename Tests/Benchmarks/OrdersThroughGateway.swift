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
  private static let raised = [
    "risk-manager.orders_per_second=1000000", "risk-manager.orders_per_minute=1000000",
    "market-connector.order_rate_max=1000000", "market-connector.request_weight_max=10000000",
    "market-connector.venues=binance", "risk-manager.max_long=1000000",
  ]
  private static let idleOrders = 300
  private static let seconds = 10
  /// What is history when the last figure is taken.
  private static let history = 50_000

  static func run() throws -> [Figures] {
    let mesh = try MeshUnderTest("orders", raised.flatMap { ["--set", $0] })
    let token = try mesh.token(user: "trader")
    try pause(.seconds(2))
    let book = try mesh.get("/v1/books/BTCUSDT?depth=1", token: token)
    guard let mid = try JSONDocument(parsing: Array(book.utf8)).root["mid"]?.string,
      let whole = Int64(mid.prefix { $0 != "." })
    else { throw Broken("the book has no mid: \(book)") }
    let client = OrderClient(
      port: mesh.gatewayPort, token: token, price: "\(whole * 97 / 100).00")
    var found = [try idle(client, mesh, token)]
    for connections in [10, 50] {
      found.append(try loaded(client, mesh, connections, "order.post.\(connections)"))
    }
    while client.sent < history { _ = try client.load(connections: 50, seconds: 5) }
    found.append(try loaded(client, mesh, 50, "order.post.50.later"))
    return found
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

/// Sends orders over kept connections and waits for each answer.
final class OrderClient {
  private let port: Int
  private let token: String
  private let price: String
  private(set) var sent = 0
  private let run = UInt32(truncatingIfNeeded: getpid())

  init(port: Int, token: String, price: String) {
    (self.port, self.token, self.price) = (port, token, price)
  }

  /// One after another; nanoseconds of each, and the answers.
  func alone(orders: Int, pause: UInt32) throws -> (times: [Double], answers: [[UInt8]]) {
    let line = try Line(port: port)
    var times: [Double] = []
    var answers: [[UInt8]] = []
    for _ in 0..<orders {
      let began = now()
      try line.send(request())
      answers.append(try line.answer(waiting: true)!)
      times.append(Double(now() - began))
      usleep(pause)
    }
    return (times, answers)
  }

  /// Every connection has one order under way; nanoseconds of each that was answered.
  func load(connections: Int, seconds: Int) throws -> [Double] {
    let lines = try (0..<connections).map { _ in try Line(port: port) }
    var began = [UInt64](repeating: 0, count: connections)
    var times: [Double] = []
    let end = now() + UInt64(seconds) * 1_000_000_000
    for (index, line) in lines.enumerated() {
      began[index] = now()
      try line.send(request())
    }
    var waiting = connections
    while waiting > 0 {
      var polls = lines.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      guard poll(&polls, nfds_t(polls.count), 10_000) > 0 else {
        throw Broken("\(waiting) orders are not answered after 10 s")
      }
      for (index, ready) in polls.enumerated() where ready.revents != 0 {
        guard try lines[index].answer(waiting: false) != nil else { continue }
        let time = now()
        times.append(Double(time - began[index]))
        if time >= end {
          waiting -= 1
        } else {
          began[index] = time
          try lines[index].send(request())
        }
      }
    }
    return times
  }

  private func request() -> [UInt8] {
    sent += 1
    let body =
      #"{"clientOrderId":"b\#(run)-\#(sent)","symbol":"BTCUSDT","venue":"binance","side":"BUY","#
      + #""type":"LIMIT","timeInForce":"IOC","price":"\#(price)","quantity":"0.001"}"#
    return Array(
      """
      POST /v1/orders HTTP/1.1\r
      Host: 127.0.0.1\r
      Authorization: Bearer \(token)\r
      Content-Type: application/json\r
      Content-Length: \(body.utf8.count)\r
      \r
      \(body)
      """.utf8)
  }

  private func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// One connection and the answer that is coming in on it.
private final class Line {
  let descriptor: Int32
  private var bytes: [UInt8] = []

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var one: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Broken("the gateway refuses: \(SystemCall.lastError)") }
  }

  deinit { close(descriptor) }

  func send(_ request: [UInt8]) throws {
    guard write(descriptor, request, request.count) == request.count else {
      throw Broken("an order could not be sent: \(SystemCall.lastError)")
    }
  }

  /// The body of an answer 201 once it is whole; nil before that unless it is waited for.
  func answer(waiting: Bool) throws -> [UInt8]? {
    repeat {
      var block = [UInt8](repeating: 0, count: 8_192)
      let count = read(descriptor, &block, block.count)
      guard count > 0 else { throw Broken("the gateway has hung up") }
      bytes += block[..<count]
      if let body = try whole() { return body }
    } while waiting
    return nil
  }

  private func whole() throws -> [UInt8]? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let head = text.firstRange(of: "\r\n\r\n") else { return nil }
    let lines = text[..<head.lowerBound].lowercased().split(separator: "\r\n")
    let length = lines.first { $0.hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
    let body = Array(text[head.upperBound...].utf8)
    guard let length, body.count >= length else { return nil }
    guard lines.first?.contains(" 201 ") == true || lines.first?.hasSuffix(" 201") == true else {
      throw Broken("an order was answered \(text.prefix(600))")
    }
    bytes = []
    return body
  }
}
