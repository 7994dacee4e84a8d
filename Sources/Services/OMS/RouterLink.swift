internal import Calls
internal import Contracts
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation

/// The oms's end of the wire to the execution-router: orders out, reports in.
///
/// Everything out is idempotent by order id (and by version for replacements), so that it is sent
/// again until it is answered, also after a restart.
struct RouterLink: Sendable {
  let desk: OrderDesk
  let context: ServiceContext
  private let router: ExecutionV1.ExecutionServiceClient

  init(_ desk: OrderDesk, _ context: ServiceContext) {
    self.desk = desk
    self.context = context
    self.router = .init(channel: context.channel(to: "execution-router"))
  }

  /// Reads reports from where the journal ends; run again by its supervisor when the stream breaks.
  func followReports() async throws {
    var request = ExecutionV1.StreamReportsRequest()
    request.afterSequence = await desk.lastReport
    let reports = try await router.streamReports(request)
    defer { reports.cancel() }
    while let report = try await reports.next() {
      if let durable = await desk.take(report) { try await durable.value }
    }
    throw RPCError(.unavailable, "the execution-router ended its stream of reports")
  }

  /// Sends what the journal says is still to be sent.
  func resume() async {
    for row in await desk.openRows {
      let id = row.order.id
      if !row.lifecycle.wasSent || row.lifecycle.status == .pendingNew { route(id) }
      if row.lifecycle.isCancelRequested { cancel(id) }
      if row.lifecycle.pendingTerms != nil { replace(id, version: row.lifecycle.sequence) }
    }
  }

  func route(_ id: OrderID) {
    context.spawn("route order") { [desk, router] in
      guard let row = await desk.rows[id], !row.lifecycle.isTerminal else { return }
      var request = ExecutionV1.RouteOrderRequest()
      request.order = await desk.message(id)
      _ = try await router.routeOrder(request, Self.patient)
    }
  }

  func cancel(_ id: OrderID) {
    context.spawn("cancel order") { [desk, router] in
      guard let row = await desk.rows[id], row.lifecycle.isCancelRequested else { return }
      var request = ExecutionV1.CancelRoutedOrderRequest()
      request.orderId = id.description
      do {
        _ = try await router.cancelOrder(request, Self.patient)
      } catch let error as RPCError where error.code == .notFound {
        // The router has not taken the order in charge yet: its route is on its way, try again.
        throw error
      }
    }
  }

  func replace(_ id: OrderID, version: UInt32) {
    context.spawn("replace order") { [desk, router] in
      guard let row = await desk.rows[id], let terms = row.lifecycle.pendingTerms else { return }
      let instrument = await desk.instruments[row.order.instrument]
      var request = ExecutionV1.ReplaceRoutedOrderRequest()
      request.orderId = id.description
      request.version = version
      request.price = terms.price.map { instrument.wire($0) }
      request.quantity = instrument.wire(terms.quantity)
      _ = try await router.replaceOrder(request, Self.patient)
    }
  }

  private static var patient: CallOptions {
    var options = CallOptions()
    options.waitsForReady = true
    return options
  }
}
