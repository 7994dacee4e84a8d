import Calls
import Contracts
import ServiceKit
import Synchronization
import Wire

/// An execution-router that takes note of what it is asked and reports what the test says.
final class ScriptedRouter: ExecutionV1.ExecutionServiceHandler {
  private let state = Mutex(State())
  private let reports = Feed<ExecutionV1.ExecutionReport>()

  private struct State {
    var routed: [OmsV1.Order] = []
    var instance: UInt64 = 0
    var named: [UInt64] = []
    var cancelled: [String] = []
    var replaced: [ExecutionV1.ReplaceRoutedOrderRequest] = []
    /// Cancels and replacements, in the order in which they came.
    var changes: [String] = []
    var lastSequence: UInt64 = 0
    var refusesLate = false
    var replacementRefusal: RPCError?
    var knowsNothing = false
    var isOtherLog = false
    var holdsReplacements = false
    var losesAnswers = false
    var lost: [CheckedContinuation<Void, Never>] = []
  }

  /// Market orders come too late from now on.
  func refuseReplacements(_ error: RPCError) { state.withLock { $0.replacementRefusal = error } }

  var refusesLate: Bool {
    get { state.withLock { $0.refusesLate } }
    set { state.withLock { $0.refusesLate = newValue } }
  }

  /// It has taken no order in charge.
  var knowsNothing: Bool {
    get { state.withLock { $0.knowsNothing } }
    set { state.withLock { $0.knowsNothing = newValue } }
  }

  /// Replacements find nobody.
  var holdsReplacements: Bool {
    get { state.withLock { $0.holdsReplacements } }
    set { state.withLock { $0.holdsReplacements = newValue } }
  }

  /// It takes orders in charge, and its answers come to nobody, in the end.
  func loseAnswers() { state.withLock { $0.losesAnswers = true } }

  var hasLostAnswers: Bool { state.withLock { !$0.lost.isEmpty } }

  /// Whoever waits for a lost answer hears that there is none.
  func breakOff() {
    let lost = state.withLock { state in
      state.losesAnswers = false
      defer { state.lost = [] }
      return state.lost
    }
    for waiter in lost { waiter.resume() }
  }

  /// What it tells of itself to those who begin to read its reports.
  var instance: UInt64 {
    get { state.withLock { $0.instance } }
    set { state.withLock { $0.instance = newValue } }
  }

  /// The instances named in requests for orders and for their cancels.
  var named: [UInt64] { state.withLock { $0.named } }
  var routed: [OmsV1.Order] { state.withLock { $0.routed } }
  var cancelled: [String] { state.withLock { $0.cancelled } }
  var replaced: [ExecutionV1.ReplaceRoutedOrderRequest] { state.withLock { $0.replaced } }

  var changes: [String] { state.withLock { $0.changes } }

  /// Reports about an order, in order, with the next sequence.
  func report(
    _ kind: ExecutionV1.ExecutionReport.Kind, _ orderID: String, fill: MarketV1.Fill? = nil,
    text: String = "", price: String? = nil, quantity: String? = nil
  ) {
    var report = ExecutionV1.ExecutionReport()
    report.kind = kind
    report.orderId = orderID
    report.fill = fill
    report.text = text
    report.price = price.map { wire($0) }
    report.quantity = quantity.map { wire($0) }
    report.venueOrderId = [.acknowledged, .reappeared].contains(kind) ? "V-\(orderID)" : ""
    if kind == .rejected { report.rejectReason = .insufficientBalance }
    state.withLock { state in
      state.lastSequence += 1
      report.sequence = state.lastSequence
      reports.send(report)
    }
  }

  /// Its log is another one from now on: who has read of the old one begins anew.
  func replaceLog() { state.withLock { $0.isOtherLog = true } }

  /// Breaks every open stream of reports.
  func cut() { reports.cut() }

  func routeOrder(
    _ request: ExecutionV1.RouteOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.RouteOrderResponse {
    let order = request.order ?? .init()
    if order.createdAt == .init() { throw RPCError(.failedPrecondition, "too late") }
    if refusesLate, order.type == .market { throw RPCError(.failedPrecondition, "too late") }
    state.withLock { state in
      state.routed.append(order)
      state.named.append(request.instance)
    }
    if state.withLock({ $0.losesAnswers }) {
      await withCheckedContinuation { waiter in state.withLock { $0.lost.append(waiter) } }
      throw RPCError(.unavailable, "the connection was lost")
    }
    var response = ExecutionV1.RouteOrderResponse()
    response.childOrderId = order.orderId + "-1"
    return response
  }

  func cancelOrder(
    _ request: ExecutionV1.CancelRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.CancelRoutedOrderResponse {
    if knowsNothing { throw RPCError(.notFound, "never routed here") }
    state.withLock { state in
      state.cancelled.append(request.orderId)
      state.named.append(request.instance)
      state.changes.append("cancel \(request.orderId)")
    }
    return .init()
  }

  func replaceOrder(
    _ request: ExecutionV1.ReplaceRoutedOrderRequest, _ context: ServerContext
  ) async throws -> ExecutionV1.ReplaceRoutedOrderResponse {
    if holdsReplacements { throw RPCError(.unavailable, "nobody is there") }
    let refusal = state.withLock { state in
      state.replaced.append(request)
      state.changes.append("replace \(request.orderId)")
      return state.replacementRefusal
    }
    if let refusal { throw refusal }
    return .init()
  }

  func streamReports(
    _ request: ExecutionV1.StreamReportsRequest,
    _ responses: Outgoing<ExecutionV1.ExecutionReport>, _ context: ServerContext
  ) async throws {
    if state.withLock({ $0.isOtherLog }), request.afterSequence > 0 {
      throw LogReplaced("it ends before").error(of: "execution-router")
    }
    if request.withInstance, instance != 0 {
      var opening = ExecutionV1.ExecutionReport()
      opening.instance = instance
      try await responses.send(opening)
    }
    for await report in reports.read() where report.sequence > request.afterSequence {
      try await responses.send(report)
    }
    throw RPCError(.unavailable, "the stream broke")
  }
}
