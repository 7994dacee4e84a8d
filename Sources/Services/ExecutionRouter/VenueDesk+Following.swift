internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Loop
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// A venue's private stream, and what has to be asked when it may have lost something.
extension VenueDesk {
  func followReports(
    of venue: String, reconciled: @escaping @Sendable () -> Void
  ) async throws {
    var request = MarketV1.StreamVenueReportsRequest()
    request.venue = venue
    var options = CallOptions()
    options.waitsForReady = true
    let events = try await venues.streamReports(request, options)
    defer { events.cancel() }
    while let event = try await events.next() {
      switch event.event {
      case .report(let wire): try await take(wire)
      case .resynchronise(let loss):
        context.log.info("asking the venue about every open order", ["reason": .text(loss.reason)])
        if !Mutant.isOn(.lossUnasked) { await reconcile(venue, reconciled: reconciled) }
      case nil: break
      }
    }
    throw RPCError(.unavailable, "the market-connector ended its stream of reports")
  }

  private func take(_ wire: MarketV1.VenueReport) async throws {
    guard ChildID(parsing: wire.clientOrderId) != nil,
      let instrument = await instrument(of: wire)
    else { return }
    let fitted = wire.fitted(to: instrument)
    if fitted != wire {
      context.log.error(
        "a venue's report has finer digits than its order's terms, and is told to the nearest",
        ["client_order_id": .text(wire.clientOrderId), "venue": .text(wire.venue)])
    }
    let report = try VenueReport(fitted, instrument)
    guard await router.child(report.clientOrderID) == nil else {
      return try await router.take(.reported(report), at: instrument)
    }
    strays.with(wire.venue).increment()
    context.log.error(
      "a venue reports an order of ours that is not known here",
      [
        "client_order_id": .text(wire.clientOrderId), "venue": .text(wire.venue),
        "status": .text(wire.status.name), "fill": .text(wire.fill?.executionId ?? ""),
      ])
    // It may be one that left memory after its end, or another router's: the oms knows its orders.
    try await router.takeStray(report, at: instrument)
    if !report.status.isTerminal { cancelOrphan(wire, at: instrument) }
  }

  /// The terms that its order was made under; of orders that are not known, those of today.
  private func instrument(of wire: MarketV1.VenueReport) async -> Instrument? {
    if let (order, _) = await router.child(wire.clientOrderId) {
      return await router.instrument(order.parent.instrument)
    }
    return await router.instrument(venue: wire.venue, symbol: wire.symbol)
  }

  /// Asks about every child of a venue that is not over, and about those of late that it had denied;
  /// goes on with their cancels; and looks for orders that nobody here knows.
  func reconcile(_ venue: String, reconciled: @escaping @Sendable () -> Void) async {
    for (id, wantsCancel, instrument) in await router.openChildren
    where instrument.venue.name == venue {
      query(id, at: instrument)
      if wantsCancel { cancel(id, at: instrument) }
    }
    let start = context.time.now + Self.deniedFor * -1
    for (id, instrument) in await router.deniedChildren(
      at: venue, since: start, most: Self.deniedMax)
    {
      query(id, at: instrument)
    }
    sweep(venue, reconciled: reconciled)
  }

  /// A denied order is asked about again at each reconciliation for so long, and so many are.
  private static var deniedFor: Duration { .seconds(3_600) }
  private static var deniedMax: Int { 1_000 }

  /// Compares the venue's open orders with ours.
  private func sweep(_ venue: String, reconciled: @escaping @Sendable () -> Void) {
    let key = OpenMatters.Key(kind: .sweep, subject: venue)
    guard open(key, at: venue) else { return }
    context.spawn("look for orphans at \(venue)") {
      repeat {
        matters.begin(key)
        var pace = RetryPace(from: config.queryInterval, to: config.queryIntervalMax)
        while let open = try await listOpenOrders(venue, key) {
          if let open = open.answer {
            for wire in open.orders { await compare(wire) }
            // A row that nobody can read, of another's order perhaps, keeps no orders of ours waiting.
            reconciled()
            // It may be an orphan: the venue is asked again, and readiness tells of it.
            guard let gap = open.missing.first else { break }
            matters.note(key, "the list is not whole: \(gap.symbol) \(gap.reason)")
          }
          await context.loop.sleep(for: pace.take())
          try Task.checkCancellation()
        }
      } while !matters.close(key)
    }
  }

  private struct Listing: Sendable {
    /// Nil when the venue did not answer.
    let answer: MarketV1.ListOpenVenueOrdersResponse?
  }

  private func listOpenOrders(_ venue: String, _ key: OpenMatters.Key) async throws -> Listing? {
    return try await lanes.questions(at: venue).run {
      do throws(RPCError) {
        let answer = try await openOrders(venue)
        return VenueLane.Outcome(value: Listing(answer: answer), isAnswer: true)
      } catch {
        matters.note(key, "\(error.code.name): \(error.message)")
        return VenueLane.Outcome(value: Listing(answer: nil), isAnswer: false)
      }
    }
  }

  /// All pages as one.
  private func openOrders(
    _ venue: String
  ) async throws(RPCError) -> MarketV1.ListOpenVenueOrdersResponse {
    var request = MarketV1.ListOpenVenueOrdersRequest()
    request.venue = venue
    var all = MarketV1.ListOpenVenueOrdersResponse()
    repeat {
      let page = try await venues.listOpenOrders(request, within(config.placeTimeout))
      all.orders += page.orders
      all.missing += page.missing
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return all
  }

  private func compare(_ wire: MarketV1.VenueReport) async {
    guard ChildID(parsing: wire.clientOrderId) != nil,
      let instrument = await instrument(of: wire)
    else { return }
    guard let (_, child) = await router.child(wire.clientOrderId) else {
      return cancelOrphan(wire, at: instrument)
    }
    // Listed before it ended, perhaps: the venue is asked about it by itself.
    if !child.isLive { query(wire.clientOrderId, at: instrument) }
  }
}
