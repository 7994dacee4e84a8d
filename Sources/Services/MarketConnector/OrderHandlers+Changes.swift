internal import Calls
internal import Contracts
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

/// Changes of orders that wait at a venue.
extension OrderHandlers {
  func amendOrder(
    _ request: MarketV1.AmendVenueOrderRequest, _ context: ServerContext
  ) async throws -> MarketV1.VenueOrderOutcome {
    let link = try link(request.venue)
    let instrument: Instrument
    do throws(RPCError) {
      instrument = try await link.instrument(request.symbol)
    } catch {
      guard error.code == .unavailable else { throw error }
      // Nothing was sent, so it is a refusal and no doubt.
      return MarketV1.VenueOrderOutcome(refused: .venueUnavailable, text: error.message)
    }
    let amendment = try VenueAmendment(request, instrument)
    if let refusal = refusal(link, instrument) {
      return MarketV1.VenueOrderOutcome(refusal, instrument)
    }
    let outcome = await link.session.orders.amend(amendment)
    var answer = MarketV1.VenueOrderOutcome(outcome, instrument)
    if case .rejected(.venuePolicy, _) = outcome, case .rejected(var rejection) = answer.outcome {
      rejection.notInPlace = true
      answer.outcome = .rejected(rejection)
    }
    return answer
  }

  /// Rounds of cancelling: orders may be placed while others are cancelled.
  private static let roundsMax = 3

  /// Passes whatever the venue's policy and hours are.
  func cancelAllOrders(
    _ request: MarketV1.CancelAllVenueOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.CancelAllVenueOrdersResponse {
    let link = try link(request.venue)
    let instrument = try await link.instrument(request.symbol)
    var response = MarketV1.CancelAllVenueOrdersResponse()
    var left = 0
    var gap: VenueListGap?
    do throws(VenueError) {
      for _ in 0..<Self.roundsMax {
        let cancelled = try await link.session.orders.cancelAll(of: instrument.id)
        response.cancelled += cancelled.rows.map { MarketV1.VenueReport($0, instrument) }
        let open = try await link.session.orders.openOrders(of: instrument.id)
        (left, gap) = (open.rows.count, open.missing.first)
        if left == 0, gap == nil { break }
      }
    } catch {
      throw unproven(error.reason, error.description, request)
    }
    service.log.warning(
      "every order was cancelled on demand",
      [
        "venue": .text(link.venue), "symbol": .text(instrument.symbol),
        "cancelled": .text("\(response.cancelled.count)"), "left": .text("\(left)"),
        "caller": .text(context.identity.service ?? ""),
      ])
    guard left == 0 else {
      throw unproven(
        .venueUnavailable, "still open after \(Self.roundsMax) rounds: \(left)", request)
    }
    if let gap {
      throw unproven(.venueUnavailable, "what is open cannot be read whole: \(gap.text)", request)
    }
    return response
  }

  private func unproven(
    _ reason: RejectReason, _ what: String, _ request: MarketV1.CancelAllVenueOrdersRequest
  ) -> RPCError {
    let text =
      "\(request.venue): \(what). Orders in \(request.symbol) may be cancelled or open: ask "
      + "ListOpenOrders what is left, and call CancelAllOrders again; it may be repeated"
    return reason.error(
      text, domain: "market-connector.shrivenquant",
      metadata: ["venue": request.venue, "symbol": request.symbol], retryAfter: .seconds(1))
  }
}
