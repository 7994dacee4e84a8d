internal import Calls
internal import Contracts
internal import Loop
internal import OMSService
internal import Orders
internal import PortfolioManagerService
internal import Postgres
internal import Risk
internal import RiskManagerService
internal import ServiceKit

/// PostgreSQL as the services know it: their tables in memory, transactions whole or not at all, and
/// away when the storm says so.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class SimulatedRecord: @unchecked Sendable {
  var isAway = false
  var latency = Duration.milliseconds(1)
  var orders: [String: OmsV1.Order] = [:]
  var executions: [ExecutionKey: OmsV1.Execution] = [:]
  var progress = RecordProgress(generation: 1, position: .start, againUntil: 0)
  /// The newest event of the oms that is here.
  var recorded: UInt64 { progress.position.sequence }
  var positions: [String: PortfolioV1.Position] = [:]
  fileprivate var events: [UInt64: OmsV1.OrderEvent] = [:]
  var register: RiskRegister?
  /// Told of each event of an order when it is first here.
  var heard: ((OmsV1.OrderEvent) -> Void)?

  struct ExecutionKey: Hashable {
    let venue: String
    let symbol: String
    let executionID: String
    let orderID: String
  }

  struct Copy {
    fileprivate let orders: [String: OmsV1.Order]
    fileprivate let executions: [ExecutionKey: OmsV1.Execution]
    fileprivate let progress: RecordProgress
    fileprivate let positions: [String: PortfolioV1.Position]
    fileprivate let events: [UInt64: OmsV1.OrderEvent]
    fileprivate let register: RiskRegister?
  }

  /// As a backup holds it.
  var copy: Copy {
    Copy(
      orders: orders, executions: executions, progress: progress, positions: positions,
      events: events, register: register)
  }

  /// Every connection is broken by it.
  func restore(_ copy: Copy) {
    server += 1
    (orders, executions, progress) = (copy.orders, copy.executions, copy.progress)
    (positions, events, register) = (copy.positions, copy.events, copy.register)
  }

  /// Which server it is: a connection to another one is broken when it is used.
  private var server = 0

  /// A process's connection, and whose it is.
  final class Connection: @unchecked Sendable {
    let record: SimulatedRecord
    let loop: EventLoop
    private var server: Int

    init(_ record: SimulatedRecord, _ loop: EventLoop) {
      self.record = record
      self.loop = loop
      server = record.server
    }

    /// A round trip; a server that is away is found out about after a while.
    func visit() async throws {
      await loop.sleep(for: record.isAway ? .milliseconds(50) : record.latency)
      guard !record.isAway else { throw RPCError(.unavailable, "PostgreSQL is away") }
      guard server == record.server else {
        server = record.server
        throw RPCError(.unavailable, "the connection to PostgreSQL is broken")
      }
    }
  }
}

struct SimulatedOrderStore: OrderStore {
  let connection: SimulatedRecord.Connection
  private var record: SimulatedRecord { connection.record }

  func prepare() async throws { try await connection.visit() }

  func progress() async throws -> RecordProgress {
    try await connection.visit()
    return record.progress
  }

  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress {
    try await connection.visit()
    record.progress = RecordProgress(
      generation: record.progress.generation + 1, position: .start, againUntil: sequence)
    record.orders.removeAll()
    record.events.removeAll()
    record.executions.removeAll()
    return record.progress
  }

  func setAsideCount() async throws -> Int {
    try await connection.visit()
    return 0
  }

  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>] {
    try await connection.visit()
    for event in events {
      guard let order = event.order else { continue }
      if record.events[event.sequence] == nil {
        record.events[event.sequence] = event
        record.heard?(event)
      }
      if (record.orders[order.orderId]?.version ?? 0) < order.version {
        record.orders[order.orderId] = order
      }
      guard let execution = event.execution else { continue }
      let key = SimulatedRecord.ExecutionKey(
        venue: execution.venue, symbol: execution.symbol, executionID: execution.executionId,
        orderID: execution.orderId)
      if record.executions[key] == nil { record.executions[key] = execution }
    }
    record.progress = progress
    if progress.endsAgain { record.progress.againUntil = 0 }
    return []
  }

  func order(_ id: OrderID) async throws -> OmsV1.Order? {
    try await connection.visit()
    return record.orders[id.description]
  }

  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] {
    try await connection.visit()
    let before = query.before?.description
    return Array(
      record.orders.values.filter { order in
        (query.symbol.isEmpty || order.symbol == query.symbol)
          && (query.clientOrderID.isEmpty || order.clientOrderId == query.clientOrderID)
          && (before.map { order.orderId < $0 } ?? true)
      }.sorted { $0.orderId > $1.orderId }.prefix(query.limit))
  }

  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] {
    try await connection.visit()
    return record.events.values.filter { $0.order?.orderId == id.description }
      .sorted { $0.sequence < $1.sequence }
  }

  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] {
    try await connection.visit()
    return Array(
      record.executions.values.filter { execution in
        (query.symbol.isEmpty || execution.symbol == query.symbol)
          && (query.orderID.isEmpty || execution.orderId == query.orderID)
          && (query.before.map { execution.sequence < $0 } ?? true)
      }.sorted { $0.sequence > $1.sequence }.prefix(query.limit))
  }
}

struct SimulatedLimitStore: LimitStore {
  let connection: SimulatedRecord.Connection
  private var record: SimulatedRecord { connection.record }

  func prepare() async throws { try await connection.visit() }

  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: KillSwitchChange?, version: UInt64)? {
    try await connection.visit()
    return nil
  }

  func probe() async throws { try await connection.visit() }

  func record(_ register: RiskRegister) async throws {
    try await connection.visit()
    record.register = register
  }
}

struct SimulatedPositionStore: PositionStore {
  let connection: SimulatedRecord.Connection
  private var record: SimulatedRecord { connection.record }

  func prepare() async throws { try await connection.visit() }

  func record(
    _ changes: PositionChanges, isWhole: Bool
  ) async throws -> [RefusedItem<PortfolioV1.Position>] {
    try await connection.visit()
    if isWhole { record.positions.removeAll() }
    for position in changes.positions {
      record.positions["\(position.account) \(position.venue) \(position.symbol)"] = position
    }
    return []
  }
}
