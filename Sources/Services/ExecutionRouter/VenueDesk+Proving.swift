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

/// Questions to a venue about a child, until what the venue knows is known.
extension VenueDesk {
  func query(_ childID: String, at instrument: Instrument) {
    let key = OpenMatters.Key(kind: .proof, subject: childID)
    guard open(key, at: instrument.venue.name) else { return }
    context.spawn("ask about child") {
      repeat {
        matters.begin(key)
        try await prove(childID, key, at: instrument)
      } while !matters.close(key)
    }
  }

  /// How often and since when the venue has denied a child, or named other terms than were asked for.
  private struct Denials {
    var began: Uptime
    var count = 0
    /// Of another amendment nothing is denied yet.
    var version: UInt32?
  }

  /// Asks until the venue has answered once and nothing about the child is open: it has said what it
  /// knows and listed every fill, or has denied it often and late enough. An amendment that is
  /// unanswered is proven by the terms that the venue names.
  private func prove(
    _ childID: String, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws {
    var pace = RetryPace(from: config.queryInterval, to: config.queryIntervalMax)
    var isAnswered = false
    var denials = Denials(began: context.loop.uptime)
    while let (_, before) = await router.child(childID), !isAnswered || before.isUnproven {
      if before.unansweredVersion != denials.version {
        denials = Denials(began: context.loop.uptime, version: before.unansweredVersion)
      }
      var wait = pace.take()
      let answer = try await ask(childID, at: instrument)
      switch answer {
      case .known(let report):
        isAnswered = true
        try await weigh(report, &denials, at: instrument)
      case .denied(let text):
        matters.note(key, text)
        denials.count += 1
        isAnswered = try await believe(denials, of: childID, at: instrument)
      case .silent(let reason, _): matters.note(key, reason)
      }
      switch answer {
      case .silent(_, hasWaited: true): wait = .zero
      case .silent: break
      case .known, .denied:
        // The last denial counts when it is late enough, and need not be later.
        guard let needed = await denialAfter(at: instrument) else { break }
        let left = needed - (context.loop.uptime - denials.began)
        let isShort = denials.count > 0 && denials.count < config.denialsNeeded
        if left > .zero || isShort {
          wait = min(wait, max(config.queryInterval, left))
        }
      }
      if let (_, child) = await router.child(childID), child.missesFills {
        try await listFills(child, childID, key, at: instrument)
      }
      guard let (_, after) = await router.child(childID), !isAnswered || after.isUnproven else {
        return
      }
      await context.loop.sleep(for: wait)
      try Task.checkCancellation()
    }
  }

  /// What the venue has said of an amendment, and of what was set aside.
  private func weigh(
    _ report: VenueReport, _ denials: inout Denials, at instrument: Instrument
  ) async throws {
    let id = report.clientOrderID
    if let version = denials.version {
      denials.count += 1
      try await see(
        report, version, isSettled: try await isBelieved(denials, at: instrument), at: instrument)
    }
    if await router.child(id)?.child.disputes.isEmpty == false {
      try await router.take(.settled(childID: id), at: instrument)
    }
  }

  private func isBelieved(_ denials: Denials, at instrument: Instrument) async throws -> Bool {
    guard denials.count >= config.denialsNeeded,
      let needed = await denialAfter(at: instrument)
    else { return false }
    return context.loop.uptime - denials.began >= needed
  }

  /// True when that ends it. Of an order that the venue had confirmed the fills are listed first.
  private func believe(
    _ denials: Denials, of childID: String, at instrument: Instrument
  ) async throws -> Bool {
    let isBelieved = try await isBelieved(denials, at: instrument)
    guard isBelieved || Mutant.isOn(.firstDenialBelieved),
      let (_, child) = await router.child(childID)
    else { return false }
    if child.isLive, child.wasAcknowledged {
      let key = OpenMatters.Key(kind: .proof, subject: childID)
      guard try await listFills(child, childID, key, at: instrument) else { return false }
    }
    if await router.child(childID)?.child.isLive == true {
      try await router.take(.denied(childID: childID), at: instrument)
    }
    if await router.child(childID)?.child.disputes.isEmpty == false {
      try await router.take(.settled(childID: childID), at: instrument)
    }
    return true
  }

  /// A denial counts from then on: the setting, or how long requests can take effect at the venue. Nil
  /// while that is not known, and no denial counts.
  private func denialAfter(at instrument: Instrument) async -> Duration? {
    let venue = instrument.venue.name
    if let known = lanes.settlesAfter(at: venue) { return max(config.denialAfter, known) }
    var request = MarketV1.GetVenueRequest()
    request.venue = venue
    do throws(RPCError) {
      let told = try await market.getVenue(request, within(config.placeTimeout)).settlesAfterMs
      guard told > 0 else { return config.denialAfter }
      lanes.learn(venue, settlesAfter: .milliseconds(Int64(clamping: told)))
      return max(config.denialAfter, .milliseconds(Int64(clamping: told)))
    } catch {
      return nil
    }
  }

  enum Answer: Sendable {
    case known(VenueReport)
    case denied(String)
    /// `hasWaited`: in its lane, for a venue that says nothing to anybody.
    case silent(reason: String, hasWaited: Bool)
  }

  /// One question. What the venue says of a child that had ended before it was asked is told as such.
  @discardableResult
  func ask(_ childID: String, at instrument: Instrument) async throws -> Answer {
    guard let (_, before) = await router.child(childID) else {
      return .silent(reason: "unknown", hasWaited: false)
    }
    var request = MarketV1.QueryVenueOrderRequest()
    request.venue = instrument.venue.name
    request.symbol = instrument.symbol
    request.clientOrderId = childID
    let answer = try await lanes.questions(at: instrument.venue.name).run {
      let outcome = await Self.outcome(at: instrument) { () throws(RPCError) in
        try await venues.queryOrder(request, within(config.placeTimeout))
      }
      return VenueLane.Outcome(value: outcome, isAnswer: outcome.isOfTheOrder)
    }
    switch answer {
    case .acknowledged(let report):
      try await router.take(
        before.isLive ? .reported(report) : .appeared(report), at: instrument)
      return .known(report)
    case .rejected(.unknownOrder, let text): return .denied(text)
    case .rejected(let reason, let text):
      return .silent(reason: "\(reason.name): \(text)", hasWaited: !answer.isOfTheOrder)
    case .unknown(let reason): return .silent(reason: reason, hasWaited: true)
    }
  }

  /// True when the venue has listed them.
  @discardableResult
  private func listFills(
    _ child: ChildLifecycle, _ childID: String, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws -> Bool {
    guard let listed = try await fills(of: child.venueOrderID, key, at: instrument) else {
      return false
    }
    for wire in listed.fills {
      let fill = try VenueFill(wire.fitted(to: instrument), instrument)
      // The venue's status of the order was told before; here only its fills are.
      try await router.take(
        .reported(
          VenueReport(
            instrument: instrument.id, clientOrderID: childID, venueOrderID: child.venueOrderID,
            status: .partiallyFilled, filledQuantity: .zero, fill: fill,
            exchangeTime: fill.exchangeTime)), at: instrument)
    }
    if await router.child(childID)?.child.missesFills == true {
      matters.note(key, "the venue has not listed every fill yet")
    }
    // What is missing may be a fill.
    if let gap = listed.missing.first { matters.note(key, "a fill cannot be read: \(gap.reason)") }
    return listed.missing.isEmpty
  }

  /// As the venue lists them; nil when it does not.
  func fills(
    of venueOrderID: String, _ key: OpenMatters.Key, at instrument: Instrument
  ) async throws -> MarketV1.ListVenueFillsResponse? {
    var request = MarketV1.ListVenueFillsRequest()
    request.venue = instrument.venue.name
    request.symbol = instrument.symbol
    request.venueOrderId = venueOrderID
    return try await lanes.questions(at: instrument.venue.name).run {
      do throws(RPCError) {
        let fills = try await venues.listFills(request, within(config.placeTimeout))
        return VenueLane.Outcome(
          value: MarketV1.ListVenueFillsResponse?.some(fills), isAnswer: true)
      } catch {
        matters.note(key, "\(error.code.name): \(error.message)")
        return VenueLane.Outcome(value: MarketV1.ListVenueFillsResponse?.none, isAnswer: false)
      }
    }
  }
}
