internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Loop
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Venue

/// The oms's end of the wire to the execution-router: orders out, reports in.
///
/// Everything out is idempotent by order id (and by version for replacements), so that it is sent
/// again until it is answered, also after a restart. But an order goes out in its time or not at all:
/// one that was cancelled before the router had it, or that is too old, is withdrawn.
///
/// The instance of the router that is heard when an order is accepted may send it on our record of it
/// (ADR 10): it is journaled with the order, and never changes.
struct RouterLink: Sendable {
  let desk: OrderDesk
  let context: ServiceContext
  let config: Config
  private let router: ExecutionV1.ExecutionServiceClient

  init(_ desk: OrderDesk, _ config: Config, _ context: ServiceContext) {
    self.desk = desk
    self.config = config
    self.context = context
    self.router = .init(channel: context.channel(to: "execution-router"))
  }

  /// Reads reports from where the journal ends; run again by its supervisor when the stream breaks.
  /// Reports that have come share a sync: the router has them on disk and tells again what is lost.
  func followReports() async throws {
    do {
      try await readReports(behind: await desk.reports)
    } catch let error as RPCError {
      guard let replaced = LogReplaced(error) else { throw error }
      await desk.readReportsAgain(replaced.description)
      throw error
    }
  }

  private func readReports(behind position: LogPosition) async throws {
    var request = ExecutionV1.StreamReportsRequest()
    request.afterSequence = position.sequence
    request.afterMark = position.mark
    request.withInstance = true
    let reports = try await router.streamReports(request)
    defer { reports.cancel() }
    do {
      try await read(reports, behind: position)
      await desk.lostRouter()
    } catch {
      await desk.lostRouter()
      throw error
    }
    throw RPCError(.unavailable, "the execution-router ended its stream of reports")
  }

  private func read(
    _ reports: ClientCall<ExecutionV1.StreamReportsRequest, ExecutionV1.ExecutionReport>,
    behind position: LogPosition
  ) async throws {
    var isSkipping = Mutant.isOn(.reportSkipped) && position.sequence > 0
    while let report = try await reports.next() {
      if report.instance != 0 {
        for id in await desk.heardRouter(report.instance) { tellAgain(id) }
        continue
      }
      if isSkipping {
        isSkipping = false
        continue
      }
      if Mutant.isOn(.cancelDropped), report.kind == .cancelled { continue }
      while true {
        do throws(JournalRefusal) {
          try await desk.take(report)
          break
        } catch {
          // It stays with the router meanwhile, and so does all behind it.
          await context.loop.sleep(for: .milliseconds(50))
          try Task.checkCancellation()
        }
      }
    }
  }

  /// Sends what the journal says is still to be sent.
  func resume() async {
    for row in await desk.openRows {
      if Mutant.isOn(.resumeForgotten) { continue }
      let id = row.order.id
      if row.lifecycle.wasSent {
        if row.lifecycle.isCancelRequested { cancel(id) }
      } else {
        await desk.markUnsent(id)
        // It may have gone out before the restart.
        route(id, mayBeThere: true)
      }
      if let version = row.lifecycle.pendingVersion { replace(id, version: version) }
    }
  }

  /// An order that this router should have from the one before it, and may not: its journal may have been
  /// put back from an older copy. It is not sent for that: the venue is asked about it.
  private func tellAgain(_ id: OrderID) {
    context.spawn("tell the router of an order again") {
      guard await desk.isAtRouter(id) else { return }
      do throws(RPCError) {
        _ = try await router.routeOrder(await desk.routeRequest(id, askedOnly: true), within)
      } catch {
        guard error.code == .invalidArgument else { throw error }
        return context.log.error(
          "the execution-router does not take an order that was sent",
          ["order_id": "\(id)", "reason": .text(error.message)])
      }
      if let version = await desk.pendingVersion(of: id) { replace(id, version: version) }
      cancel(id)
    }
  }

  // MARK: Out

