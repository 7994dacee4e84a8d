internal import Calls
internal import Contracts
internal import Loop
internal import OMSService
internal import Orders
internal import PortfolioManagerService
internal import Risk
internal import RiskManagerService

/// PostgreSQL as the services know it: their tables in memory, transactions whole or not at all, and
/// away when the storm says so.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class SimulatedRecord: @unchecked Sendable {
  var isAway = false
  var latency = Duration.milliseconds(1)
  var orders: [String: OmsV1.Order] = [:]
  var executions: [ExecutionKey: OmsV1.Execution] = [:]
  var progress: UInt64 = 0
  var positions: [String: PortfolioV1.Position] = [:]
  fileprivate var events: [UInt64: OmsV1.OrderEvent] = [:]
  var register: RiskRegister?

  struct ExecutionKey: Hashable {
    let venue: String
    let symbol: String
    let executionID: String
    let orderID: String
  }

  /// A round trip; a connection that is away is found out about after a while.
  fileprivate func visit(_ loop: EventLoop) async throws {
    await loop.sleep(for: isAway ? .milliseconds(50) : latency)
    guard !isAway else { throw RPCError(.unavailable, "PostgreSQL is away") }
  }
}

struct SimulatedOrderStore: OrderStore {
  let record: SimulatedRecord
  let loop: EventLoop

  func prepare() async throws { try await record.visit(loop) }

  func recorded() async throws -> UInt64 {
    try await record.visit(loop)
    return record.progress
  }

  func record(_ events: [OmsV1.OrderEvent], through sequence: UInt64) async throws {
    try await record.visit(loop)
    for event in events {
      guard let order = event.order else { continue }
      if record.events[event.sequence] == nil { record.events[event.sequence] = event }
      if (record.orders[order.orderId]?.version ?? 0) < order.version {
        record.orders[order.orderId] = order
      }
      guard let execution = event.execution else { continue }
      let key = SimulatedRecord.ExecutionKey(
        venue: execution.venue, symbol: execution.symbol, executionID: execution.executionId,
        orderID: execution.orderId)
      if record.executions[key] == nil { record.executions[key] = execution }
    }
    record.progress = max(record.progress, sequence)
  }

  func order(_ id: OrderID) async throws -> OmsV1.Order? {
    try await record.visit(loop)
    return record.orders[id.description]
  }

  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order] {
    try await record.visit(loop)
    let before = query.before?.description
    return Array(
      record.orders.values.filter { order in
        (query.symbol.isEmpty || order.symbol == query.symbol)
          && (query.clientOrderID.isEmpty || order.clientOrderId == query.clientOrderID)
          && (before.map { order.orderId < $0 } ?? true)
      }.sorted { $0.orderId > $1.orderId }.prefix(query.limit))
  }

  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent] {
    try await record.visit(loop)
    return record.events.values.filter { $0.order?.orderId == id.description }
      .sorted { $0.sequence < $1.sequence }
  }

  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution] {
    try await record.visit(loop)
    return Array(
      record.executions.values.filter { execution in
        (query.symbol.isEmpty || execution.symbol == query.symbol)
          && (query.orderID.isEmpty || execution.orderId == query.orderID)
          && (query.before.map { execution.sequence < $0 } ?? true)
      }.sorted { $0.sequence > $1.sequence }.prefix(query.limit))
  }
}

struct SimulatedLimitStore: LimitStore {
  let record: SimulatedRecord
  let loop: EventLoop

  func prepare() async throws { try await record.visit(loop) }

  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: KillSwitchChange?, version: UInt64)? {
    try await record.visit(loop)
    return nil
  }

  func record(_ register: RiskRegister) async throws {
    try await record.visit(loop)
    record.register = register
  }
}

struct SimulatedPositionStore: PositionStore {
  let record: SimulatedRecord
  let loop: EventLoop

  func prepare() async throws { try await record.visit(loop) }

  func record(_ positions: [PortfolioV1.Position], through sequence: UInt64) async throws {
    try await record.visit(loop)
    for position in positions {
      record.positions["\(position.account) \(position.venue) \(position.symbol)"] = position
    }
  }
}
