import Calls
import Chrono
import Contracts
import ExecutionRouterService
import Glibc
import Journal
import Loop
import OMSService
import Orders
import Postgres
import ServiceKit
import TestKit
import Testing
import Wire

/// A disk for the journal of a service, which is as full as a test wants.
private struct ServiceDisk {
  static let segmentBytes = 4 << 20

  let disk = SimulatedDisk(time: SystemTime())

  var settings: JournalSettings {
    var settings = JournalSettings()
    settings.segmentBytes = Self.segmentBytes
    settings.disk = disk
    settings.askAgainAfter = .milliseconds(1)
    return settings
  }

  /// One segment, and no space for another. `left` bytes of it are free; `record` gives the bytes of
  /// the records that take up the rest.
  func fill(_ folder: String, leaving left: Int, _ record: (Int) -> [UInt8]) async throws {
    disk.bytesMax = Self.segmentBytes
    let journal = try Journal.open(folder, settings)
    defer { journal.close() }
    var free = Self.segmentBytes - 64
    var number = 0
    while free > left + 100_000 {
      number += 1
      let bytes = record(number)
      _ = try await journal.append(bytes)
      free -= bytes.count + 20
    }
  }

  func free() { disk.bytesMax = .max }

  /// An instrument whose name takes up space.
  static func instrument(_ number: Int) -> MarketV1.Instrument {
    bitcoin(symbol: "\(number)" + String(repeating: "X", count: 45_000))
  }
}

@Suite struct `Services whose journal is full` {
  private func withFullOMS(
    leaving left: Int, _ body: @escaping @Sendable (OMSDesk, SimulatedDisk) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let disk = ServiceDisk()
      try await disk.fill(world.state.journal(of: "oms"), leaving: left) { number in
        var record = OmsV1.JournalRecord()
        record.record = .instrument(ServiceDisk.instrument(number))
        return record.encoded()
      }
      let router = ScriptedRouter()
      world.serve("market-connector", ScriptedMarket().methods)
      world.serve("execution-router", router.methods)
      let running = try await world.start(OMSDesk.settings) { context, config in
        try OMS(context, config, NoStore(), disk.settings)
      }
      let desk = OMSDesk(world: world, router: router, running: running)
      do { try await body(desk, disk.disk) } catch {
        await running.drop()
        throw error
      }
      await running.drop()
    }
  }

  @Test func `OMS-12 a full journal refuses orders at once, says so, and heals without a restart`()
    async throws
  {
    // More than the reserve, so that some orders are taken, and then none.
    try await withFullOMS(leaving: (2 << 20) + 10_000) { desk, disk in
      #expect(await desk.running.ready())
      var ids: [String] = []
      var refused: RPCError?
      while refused == nil, ids.count < 2_000 {
        do { ids.append(try await desk.place("c-\(ids.count)")) } catch let error as RPCError {
          refused = error
        }
      }

      #expect(refused?.code == .resourceExhausted)
      #expect(refused?.message.contains("the disk is full") ?? false)
      #expect(desk.running.context.readiness.missing.map(\.name) == ["journal"])
      #expect(try await desk.all().count == min(100, ids.count))
      // What must be known has the reserve.
      let cancelled = try await desk.cancel(ids[0])
      #expect(cancelled.status == .pendingCancel)
      desk.router.report(.acknowledged, ids[1])
      desk.router.report(.fill, ids[1], fill: fill("E1", "1", at: "50000"))
      _ = try await desk.order(ids[1]) { $0.status == .filled }
      #expect(await refusal { try await desk.place("c-0-again") }.code == .resourceExhausted)

      disk.bytesMax = .max
      #expect(await desk.running.ready())
      _ = try await desk.place("c-after")
    }
  }

  @Test func `EX-16 an order whose answer cannot be journaled is placed once`() async throws {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let disk = ServiceDisk()
      let venue = ScriptedVenue()
      world.serve("market-connector", ScriptedMarket().methods + venue.methods)
      let running = try await world.start([
        "execution-router.journal_segment_bytes=4194304", "execution-router.query_interval=10ms",
        "execution-router.denial_after=50ms", "execution-router.place_timeout=2s",
      ]) { context, config in
        try ExecutionRouter(context, config, disk.settings)
      }
      try #require(await running.ready())
      let desk = RouterDesk(world: world, venue: venue, running: running)
      venue.beforePlacing { _ in
        // From here on nothing reaches the disk for a while.
        disk.disk.inject(.failedSync(code: EIO), times: 20_000)
      }

      _ = try await desk.route(OrderID(7))
      _ = await eventually { !venue.placed.isEmpty }
      #expect(await eventually { !running.context.readiness.isReady })
      let late = await refusal { try await desk.route(OrderID(8)) }
      #expect(late.code == .unavailable || late.code == .resourceExhausted)
      disk.disk.clearFaults()

      #expect(await running.ready())
      #expect(try await desk.reports(1).map(\.kind) == [.acknowledged])
      #expect(venue.placed.count == 1)
      await running.end()
    }
  }

  @Test func `EX-16 a router that cannot journal takes no order, and no order leaves`() async throws
  {
    try await withLoop { loop in
      let world = try ServiceWorld(loop)
      let disk = ServiceDisk()
      try await disk.fill(world.state.journal(of: "execution-router"), leaving: 1 << 20) { number in
        var record = ExecutionV1.JournalRecord()
        record.record = .instrument(ServiceDisk.instrument(number))
        return record.encoded()
      }
      let venue = ScriptedVenue()
      world.serve("market-connector", ScriptedMarket().methods + venue.methods)
      let running = try await world.start(
        ["execution-router.journal_segment_bytes=4194304"]
      ) { context, config in
        try ExecutionRouter(context, config, disk.settings)
      }
      let desk = RouterDesk(world: world, venue: venue, running: running)
      #expect(
        await eventually { running.context.readiness.missing.map(\.name) == ["journal"] })

      for _ in 0..<20 {
        #expect(await refusal { try await desk.route(OrderID(7)) }.code == .resourceExhausted)
      }
      #expect(venue.placed.isEmpty)
      disk.free()

      #expect(await running.ready())
      _ = try await desk.route(OrderID(7))
      _ = try await desk.route(OrderID(7))
      #expect(await eventually { venue.placed.count == 1 })
      await running.end()
    }
  }
}

/// A record that is away.
private struct NoStore: OrderStore {
  private var away: RPCError { RPCError(.unavailable, "there is no database") }

  func prepare() async throws { throw away }
  func progress() async throws -> RecordProgress { throw away }
  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    throw away
  }
  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] { throw away }
  func setAsideCount() async throws -> Int { throw away }
  func order(_ id: OrderID) async throws -> OmsV1.Order? { throw away }
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] { throw away }
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] { throw away }
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] { throw away }
}
