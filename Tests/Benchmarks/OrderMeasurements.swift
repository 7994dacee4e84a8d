import Glibc
import JSON

/// Orders through a whole mesh, seen from other sides than their answers.
enum OrderMeasurements {
  /// `order.post.wire`: one order after another, from its POST until the first byte of it reaches the
  /// venue's socket, by a relay between the market-connector and the venue.
  static func wire() throws -> [Figures] {
    let relay = try VenueRelay(toPort: MeshUnderTest.port(of: "venue-sim"))
    try relay.start()
    let (mesh, client) = try mesh(
      "wire", ["market-connector.binance_rest_url=https://127.0.0.1:\(relay.port)"])
    let times = try withExtendedLifetime(mesh) { try timesToWire(client, relay) }
    guard times.count > 200 else { throw Broken("\(times.count) orders were seen at the venue") }
    return [Figures("order.post.wire", samples: times)]
  }

  private static func timesToWire(_ client: OrderClient, _ relay: VenueRelay) throws -> [Double] {
    _ = try client.alone(orders: 50, pause: 5_000)
    var times: [Double] = []
    for _ in 0..<300 {
      relay.clear()
      let began = monotonicNanoseconds()
      _ = try client.alone(orders: 1, pause: 15_000)
      // What came before it was no order: a clock, a question.
      if let first = relay.firstAt, first > began { times.append(Double(first - began)) }
    }
    return times
  }

  /// `order.cancel-all`: 10,000 orders that rest at the venue, from the one request that cancels them until
  /// its answer, and until none is open. The median is per order.
  static func cancelAll() throws -> [Figures] {
    let orders = 10_000
    let (mesh, client) = try mesh("cancel-all", [], timeInForce: "GTC")
    try client.load(connections: 20, orders: orders)
    let token = try mesh.token(user: "trader")
    while try open(mesh, token) < orders { try pause(.milliseconds(100)) }
    let began = monotonicNanoseconds()
    _ = try mesh.post("/v1/orders:cancelAll", "{}", token: token)
    let answered = Double(monotonicNanoseconds() - began)
    while try open(mesh, token) > 0 { try pause(.milliseconds(20)) }
    let gone = Double(monotonicNanoseconds() - began)
    var figures = Figures("order.cancel-all")
    figures.p50 = gone / Double(orders)
    figures.operationsPerSecond = Double(orders) * 1e9 / gone
    figures.more = [("answered_ms", answered / 1e6), ("gone_ms", gone / 1e6)]
    return [figures]
  }

  private static func open(_ mesh: MeshUnderTest, _ token: String) throws -> Int {
    Int(
      try mesh.metrics(port: MeshUnderTest.plainPort(of: "execution-router"))
        .value("execution_router_orders_open"))
  }

  /// `order.life`: processor time and allocations of each process for an order's whole life, at a steady
  /// load of 10 connections, less what the process takes without orders in as long a time. Allocations are
  /// the calls of malloc that the kernel counts.
  static func life() throws -> [Figures] {
    let (mesh, client) = try mesh("life", [])
    let counts = try AllocationProbe()
    _ = try client.load(connections: 10, seconds: 3)
    try pause(.seconds(1))
    let processes = try mesh.processes()
    let rest = try counts.of(processes, seconds: 4) { try pause(.seconds(3)) }
    let restTime = try mesh.processorSeconds()
    let sent = client.sent
    let busy = try counts.of(processes, seconds: 4) {
      _ = try client.load(connections: 10, seconds: 3)
    }
    let busyTime = try mesh.processorSeconds()
    let orders = Double(client.sent - sent)
    var figures = Figures("order.life")
    figures.more = [("orders", orders)]
    for (name, _) in processes.sorted(by: { $0.key < $1.key }) {
      let plain = name.replacing("-", with: "_")
      let allocations = (busy[name] ?? 0) - (rest[name] ?? 0)
      let time = (busyTime[name] ?? 0) - (restTime[name] ?? 0)
      guard allocations / orders >= 1 else { continue }
      figures.more.append(("\(plain)_allocations", allocations / orders))
      figures.more.append(("\(plain)_cpu_us", time * 1e6 / orders))
    }
    return [figures]
  }

  // MARK: The mesh

  private static func mesh(
    _ name: String, _ settings: [String], timeInForce: String = "IOC"
  ) throws -> (MeshUnderTest, OrderClient) {
    let mesh = try MeshUnderTest(
      name, OrdersThroughGateway.roomy + settings.flatMap { ["--set", $0] })
    let token = try mesh.token(user: "trader")
    try pause(.seconds(2))
    let price = try OrdersThroughGateway.price(mesh, token)
    return (
      mesh,
      OrderClient(
        port: mesh.gatewayPort, token: token, price: price, timeInForce: timeInForce, run: name)
    )
  }
}

/// Counts calls of malloc in other processes, by a probe of the kernel's; it takes a microsecond a call, so
/// that times beside it are too long.
final class AllocationProbe {
  private static let event = "probe_libc:malloc"

  init() throws {
    let libraries = ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6"]
    guard let library = libraries.first(where: { access($0, R_OK) == 0 }) else {
      throw Skipped(reason: "no libc.so.6 where it is looked for")
    }
    do {
      _ = try Child.output(
        of: ["perf", "probe", "-q", "-f", "-x", library, "malloc"], silent: true)
    } catch {
      throw Skipped(reason: "perf cannot count the calls of malloc here (linux-perf, and root)")
    }
  }

  deinit {
    do {
      _ = try Child.output(of: ["perf", "probe", "-q", "-d", "probe_libc:*"], silent: true)
    } catch {
      note("  the probe of malloc is left behind: \(error)")
    }
  }

  /// Calls of each process within `seconds`, while `body` runs.
  func of(
    _ processes: [String: pid_t], seconds: Int, _ body: () throws -> Void
  ) throws -> [String: Double] {
    let counters = try processes.map { name, pid in
      (
        name,
        try Child(
          [
            "perf", "stat", "-x", ",", "--log-fd", "1", "-e", Self.event, "-p", String(pid), "--",
            "sleep", String(seconds),
          ], core: nil, silent: true)
      )
    }
    try pause(.milliseconds(500))
    try body()
    var counts: [String: Double] = [:]
    for (name, counter) in counters {
      let text = counter.readToEnd()
      counter.wait()
      counts[name] = text.split(separator: "\n")
        .first { $0.contains(Self.event) }
        .flatMap { Double($0.prefix { $0 != "," }) }
    }
    return counts
  }
}
