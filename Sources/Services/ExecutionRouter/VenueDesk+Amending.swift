internal import Calls
internal import Contracts
internal import Execution
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Venue

/// Changes of children in place.
extension VenueDesk {
  /// Sent once: the terms are whole ones, and what the venue made of them is asked for.
  func amend(_ amendment: VenueAmendment, _ version: UInt32, at instrument: Instrument) {
    context.spawn("amend child") {
      let id = amendment.clientOrderID
      switch await answer(to: MarketV1.AmendVenueOrderRequest(amendment, instrument), instrument) {
      case .changed(let report):
        amendments.with("acknowledged").increment()
        try await router.take(.reported(report), at: instrument)
        try await see(report, version, isSettled: false, at: instrument)
        // The venue has taken the request, and has not carried it out yet.
        if await router.child(id)?.child.unansweredVersion == version {
          query(id, at: instrument)
        }
      case .refused(let reason, let text, let notInPlace):
        amendments.with("rejected").increment()
        try await router.take(
          .amendRefused(
            childID: id, version: version, reason, text: text, notInPlace: notInPlace),
          at: instrument)
      case .silent(let reason):
        amendments.with("unknown").increment()
        silences.increment()
        try await router.take(
          .amendSilent(childID: id, version: version, reason: reason), at: instrument)
      }
    }
  }

  /// Tells the ledger the terms that the venue has named, if it has.
  func see(
    _ report: VenueReport, _ version: UInt32, isSettled: Bool, at instrument: Instrument
  ) async throws {
    guard let quantity = report.quantity else { return }
    let terms = OrderTerms(price: report.price, quantity: quantity)
    try await router.take(
      .amendSeen(
        childID: report.clientOrderID, version: version, terms, isSettled: isSettled),
      at: instrument)
  }

  private enum AmendAnswer {
    case changed(VenueReport)
    case refused(RejectReason, text: String, notInPlace: Bool)
    case silent(reason: String)
  }

  private func answer(
    to request: MarketV1.AmendVenueOrderRequest, _ instrument: Instrument
  ) async -> AmendAnswer {
    var notInPlace = false
    let outcome = await Self.outcome(at: instrument) { () throws(RPCError) in
      let wire = try await venues.amendOrder(request, within(config.placeTimeout))
      if case .rejected(let rejection) = wire.outcome { notInPlace = rejection.notInPlace }
      return wire
    }
    return switch outcome {
    case .acknowledged(let report): .changed(report)
    case .rejected(let reason, let text): .refused(reason, text: text, notInPlace: notInPlace)
    case .unknown(let reason): .silent(reason: reason)
    }
  }
}
