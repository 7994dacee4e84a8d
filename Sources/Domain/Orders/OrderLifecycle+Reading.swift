package import Units

/// What an order says of itself.
extension OrderLifecycle {
  package var status: OrderStatus {
    switch phase {
    case .closed(let closing): return closing.status
    case .live(let flight):
      if flight.doubt != nil { return .unknown }
      if flight.cancelReason != nil { return .pendingCancel }
      if flight.replacement != nil { return .pendingReplace }
      if flight.progress < .acknowledged { return .pendingNew }
      return filledQuantity > .zero ? .partiallyFilled : .new
    }
  }

  package var isTerminal: Bool { status.isTerminal }

  /// How it ended; nil while live.
  package var closing: Closing? {
    if case .closed(let closing) = phase { closing } else { nil }
  }

  /// The replacement that the venue has not answered yet.
  package var pendingTerms: OrderTerms? {
    if case .live(let flight) = phase { flight.replacement } else { nil }
  }

  /// The version that it was asked for as, which no later event changes.
  package var pendingVersion: UInt32? {
    guard case .live(let flight) = phase, flight.replacement != nil else { return nil }
    return flight.replacementVersion
  }

  package var isCancelRequested: Bool {
    if case .live(let flight) = phase { flight.cancelReason != nil } else { false }
  }

  /// Whether the venue may have it: from then on silence is doubt.
  package var wasSent: Bool {
    if case .live(let flight) = phase { flight.progress >= .sent } else { true }
  }

  /// Why nobody knows; nil when the status is not UNKNOWN.
  package var doubt: String? {
    if case .live(let flight) = phase { flight.doubt } else { nil }
  }

  /// What may still fill in the worst case: the exposure that must stay reserved.
  package var openQuantity: Quantity {
    switch phase {
    case .live(let flight): max(.zero, quantityMax(flight) - filledQuantity)
    case .closed: max(.zero, venueFilled - filledQuantity)
    }
  }

  /// What ended without ever filling; zero while live. Filled + open + this = quantity + overfilled.
  package var releasedQuantity: Quantity {
    switch phase {
    case .live: .zero
    case .closed: max(.zero, terms.quantity - venueFilled)
    }
  }

  /// What the venue has filled, or says to have filled, beyond what was ordered.
  package var overfilledQuantity: Quantity {
    switch phase {
    case .live(let flight): max(.zero, filledQuantity - quantityMax(flight))
    case .closed: max(.zero, max(filledQuantity, venueFilled) - terms.quantity)
    }
  }

  func quantityMax(_ flight: Flight) -> Quantity {
    max(terms.quantity, flight.replacement?.quantity ?? .zero)
  }

  /// Filled notional over filled quantity with `scale` decimal places, the last one rounded half
  /// up; nil before the first fill. The exact value is the pair itself.
  package func averagePrice(priceScale: UInt8, scale: UInt8) -> Decimal? {
    guard filledQuantity > .zero, scale >= priceScale else { return nil }
    guard let factor = powerOfTen(scale - priceScale) else { return nil }
    let divisor = Int128(filledQuantity.raw)
    let whole = filledNotional.raw / divisor
    let remainder = filledNotional.raw % divisor
    // The remainder is below 2^63 and the factor at most 10^18: their product fits.
    let fraction = (remainder * Int128(factor) * 2 + divisor) / (divisor * 2)
    return try? Decimal(exactly: whole * Int128(factor) + fraction, scale: scale)
  }
}
