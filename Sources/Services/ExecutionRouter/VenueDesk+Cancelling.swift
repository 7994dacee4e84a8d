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
internal import Venue

/// Cancels hold until the order is gone: they have no number of tries.
extension VenueDesk {
  func cancel(_ childID: String, at instrument: Instrument) {
    let key = OpenMatters.Key(kind: .cancel, subject: childID)
    guard open(key, at: instrument.venue.name) else { return }
    context.spawn("cancel child") {
      repeat {
        matters.begin(key)
        try await cancelUntilGone(childID, key, at: instrument)
      } while !matters.close(key)
    }
  }

  private func cancelUntilGone(
    _ childID: String, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws {
    var pace = RetryPace(from: config.queryInterval, to: config.queryIntervalMax)
    let began = context.loop.uptime
    while let (order, child) = await router.child(childID), order.wantsCancel(child) {
      if Mutant.isOn(.cancelGivesUp), context.loop.uptime - began > .seconds(4) {
        return try await router.take(
          .cancelRejected(childID: childID, .venueUnavailable, text: "given up"), at: instrument)
      }
      let outcome = try await sendCancel(childID, at: instrument)
      switch outcome {
      case .acknowledged(let report):
        try await router.take(.reported(report), at: instrument)
        if report.status.isTerminal { return }
        matters.note(key, "the venue is cancelling it")
      case .rejected(.unknownOrder, let text):
        // It has filled, it is gone, or it never came: the venue says which.
        matters.note(key, text)
        guard child.wasAcknowledged else { return query(childID, at: instrument) }
        // A venue that had it and denies it now is to prove that, as for any other order.
        if case .denied = try await ask(childID, at: instrument) { query(childID, at: instrument) }
      case .rejected(let reason, let text): matters.note(key, "\(reason.name): \(text)")
      case .unknown(let reason):
        matters.note(key, reason)
        // Perhaps it was cancelled, and only the answer is lost.
        if child.wasAcknowledged { try await ask(childID, at: instrument) }
      }
      guard let (order, child) = await router.child(childID), order.wantsCancel(child) else {
        return
      }
      // What the venue has not answered has waited in its lane.
      if outcome.isOfTheOrder { await context.loop.sleep(for: pace.take()) }
      try Task.checkCancellation()
    }
  }

  private func sendCancel(
    _ clientOrderID: String, at instrument: Instrument
  ) async throws -> VenueOutcome {
    var request = MarketV1.CancelVenueOrderRequest()
    request.venue = instrument.venue.name
    request.symbol = instrument.symbol
    request.clientOrderId = clientOrderID
    return try await lanes.cancels(at: instrument.venue.name).run {
      let outcome = await Self.outcome(at: instrument) { () throws(RPCError) in
        try await venues.cancelOrder(request, within(config.placeTimeout))
      }
      return VenueLane.Outcome(value: outcome, isAnswer: outcome.isOfTheOrder)
    }
  }

  /// What an earlier instance has sent on the oms's word, the oms hands over to this one as soon as it
  /// hears it: until then it is no orphan.
  private func waitForTheOms() async throws {
    guard context.loop.uptime - began < Self.patience * 10 else { return }
    await context.loop.sleep(for: Self.patience)
    try Task.checkCancellation()
  }

  /// The oms tries again every quarter of a second.
  private static let patience = Duration.seconds(1)

  /// One try; true when the venue does not have it, or not any more.
  private func isGone(
    _ clientOrderID: String, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws -> Bool {
    switch try await sendCancel(clientOrderID, at: instrument) {
    case .acknowledged(let report) where report.status.isTerminal: return true
    case .rejected(.unknownOrder, _): return true
    case .acknowledged: matters.note(key, "the venue is cancelling it")
    case .rejected(let reason, let text): matters.note(key, "\(reason.name): \(text)")
    case .unknown(let reason): matters.note(key, reason)
    }
    return false
  }

  /// What it filled is the account's, whoever knew of the order: told to the oms, which counts an execution
  /// once. True when the venue has listed all.
  private func tellFills(
    ofOrphan wire: MarketV1.VenueReport, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws -> Bool {
    guard let listed = try await fills(of: wire.venueOrderId, key, at: instrument) else {
      return false
    }
    for fill in listed.fills {
      var told = wire
      told.fill = fill
      let report = try VenueReport(told.fitted(to: instrument), instrument)
      try await router.takeStray(report, at: instrument)
    }
    if let gap = listed.missing.first { matters.note(key, "a fill cannot be read: \(gap.reason)") }
    return listed.missing.isEmpty
  }

  /// Cancels what rests at the venue under an id of ours that the journal does not know: nobody would
  /// ever look after it.
  func cancelOrphan(_ wire: MarketV1.VenueReport, at instrument: Instrument) {
    let key = OpenMatters.Key(kind: .orphan, subject: wire.clientOrderId)
    guard open(key, at: instrument.venue.name) else { return }
    context.spawn("cancel orphan") {
      var pace = RetryPace(from: config.queryInterval, to: config.queryIntervalMax)
      matters.begin(key)
      try await waitForTheOms()
      if await router.child(wire.clientOrderId) == nil {
        orphans.with(instrument.venue.name).increment()
        context.log.error(
          "cancelling an orphan at the venue",
          [
            "client_order_id": .text(wire.clientOrderId), "venue": .text(wire.venue),
            "symbol": .text(wire.symbol),
          ])
      }
      while true {
        if await router.child(wire.clientOrderId) != nil {
          // An earlier instance had sent it, and the oms has handed it over meanwhile.
          if matters.close(key) { return query(wire.clientOrderId, at: instrument) }
        } else if try await isGone(wire.clientOrderId, key, at: instrument),
          try await tellFills(ofOrphan: wire, key, at: instrument), matters.close(key)
        {
          return
        }
        // It may have been seen once more meanwhile.
        matters.begin(key)
        await context.loop.sleep(for: pace.take())
        try Task.checkCancellation()
      }
    }
  }
}

extension VenueOutcome {
  /// Whether it says anything of the order that it was about. A limit, ours or the venue's, a venue
  /// that is away or closed, a breaker that is open, and silence are about the asking.
  var isOfTheOrder: Bool {
    switch self {
    case .acknowledged: true
    case .rejected(let reason, _):
      ![.rateLimit, .overloaded, .venueUnavailable, .marketClosed].contains(reason)
    case .unknown: false
    }
  }
}
