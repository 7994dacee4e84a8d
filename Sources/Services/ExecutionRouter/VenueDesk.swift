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

/// Carries out what the ledger decides, and tells it what came of it. Silence is told as silence.
struct VenueDesk: Sendable {
  let router: Router
  let config: Config
  let context: ServiceContext
  let venues: MarketV1.VenueOrderServiceClient
  let silences: Counter
  let amendments: CounterFamily
  let verifications: Counter
  private let placed: Histogram

  init(_ router: Router, _ config: Config, _ context: ServiceContext) {
    self.router = router
    self.config = config
    self.context = context
    self.venues = .init(channel: context.channel(to: "market-connector"))
    self.silences = context.metrics.counter(
      "execution_router_silences_total",
      help: "Orders and amendments that the venue did not answer in time.")
    self.verifications = context.metrics.counter(
      "execution_router_verifications_total",
      help: "Questions about live orders of which nothing was wanting, a few in each interval.")
    self.amendments = context.metrics.counters(
      "execution_router_amendments_total",
      help: "Answers of venues that were asked to change an order in place.", labels: ["outcome"])
    self.placed = context.metrics.histogram(
      "execution_router_place_seconds", help: "From sending an order to the venue's answer.")
  }

  // MARK: Commands

  func place(_ order: VenueOrder, at instrument: Instrument) {
    context.spawn("place order") {
      var request = MarketV1.PlaceOrderRequest()
      request.order = MarketV1.VenueOrder(order, instrument)
      let began = context.loop.uptime
      let outcome: VenueOutcome
      do throws(RPCError) {
        outcome = try VenueOutcome(
          await venues.placeOrder(request, within(config.placeTimeout)), instrument)
      } catch {
        outcome = Self.outcome(of: error)
      }
      placed.observe(context.loop.uptime - began)
      try await tell(outcome, order.clientOrderID, at: instrument)
    }
  }

  private func tell(
    _ outcome: VenueOutcome, _ childID: String, at instrument: Instrument
  ) async throws {
    switch outcome {
    case .acknowledged(let report): try await router.take(.reported(report), at: instrument)
    case .rejected(let reason, let text):
      try await router.take(.refused(childID: childID, reason, text: text), at: instrument)
    case .unknown(let reason):
      silences.increment()
      try await router.take(.silent(childID: childID, reason: reason), at: instrument)
    }
  }

  /// What an error of the call to the market-connector proves. Only refusals before it could act are
  /// proof; everything else leaves it open whether the venue has the order.
  static func outcome(of error: RPCError) -> VenueOutcome {
    switch error.code {
    case .invalidArgument: .rejected(.invalidOrder, text: error.message)
    case .permissionDenied, .unauthenticated, .unimplemented, .failedPrecondition:
      .rejected(.venueUnavailable, text: error.message)
    default:
      Mutant.isOn(.silenceIsRefusal)
        ? .rejected(.venueUnavailable, text: error.message)
        : .unknown(reason: "\(error.code.name): \(error.message)")
    }
  }

  func cancel(_ childID: String, at instrument: Instrument) {
    context.spawn("cancel child") { try await cancelUntilProven(childID, at: instrument) }
  }

  private func cancelUntilProven(_ childID: String, at instrument: Instrument) async throws {
    for attempt in 1... {
      guard let (order, child) = await router.child(childID), child.isLive, order.wantsCancel
      else { return }
      var request = MarketV1.CancelVenueOrderRequest()
      request.venue = instrument.venue.name
      request.symbol = instrument.symbol
      request.clientOrderId = childID
      var text = ""
      do throws(RPCError) {
        let outcome = try VenueOutcome(
          await venues.cancelOrder(request, within(config.placeTimeout)), instrument)
        switch outcome {
        case .acknowledged(let report):
          do { try await router.take(.reported(report), at: instrument) } catch {
            throw RPCError(.unavailable, "\(error)")
          }
          return
        case .rejected(let reason, let why): text = "\(reason.name): \(why)"
        case .unknown(let why): text = why
        }
      } catch {
        text = "\(error.code.name): \(error.message)"
      }
      // Perhaps it filled, perhaps it is gone: the venue is asked. Still open: once more.
      try await ask(childID, at: instrument)
      if attempt >= config.cancelTriesMax {
        try await router.take(
          .cancelRejected(childID: childID, .venuePolicy, text: text), at: instrument)
        return
      }
      await context.loop.sleep(for: config.queryInterval)
      try Task.checkCancellation()
    }
  }

  func query(_ childID: String, at instrument: Instrument) {
    context.spawn("query child") { try await queryUntilProven(childID, at: instrument) }
  }

