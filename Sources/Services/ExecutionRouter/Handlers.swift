internal import Calls
internal import Contracts
internal import Journal
internal import ServiceKit
internal import Wire

struct Handlers: ExecutionV1.ExecutionServiceHandler {
  let router: Router
  let context: ServiceContext
  /// Up to which record the oms has the reports, as it has said last.
  let told: SharedSequence

  func routeOrder(
    _ request: ExecutionV1.RouteOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.RouteOrderResponse {
    guard let order = request.order else { throw RPCError.invalid("order", "is missing") }
    var response = ExecutionV1.RouteOrderResponse()
    do {
      response.childOrderId = try await router.route(order, for: request.instance)
    } catch let refusal as JournalRefusal {
      throw refusal.rpcError
    }
    return response
  }

  func cancelOrder(
    _ request: ExecutionV1.CancelRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.CancelRoutedOrderResponse {
    do { try await router.cancel(request) } catch let refusal as JournalRefusal {
      throw refusal.rpcError
    }
    return .init()
  }

  func replaceOrder(
    _ request: ExecutionV1.ReplaceRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.ReplaceRoutedOrderResponse {
    do { try await router.replace(request) } catch let refusal as JournalRefusal {
      throw refusal.rpcError
    }
    return .init()
  }

  func streamReports(
    _ request: ExecutionV1.StreamReportsRequest,
    _ responses: Outgoing<ExecutionV1.ExecutionReport>, _ context: ServerContext
  ) async throws {
    let position = LogPosition(sequence: request.afterSequence, mark: request.afterMark)
    var cursor = try router.journal.records(behind: position, of: ExecutionRouter.name)
    // Others may read as well; what the oms has not is kept for it.
    if context.identity.service == "oms" { told.value = position.sequence }
    if request.withInstance {
      var opening = ExecutionV1.ExecutionReport()
      opening.instance = router.instance
      try await responses.send(opening)
    }
    while let record = try await cursor.followingRecord() {
      if let report = try Self.report(of: record) { try await responses.send(encoded: report) }
    }
    try Task.checkCancellation()
    throw RPCError(.unavailable, "the execution-router is stopping; resume after the last sequence")
  }

  /// A report goes out as the journal has it, with what it lacks behind it; nil for other records.
  private static func report(of record: JournalRecord) throws -> [UInt8]? {
    try record.payload.withUnsafeBytes { payload in
      guard let report = try WireReader.field(Self.reportField, in: payload) else { return nil }
      var rest = ExecutionV1.ExecutionReport()
      rest.sequence = record.sequence
      rest.logMark = LogPosition(record).mark
      return Array(report) + rest.encoded()
    }
  }

  /// Of a `JournalRecord` in journal.proto.
  private static let reportField: UInt32 = 7
}