  func route(_ id: OrderID, mayBeThere: Bool = false) {
    context.spawn("route order") {
      var mayBeThere = mayBeThere
      var pause = Duration.milliseconds(20)
      while let step = await desk.nextStep(for: id, now: context.time.now) {
        if try await take(step, id, &mayBeThere) { break }
        await context.loop.sleep(for: pause)
        try Task.checkCancellation()
        pause = min(pause * 2, .milliseconds(250))
      }
      // It may have been cancelled while it was being handed over, or while nobody knew that it had
      // been: its reports may be the first to tell.
      cancel(id)
    }
  }

  /// One try; true when the order is no longer ours to send.
  private func take(
    _ step: DeliveryStep, _ id: OrderID, _ mayBeThere: inout Bool
  ) async throws -> Bool {
    switch step {
    case .withdraw where !mayBeThere, .expire where !mayBeThere:
      return try await desk.withdraw(id, Self.neverSent)
    case .withdraw:
      do throws(RPCError) {
        try await sendCancel(id)
        _ = await desk.claimCancel(id)
        await desk.markSent(id)
        return true
      } catch  where error.code == .notFound {
        return try await desk.withdraw(id, Self.neverSent)
      } catch {
        return false
      }
    case .send, .expire:
      // The router has the last word on what is too old: it knows whether it has it.
      mayBeThere = true
      var request = await desk.routeRequest(id)
      // What is too old here is too old there as well, whatever its clock and its settings say.
      let isTooOld = step == .expire
      if isTooOld { request.order?.createdAt = .init() }
      do throws(RPCError) {
        _ = try await router.routeOrder(request, within)
        await desk.markSent(id)
        return true
      } catch  where error.code == .failedPrecondition || error.code == .invalidArgument {
        return try await desk.withdraw(id, isTooOld ? Self.tooLate : error.message)
      } catch {
        return false
      }
    }
  }

  private static let neverSent = "the execution-router never had it"
  private static let tooLate =
    "too late: it could not be handed over in time (route_age_max, resting_route_age_max)"

  func cancel(_ id: OrderID) {
    context.spawn("cancel order") {
      // What was not handed over is withdrawn by whoever tries to.
      guard await desk.isToCancelAtRouter(id), await desk.claimCancel(id) else { return }
      do { try await sendCancel(id) } catch {
        await desk.disclaimCancel(id)
        throw error
      }
    }
  }

  private func sendCancel(_ id: OrderID) async throws(RPCError) {
    _ = try await router.cancelOrder(await desk.cancelRequest(id), within)
  }

  func replace(_ id: OrderID, version: UInt32) {
    context.spawn("replace order") {
      guard let request = await desk.replacement(of: id, version: version) else { return }
      // The cancel comes first: then the router refuses the new terms, where it would place them anew,
      // long after a kill switch. They are to be refused all the same: an order that has filled
      // meanwhile ends with that, and with nothing else.
      if await desk.isToGo(id), !Mutant.isOn(.replaceOvertakesCancel) { try await sendCancel(id) }
      let refusal: RPCError
      do throws(RPCError) {
        _ = try await router.replaceOrder(request, within)
        return
      } catch {
        refusal = error
      }
      guard refusal.code == .invalidArgument || refusal.code == .notFound else { throw refusal }
      // It would say so for ever.
      try await desk.refuseReplacement(id, version: version, refusal.message)
    }
  }

  /// Waits for a connection within the limit.
  private var within: CallOptions {
    var options = CallOptions(deadline: context.loop.uptime + .seconds(2))
    options.waitsForReady = true
    return options
  }
}

/// What to do with an order that the router may not have.
enum DeliveryStep: Sendable {
  case send
  /// It is cancelled.
  case withdraw
  /// It is too old to be sent.
  case expire
}

extension OrderDesk {
  /// What a router that was not heard before is to be told again: where its log is another one every
  /// order that is open, else those of which no report has come, for it may have lost their routes.
  func heardRouter(_ instance: UInt64) -> [OrderID] {
    let isNew = lastRouter != instance
    (routerInstance, lastRouter) = (instance, instance)
    guard isNew, !Mutant.isOn(.toldOnce) else { return [] }
    let all = isLogReplaced
    isLogReplaced = false
    return openRows.compactMap { row in
      let isAsked = !isUnsent(row) && (all || !row.lifecycle.wasSent)
      return isAsked && accepting[row.order.id] == nil ? row.order.id : nil
    }
  }

