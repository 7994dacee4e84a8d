import Calls
import Chrono
import Contracts
import DiscoveryService
import Loop
import Seeds
import ServiceKit
import TestKit
import Testing
import Wire

/// Leases in a list, looked through from end to end.
private struct NaiveLeases {
  typealias Row = (key: LeaseTable.Key, entry: LeaseTable.Entry)
  var rows: [Row] = []
  var index: UInt64 = 0

  mutating func put(_ key: LeaseTable.Key, _ entry: LeaseTable.Entry) {
    if let place = rows.firstIndex(where: { $0.key == key }) {
      let old = rows[place].entry
      rows[place].entry = entry
      rows[place].entry.registered = old.registered
      let looksTheSame =
        old.host == entry.host && old.port == entry.port && old.version == entry.version
        && old.processID == entry.processID && old.isServing == entry.isServing
      if !looksTheSame { index += 1 }
    } else {
      rows.append((key, entry))
      index += 1
    }
  }

  mutating func renew(_ key: LeaseTable.Key, isServing: Bool, now: Instant) -> Bool {
    guard let place = rows.firstIndex(where: { $0.key == key }) else { return false }
    rows[place].entry.expires = now + rows[place].entry.lease
    if rows[place].entry.isServing != isServing { index += 1 }
    rows[place].entry.isServing = isServing
    return true
  }

  mutating func removeAll(where condition: (Row) -> Bool) {
    index += UInt64(rows.count(where: condition))
    rows.removeAll(where: condition)
  }
}

@Suite struct `Leases` {
  @Test(arguments: 0..<50 as Range<UInt64>)
  func `the table does what a list that is searched does`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var table = LeaseTable()
    var naive = NaiveLeases()
    var mirror: [LeaseTable.Key: LeaseTable.Entry] = [:]
    var now = Instant(nanoseconds: 1_700_000_000_000_000_000)
    var lastIndex: UInt64 = 0
    for _ in 0..<400 {
      now = now + .milliseconds(Int.random(in: 0...700, using: &random))
      let key = LeaseTable.Key(
        service: ["oms", "auth", "gateway"].randomElement(using: &random)!,
        instance: "i\(Int.random(in: 0..<4, using: &random))")
      var changes: [LeaseTable.Change] = []
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let lease = Duration.milliseconds(Int.random(in: 100...5000, using: &random))
        let entry = LeaseTable.Entry(
          host: "h", port: UInt32.random(in: 1...2, using: &random), version: "1", processID: 1,
          isServing: .random(using: &random), registered: now, expires: now + lease, lease: lease)
        if let change = table.put(key, entry) { changes = [change] }
        naive.put(key, entry)
      case 1:
        let isServing = Bool.random(using: &random)
        let (found, change) = table.renew(key, isServing: isServing, now: now)
        if let change { changes = [change] }
        #expect(found == naive.renew(key, isServing: isServing, now: now))
      case 2:
        if let change = table.remove(key) { changes = [change] }
        naive.removeAll { $0.key == key }
      default:
        changes = table.expire(now: now)
        naive.removeAll { $0.entry.expires <= now }
      }
      for change in changes {
        #expect(change.index == lastIndex + 1)
        lastIndex = change.index
        mirror[change.key] = change.kind == .removed ? nil : change.entry
      }
      expectSame(table, naive, mirror)
    }
  }

  private func expectSame(
    _ table: LeaseTable, _ naive: NaiveLeases, _ mirror: [LeaseTable.Key: LeaseTable.Entry]
  ) {
    #expect(table.index == naive.index)
    #expect(
      Dictionary(uniqueKeysWithValues: naive.rows.map { ($0.key, $0.entry) }) == table.entries)
    // A watcher who was told every change knows all that can be seen.
    #expect(mirror.mapValues(\.isServing) == table.entries.mapValues(\.isServing))
    #expect(mirror.mapValues(\.port) == table.entries.mapValues(\.port))
    let served = table.instances(of: "oms", includingUnhealthy: false)
    #expect(
      Set(served.map(\.key))
        == Set(naive.rows.filter { $0.key.service == "oms" && $0.entry.isServing }.map(\.key)))
  }
}

@Suite struct `The discovery service` {
  typealias Client = DiscoveryV1.DiscoveryServiceClient

