internal import Units
internal import Venue

/// What events do to an order once they are judged.
extension OrderLifecycle {
  mutating func take(_ event: OrderEvent) {
    switch (phase, event) {
    case (_, .filled(let fill, let total)): take(fill, total: total)
    case (_, .setAside): setAsideCount += 1
    case (.live(let flight), .reappeared(_, let id)):
      venueOrderID = id
      phase = .live(flight.acknowledged())
    case (.closed, .reappeared(let terms, let id)): revive(terms, id)
    case (.live(let flight), .cancelRequested), (.live(let flight), .cancelRejected),
      (.live(let flight), .replaceRequested), (.live(let flight), .replaced),
      (.live(let flight), .replaceRejected):
      takeAmendment(event, flight)
    case (.live(let flight), _): takeProgress(event, flight)
    case (.closed, _): break
    }
  }

  private mutating func takeProgress(_ event: OrderEvent, _ flight: Flight) {
    switch event {
    case .accepted: phase = .live(flight.advanced(to: .journaled))
    case .sentToVenue: phase = .live(flight.advanced(to: .sent))
    case .venueAcknowledged(let id):
      venueOrderID = id
      phase = .live(flight.acknowledged())
    case .becameUnknown(let reason):
      var next = flight.advanced(to: .sent)
      next.doubt = reason
      phase = .live(next)
    case .cancelled(let total, let text): close(.cancelled(text: text), total: total, flight)
    case .expired(let total): close(.expired, total: total, flight)
    case .rejected(let reason, let text):
      // A part of it has lived: what the venue has refused is the rest.
      let hasFilled = filledQuantity > .zero
      phase = .closed(
        hasFilled
          ? .cancelled(text: "\(reason.name): \(text)") : .rejected(reason, text: text))
    default: break
    }
  }

  private mutating func takeAmendment(_ event: OrderEvent, _ flight: Flight) {
    var next = flight
    switch event {
    case .cancelRequested(let reason): next.cancelReason = reason
    case .cancelRejected:
      next.cancelReason = nil
      next = next.answered()
    case .replaceRequested(let terms):
      next.replacement = terms
      next.replacementVersion = sequence + 1
    case .replaced(let id):
      terms = flight.replacement ?? terms
      (next.replacement, next.replacementVersion) = (nil, 0)
      next = next.answered()
      if let id { venueOrderID = id }
    case .replaceRejected:
      (next.replacement, next.replacementVersion) = (nil, 0)
      next = next.answered()
    default: break
    }
    let isFull = next.replacement == nil && filledQuantity >= terms.quantity
    phase = isFull ? .closed(.filled) : .live(next)
  }

  private mutating func take(_ fill: VenueFill, total: Quantity?) {
    executions.insert(fill.executionID)
    filledQuantity += fill.quantity
    filledNotional += fill.price * fill.quantity
    venueFilled = max(venueFilled, max(filledQuantity, total ?? .zero))
    guard case .live(let flight) = phase else { return }
    let most = quantityMax(flight)
    guard filledQuantity >= most else {
      phase = .live(flight.acknowledged())
      return
    }
    // Filling a larger replacement whole proves that the venue has replaced.
    terms.quantity = most
    phase = .closed(.filled)
  }

  private mutating func close(_ closing: Closing, total: Quantity?, _ flight: Flight) {
    venueFilled = max(venueFilled, total ?? .zero)
    if venueFilled > terms.quantity { terms.quantity = quantityMax(flight) }
    phase = .closed(closing)
  }

  /// It lives at the venue, whatever was believed here; whoever was told its end wants it gone.
  private mutating func revive(_ terms: OrderTerms, _ id: String) {
    self.terms = terms
    venueOrderID = id
    var flight = Flight()
    flight.progress = .acknowledged
    flight.cancelReason = "it had ended here, and the venue has it"
    phase = .live(flight)
  }
}

extension OrderLifecycle.Flight {
  func advanced(to progress: OrderLifecycle.Progress) -> OrderLifecycle.Flight {
    var next = self
    next.progress = max(self.progress, progress)
    return next
  }

  /// Proof that the venue has the order: ends a doubt, unless a cancel or a replacement is also
  /// unanswered, for of these it proves nothing.
  func acknowledged() -> OrderLifecycle.Flight {
    var next = advanced(to: .acknowledged)
    if !awaitsAnswer { next.doubt = nil }
    return next
  }

  /// One of the two requests was answered; the doubt ends when none is left.
  func answered() -> OrderLifecycle.Flight {
    var next = self
    if !awaitsAnswer { next.doubt = nil }
    return next
  }
}