  /// Orders that are accepted now wait for its record, whichever instance comes.
  func lostRouter() { routerInstance = 0 }

  /// `askedOnly`: as one that another instance may have sent.
  func routeRequest(_ id: OrderID, askedOnly: Bool = false) -> ExecutionV1.RouteOrderRequest {
    var request = ExecutionV1.RouteOrderRequest()
    request.order = message(id)
    request.instance = askedOnly ? Self.noInstance : log.state[id]?.routerInstance ?? 0
    return request
  }

  /// Of nobody: instances are odd.
  private static let noInstance: UInt64 = 2

  func cancelRequest(_ id: OrderID) -> ExecutionV1.CancelRoutedOrderRequest {
    var request = ExecutionV1.CancelRoutedOrderRequest()
    request.orderId = id.description
    request.order = message(id)
    request.instance = log.state[id]?.routerInstance ?? 0
    return request
  }

  /// Nil when the order is no longer to be sent.
  func nextStep(for id: OrderID, now: Instant) -> DeliveryStep? {
    guard let row = log.state[id], !row.lifecycle.isTerminal, isUnsent(row) else { return nil }
    if Mutant.isOn(.routesHaveNoAge) { return .send }
    if row.lifecycle.isCancelRequested { return .withdraw }
    let order = row.order
    let endsAtOnce = order.type == .market || [.ioc, .fok].contains(order.timeInForce)
    // Whoever threw the kill switch, or wished something else, while nobody was here has not been heard:
    // what waited for this start is sent while it is fresh, or not at all.
    let waitedForStart = order.createdTime < started
    let most = endsAtOnce || waitedForStart ? config.routeAgeMax : config.restingRouteAgeMax
    return now - order.createdTime > most ? .expire : .send
  }

  func isToGo(_ id: OrderID) -> Bool { log.state[id]?.lifecycle.isCancelRequested ?? false }

  func pendingVersion(of id: OrderID) -> UInt32? { log.state[id]?.lifecycle.pendingVersion }

  func isAtRouter(_ id: OrderID) -> Bool {
    guard let row = log.state[id] else { return false }
    return !row.lifecycle.isTerminal && !isUnsent(row)
  }

  func isToCancelAtRouter(_ id: OrderID) -> Bool {
    guard let row = log.state[id] else { return false }
    return row.lifecycle.isCancelRequested && !isUnsent(row)
  }

  private func isUnsent(_ row: OrderRow) -> Bool {
    unsent.contains(row.order.id, venue: log.state.instrument(of: row).venue.name)
  }

  /// Ends an order of which it is proven that it never left; true when it has ended, false when the
  /// journal takes no record of it now.
  func withdraw(_ id: OrderID, _ text: String) async throws -> Bool {
    guard let row = log.state[id], !row.lifecycle.isTerminal else { return true }
    let event: OrderEvent =
      row.lifecycle.isCancelRequested
      ? .cancelled(venueFilled: nil) : .rejected(.venueUnavailable, text: text)
    do {
      try await untilDurable(try change(id, event, report: .start, for: .essential))
      return true
    } catch is JournalRefusal {
      return false
    }
  }

  func replacement(
    of id: OrderID, version: UInt32
  ) -> ExecutionV1.ReplaceRoutedOrderRequest? {
    guard let row = log.state[id], row.lifecycle.pendingVersion == version,
      let terms = row.lifecycle.pendingTerms
    else { return nil }
    let instrument = log.state.instrument(of: row)
    var request = ExecutionV1.ReplaceRoutedOrderRequest()
    request.orderId = id.description
    request.version = version
    request.price = terms.price.map { instrument.wire($0) }
    request.quantity = instrument.wire(terms.quantity)
    return request
  }
}

extension OrderDesk {
  /// The execution-router's log is another one: its numbers mean nothing here, and everything that it has
  /// to tell is read. What an order has taken already changes nothing: fills count once by execution id.
  func readReportsAgain(_ reason: String) {
    context.log.error(
      "the execution-router's journal is not the one that was read: all its reports are read again",
      ["reason": .text(reason), "read": "\(reports.sequence)"])
    forgetReports()
    isLogReplaced = true
  }
}