  private func with(
    _ body: @escaping @Sendable (ServiceWorld, Client) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let running = try await world.start(Discovery.self)
      do { try await body(world, Client(channel: running.channel)) } catch {
        await running.end()
        throw error
      }
      await running.end()
    }
  }

  private func register(
    _ client: Client, _ service: String, _ instance: String, lease: Duration = .seconds(2),
    health: DiscoveryV1.InstanceHealth = .serving
  ) async throws {
    var request = DiscoveryV1.RegisterRequest()
    var described = DiscoveryV1.Instance()
    described.service = service
    described.instanceId = instance
    described.host = "127.0.0.1"
    described.port = 7001
    described.health = health
    request.instance = described
    request.lease = GoogleProtobuf.Duration(lease)
    _ = try await client.registerInstance(request)
  }

  private func renew(
    _ client: Client, _ service: String, _ instance: String,
    health: DiscoveryV1.InstanceHealth = .serving
  ) async throws {
    var request = DiscoveryV1.RenewRequest()
    request.service = service
    request.instanceId = instance
    request.health = health
    _ = try await client.renew(request)
  }

  private func lookup(
    _ client: Client, _ service: String, all: Bool = false
  ) async throws -> [String] {
    var request = DiscoveryV1.LookupRequest()
    request.service = service
    request.includeUnhealthy = all
    return try await client.lookup(request).instances.map(\.instanceId)
  }

  @Test func `DISC-01 an instance is found until its lease has run out`() async throws {
    try await with { world, client in
      try await register(client, "oms", "a")
      try await register(client, "oms", "b")
      world.time.advance(by: .milliseconds(1900))
      try await renew(client, "oms", "b")
      #expect(try await lookup(client, "oms") == ["a", "b"])

      world.time.advance(by: .milliseconds(200))

      #expect(await eventually { (try? await lookup(client, "oms")) == ["b"] })
      #expect(await refusal { try await renew(client, "oms", "a") }.code == .notFound)
    }
  }

  @Test func `DISC-02 who is not serving is not returned, unless asked for`() async throws {
    try await with { _, client in
      try await register(client, "oms", "a", health: .notServing)
      try await register(client, "oms", "b")

      #expect(try await lookup(client, "oms") == ["b"])
      #expect(Set(try await lookup(client, "oms", all: true)) == ["a", "b"])
      try await renew(client, "oms", "a")
      try await renew(client, "oms", "b", health: .notServing)
      #expect(try await lookup(client, "oms") == ["a"])
    }
  }

  @Test func `DISC-03 a watch tells what is there, then every change with the next index`()
    async throws
  {
    try await with { world, client in
      try await register(client, "oms", "a")
      let watch = try await client.watch(
        .init(), CallOptions(deadline: world.loop.uptime + .seconds(5)))
      defer { watch.cancel() }
      var told: [String] = []
      var indices: [UInt64] = []
      func next() async throws {
        let event = try #require(try await watch.next())
        told.append("\(event.kind) \(event.instance?.instanceId ?? "")")
        indices.append(event.index)
      }
      try await next()
      try await next()

      try await register(client, "auth", "b", lease: .seconds(60))
      try await renew(client, "oms", "a", health: .notServing)
      try await renew(client, "oms", "a", health: .notServing)
      for _ in 0..<2 { try await next() }
      world.time.advance(by: .seconds(3))
      try await next()
      var goodbye = DiscoveryV1.DeregisterRequest()
      goodbye.service = "auth"
      goodbye.instanceId = "b"
      _ = try await client.deregister(goodbye)
      try await next()

      #expect(
        told == ["added a", "synced ", "added b", "changed a", "removed a", "removed b"])
      #expect(indices == [1, 1, 2, 3, 4, 5])
    }
  }

  @Test func `a lease without a name, a place or a length is refused, naming the field`()
    async throws
  {
    try await with { _, client in
      #expect(await refusal { try await client.registerInstance(.init()) }.fields == ["instance"])
      #expect(
        await refusal { try await register(client, "", "a") }.fields == ["instance.service"])
      #expect(
        await refusal { try await register(client, "oms", "") }.fields == ["instance.instanceId"])
      #expect(
        await refusal { try await register(client, "oms", "a", lease: .zero) }.fields == ["lease"])
    }
  }
}