  /// Asks until the venue has said what it knows, or has denied the order often and late enough. An
  /// amendment that is unanswered is proven by the terms that the venue names.
  private func queryUntilProven(_ childID: String, at instrument: Instrument) async throws {
    var began = context.loop.uptime
    var denials = 0
    var version = await router.child(childID)?.child.unansweredVersion
    while let (_, child) = await router.child(childID), child.isLive {
      if child.unansweredVersion != version {
        // Of another amendment nothing is denied yet.
        version = child.unansweredVersion
        (began, denials) = (context.loop.uptime, 0)
      }
      let answer = try await ask(childID, at: instrument)
      let isLate = context.loop.uptime - began >= config.denialAfter
      switch answer {
      case .known(let report):
        guard let version else { return }
        denials += 1
        try await see(
          report, version, isSettled: denials >= config.denialsNeeded && isLate, at: instrument)
        guard await router.child(childID)?.child.unansweredVersion != nil else { return }
      case .denied:
        denials += 1
        let isProven =
          denials >= config.denialsNeeded && isLate || Mutant.isOn(.firstDenialBelieved)
        if isProven, !child.wasAcknowledged {
          try await router.take(.denied(childID: childID), at: instrument)
          return
        }
      case .silent: break
      }
      await context.loop.sleep(for: config.queryInterval)
      try Task.checkCancellation()
    }
  }

  enum Answer {
    case known(VenueReport)
    case denied, silent
  }

  @discardableResult
  func ask(_ childID: String, at instrument: Instrument) async throws -> Answer {
    var request = MarketV1.QueryVenueOrderRequest()
    request.venue = instrument.venue.name
    request.symbol = instrument.symbol
    request.clientOrderId = childID
    let outcome: VenueOutcome
    do throws(RPCError) {
      outcome = try VenueOutcome(
        await venues.queryOrder(request, within(config.placeTimeout)), instrument)
    } catch {
      return .silent
    }
    switch outcome {
    case .acknowledged(let report):
      try await router.take(.reported(report), at: instrument)
      return .known(report)
    case .rejected(.unknownOrder, _): return .denied
    case .rejected, .unknown: return .silent
    }
  }

  func listFills(_ childID: String, _ venueOrderID: String, at instrument: Instrument) {
    context.spawn("list fills") {
      var request = MarketV1.ListVenueFillsRequest()
      request.venue = instrument.venue.name
      request.symbol = instrument.symbol
      request.venueOrderId = venueOrderID
      let fills = try await venues.listFills(request, within(config.placeTimeout)).fills
      for wire in fills {
        let fill = try VenueFill(wire, instrument)
        guard let (_, child) = await router.child(childID) else { return }
        // The venue's status of the order was told before; here only its fills are.
        try await router.take(
          .reported(
            VenueReport(
              instrument: instrument.id, clientOrderID: childID, venueOrderID: venueOrderID,
              status: .partiallyFilled, filledQuantity: child.filled, fill: fill,
              exchangeTime: fill.exchangeTime)), at: instrument)
      }
      if let (_, child) = await router.child(childID), case .ending = child.stage {
        throw RPCError(.unavailable, "the venue has not listed every fill of \(childID) yet")
      }
    }
  }

  // MARK: The private stream

  func followReports(of venue: String) async throws {
    var request = MarketV1.StreamVenueReportsRequest()
    request.venue = venue
    var options = CallOptions()
    options.waitsForReady = true
    let events = try await venues.streamReports(request, options)
    defer { events.cancel() }
    while let event = try await events.next() {
      switch event.event {
      case .report(let wire):
        guard ChildID(parsing: wire.clientOrderId) != nil,
          let instrument = await router.instrument(venue: wire.venue, symbol: wire.symbol)
        else { continue }
        try await router.take(.reported(try VenueReport(wire, instrument)), at: instrument)
      case .resynchronise(let loss):
        if Mutant.isOn(.lossUnasked) { continue }
        context.log.info("asking the venue about every open order", ["reason": .text(loss.reason)])
        try await reconcile(venue)
      case nil: break
      }
    }
    throw RPCError(.unavailable, "the market-connector ended its stream of reports")
  }

  /// Asks about every live child of a venue, and cancels what rests there under ids of ours that the
  /// journal does not know: nobody would ever look after it.
  func reconcile(_ venue: String) async throws {
    for (id, instrument) in await router.liveChildren where instrument.venue.name == venue {
      query(id, at: instrument)
      if let (order, _) = await router.child(id), order.wantsCancel { cancel(id, at: instrument) }
    }
    var request = MarketV1.ListOpenVenueOrdersRequest()
    request.venue = venue
    for wire in try await venues.listOpenOrders(request, within(config.placeTimeout)).orders {
      guard let id = ChildID(parsing: wire.clientOrderId),
        await router.child(wire.clientOrderId) == nil
      else { continue }
      context.log.warning(
        "cancelling an orphan at the venue",
        ["client_order_id": .text(id.text), "symbol": .text(wire.symbol)])
      var cancel = MarketV1.CancelVenueOrderRequest()
      cancel.venue = wire.venue
      cancel.symbol = wire.symbol
      cancel.clientOrderId = wire.clientOrderId
      _ = try await venues.cancelOrder(cancel, within(config.placeTimeout))
    }
  }

  /// Waits for a connection within the limit: while the market-connector starts again nothing was
  /// sent, and nothing need be doubted.
  func within(_ limit: Duration) -> CallOptions {
    var options = CallOptions(deadline: context.loop.uptime + limit)
    options.waitsForReady = true
    return options
  }
}
