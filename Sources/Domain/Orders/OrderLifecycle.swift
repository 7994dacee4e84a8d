package import Chrono
package import Units
internal import Venue

/// The life of one order: events in, status out, nothing lost and nothing guessed.
///
/// An order is *live* until it has *closed*. While live it remembers how far it has come (drafted,
/// journaled, sent, acknowledged) and what is in flight: a cancel, a replacement, a doubt. Its
/// status is read from these, the most urgent first: UNKNOWN, PENDING_CANCEL, PENDING_REPLACE,
/// PENDING_NEW, PARTIALLY_FILLED, NEW.
///
/// - Nothing but `accepted` may come first: what is not on disk does not exist.
/// - Silence makes it UNKNOWN and never ends it. Only the venue's word ends it; `openQuantity`, the
///   exposure, stays until then. In doubt about a replacement the larger quantity counts.
/// - The ends (FILLED, CANCELLED, REJECTED, EXPIRED) absorb: the status never changes again.
/// - A fill may still come after the end, because a fill and a cancel race at the venue. It is
///   counted if the venue's own total (of the fill, of the cancel report, of a query) covers it;
///   the status stays, and until it has come `openQuantity` holds it. A fill that no total explains
///   is a fault.
/// - A fill is counted once per execution id. More than the order's quantity is the venue's fault.
/// - A fault leaves the order as it was.
package struct OrderLifecycle: Sendable, Hashable {
  package let order: Order
  /// The terms now in force at the venue, as far as it has confirmed them.
  package private(set) var terms: OrderTerms
  package private(set) var venueOrderID: String?
  package private(set) var filledQuantity = Quantity.zero
  /// The exact sum of price times quantity over all fills.
  package private(set) var filledNotional = Notional.zero
  /// The highest total that the venue has claimed: at least `filledQuantity`, and more while fills
  /// are under way.
  package private(set) var venueFilled = Quantity.zero
  /// The number of the last event that changed anything; the first is 1.
  package private(set) var sequence: UInt32 = 0
  package private(set) var updatedTime: Instant
  private var phase = Phase.live(Flight())
  private var executions: Set<String> = []

  package init(_ order: Order) {
    self.order = order
    self.terms = OrderTerms(price: order.price, quantity: order.quantity)
    self.updatedTime = order.createdTime
  }

  fileprivate enum Phase: Sendable, Hashable {
    case live(Flight)
    case closed(Closing)
  }

  /// How far a live order has come, and what is in flight.
  fileprivate struct Flight: Sendable, Hashable {
    var progress = Progress.drafted
    var cancelReason: String?
    var replacement: OrderTerms?
    var doubt: String?

    var awaitsAnswer: Bool { cancelReason != nil || replacement != nil }
  }

  fileprivate enum Progress: Int, Comparable {
    case drafted, journaled, sent, acknowledged
    static func < (left: Progress, right: Progress) -> Bool { left.rawValue < right.rawValue }
  }

  /// Takes one event. What repeats or comes too late to matter is `ignored`, not a fault.
  package mutating func apply(
    _ event: OrderEvent, at time: Instant
  ) throws(OrderFault) -> OrderEffect {
    let from = status
    let before = landmarks
    let ignored = try take(event)
    if let ignored { return .ignored(ignored) }
    guard landmarks != before else { return .ignored(.repeated) }
    sequence += 1
    updatedTime = time
    return .applied(sequence: sequence, from: from, to: status)
  }

  private struct Landmarks: Equatable {
    var phase: Phase
    var terms: OrderTerms
    var venueOrderID: String?
    var filled: Quantity
    var venueFilled: Quantity
  }

  private var landmarks: Landmarks {
    Landmarks(
      phase: phase, terms: terms, venueOrderID: venueOrderID, filled: filledQuantity,
      venueFilled: venueFilled)
  }

  /// Every branch checks first and changes last, so that a throw changes nothing.
  private mutating func take(_ event: OrderEvent) throws(OrderFault) -> IgnoredEvent? {
    switch (phase, event) {
    case (.closed(let closing), .filled(let fill, let total)):
      return try takeLate(fill, total: total, closing: closing)
    case (.closed(let closing), .resolved(let truth)):
      return try recheck(truth, closing: closing)
    case (.closed, .replaceRequested):
      throw .illegal(event.kind, in: status)
    case (.closed, _):
      return .closed
    case (.live(let flight), .accepted):
      phase = .live(flight.advanced(to: .journaled))
      return nil
    case (.live(let flight), _) where flight.progress == .drafted:
      throw .illegal(event.kind, in: status)
    case (.live(let flight), .filled(let fill, let total)):
      return try takeLive(fill, total: total, flight: flight)
    case (.live(let flight), .resolved(let truth)):
      return try settle(truth, flight: flight)
    case (.live(let flight), .cancelRequested), (.live(let flight), .cancelRejected),
      (.live(let flight), .replaceRequested), (.live(let flight), .replaced),
      (.live(let flight), .replaceRejected):
      return try takeAmendment(event, flight: flight)
    case (.live(let flight), _):
      return try takeProgress(event, flight: flight)
    }
  }
}

// MARK: - What it says

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
    case .live(let flight): quantityMax(flight) - filledQuantity
    case .closed: venueFilled - filledQuantity
    }
  }

  /// What ended without ever filling; zero while live. Filled + open + this = quantity.
  package var releasedQuantity: Quantity {
    switch phase {
    case .live: .zero
    case .closed: terms.quantity - venueFilled
    }
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

  private func quantityMax(_ flight: Flight) -> Quantity {
    max(terms.quantity, flight.replacement?.quantity ?? .zero)
  }
}

// MARK: - Requests and their answers

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

extension OrderLifecycle {
  private mutating func takeProgress(
    _ event: OrderEvent, flight: Flight
  ) throws(OrderFault) -> IgnoredEvent? {
    switch event {
    case .sentToVenue:
      phase = .live(flight.advanced(to: .sent))
    case .venueAcknowledged(let id):
      try checkIdentity(id, flight: flight)
      venueOrderID = id
      phase = .live(flight.acknowledged())
    case .becameUnknown(let reason):
      guard flight.doubt == nil else { return .repeated }
      var next = flight.advanced(to: .sent)
      next.doubt = reason
      phase = .live(next)
    case .cancelled(let total):
      try close(.cancelled, total: total, flight: flight)
    case .expired(let total):
      try close(.expired, total: total, flight: flight)
    case .rejected(let reason, let text):
      guard flight.progress < .acknowledged else { throw .illegal(.rejected, in: status) }
      phase = .closed(.rejected(reason, text: text))
    default:
      throw .illegal(event.kind, in: status)
    }
    return nil
  }

  private mutating func takeAmendment(
    _ event: OrderEvent, flight: Flight
  ) throws(OrderFault) -> IgnoredEvent? {
    var next = flight
    switch event {
    case .cancelRequested(let reason):
      guard flight.cancelReason == nil else { return .repeated }
      next.cancelReason = reason
    case .cancelRejected:
      guard flight.cancelReason != nil else { return .notRequested }
      next.cancelReason = nil
      next = next.answered()
    case .replaceRequested(let terms):
      guard flight.progress == .acknowledged, !flight.awaitsAnswer, flight.doubt == nil else {
        throw .illegal(.replaceRequested, in: status)
      }
      guard isValid(terms) else { throw .invalidTerms(terms, filled: venueFilled) }
      next.replacement = terms
    case .replaced(let id):
      guard let replacement = flight.replacement else { return .notRequested }
      guard venueFilled <= replacement.quantity else {
        throw .overfill(venueFilled, open: replacement.quantity)
      }
      next.replacement = nil
      next = next.answered()
      terms = replacement
      if let id { venueOrderID = id }
    case .replaceRejected:
      guard flight.replacement != nil else { return .notRequested }
      guard venueFilled <= terms.quantity else {
        throw .contradiction(
          .replaceRejectedAfterFills(filled: venueFilled, quantity: terms.quantity))
      }
      next.replacement = nil
      next = next.answered()
    default:
      throw .illegal(event.kind, in: status)
    }
    let isFull = next.replacement == nil && filledQuantity == terms.quantity
    phase = isFull ? .closed(.filled) : .live(next)
    return nil
  }

  private func isValid(_ terms: OrderTerms) -> Bool {
    guard terms.quantity > venueFilled else { return false }
    guard let price = terms.price else { return order.type == .market }
    return order.type == .limit && price > .zero
  }

  /// A venue's id may change with a replacement only.
  private func checkIdentity(_ id: String, flight: Flight) throws(OrderFault) {
    guard let known = venueOrderID, known != id, flight.replacement == nil else { return }
    throw .contradiction(.venueOrderIDChanged(from: known, to: id))
  }
}

// MARK: - Fills and ends

extension OrderLifecycle {
  private mutating func takeLive(
    _ fill: VenueFill, total: Quantity?, flight: Flight
  ) throws(OrderFault) -> IgnoredEvent? {
    if executions.contains(fill.executionID) { return .duplicateExecution }
    let most = quantityMax(flight)
    try check(fill, total: total, most: most)
    count(fill, total: total)
    if filledQuantity == most {
      // Filling a larger replacement whole proves that the venue has replaced.
      terms.quantity = most
      phase = .closed(.filled)
    } else {
      phase = .live(flight.acknowledged())
    }
    return nil
  }

  private mutating func takeLate(
    _ fill: VenueFill, total: Quantity?, closing: Closing
  ) throws(OrderFault) -> IgnoredEvent? {
    if executions.contains(fill.executionID) { return .duplicateExecution }
    try check(fill, total: total, most: terms.quantity)
    let explained = max(venueFilled, total ?? .zero)
    guard closing.mayHaveFilled, filledQuantity + fill.quantity <= explained else {
      throw .unexplainedFill(executionID: fill.executionID, in: closing.status)
    }
    count(fill, total: total)
    return nil
  }

  private func check(
    _ fill: VenueFill, total: Quantity?, most: Quantity
  ) throws(OrderFault) {
    guard fill.price > .zero, fill.quantity > .zero else {
      throw .malformedFill(executionID: fill.executionID)
    }
    let open = most - filledQuantity
    guard fill.quantity <= open else { throw .overfill(fill.quantity, open: open) }
    guard (total ?? .zero) <= most else { throw .overfill(total ?? .zero, open: most) }
  }

  private mutating func count(_ fill: VenueFill, total: Quantity?) {
    executions.insert(fill.executionID)
    filledQuantity += fill.quantity
    filledNotional += fill.price * fill.quantity
    venueFilled = max(venueFilled, max(filledQuantity, total ?? .zero))
  }

  private mutating func close(
    _ closing: Closing, total: Quantity?, flight: Flight
  ) throws(OrderFault) {
    let total = total ?? venueFilled
    guard total >= venueFilled else {
      throw .contradiction(.totalBelowFills(total: total, filled: venueFilled))
    }
    let most = quantityMax(flight)
    guard total <= most else { throw .overfill(total, open: most) }
    if total > terms.quantity { terms.quantity = most }
    venueFilled = total
    phase = .closed(closing)
  }
}

// MARK: - The venue's word, asked for

extension OrderLifecycle {
  private mutating func settle(
    _ truth: VenueTruth, flight: Flight
  ) throws(OrderFault) -> IgnoredEvent? {
    switch truth {
    case .open(let id, let venueTerms, let total):
      return try settleOpen(id: id, venueTerms: venueTerms, total: total, flight: flight)
    case .filled(let id, let total):
      let replaced = flight.replacement?.quantity
      guard total == terms.quantity || total == replaced else {
        throw .contradiction(.totalIsNotQuantity(total: total, quantity: terms.quantity))
      }
      try checkIdentity(id, flight: flight)
      try close(.filled, total: total, flight: flight)
      terms.quantity = total
      venueOrderID = id
    case .cancelled(let total):
      try close(.cancelled, total: total, flight: flight)
    case .expired(let total):
      try close(.expired, total: total, flight: flight)
    case .rejected(let reason, let text):
      guard filledQuantity == .zero else {
        throw .contradiction(.deniedAfterFills(filled: filledQuantity))
      }
      phase = .closed(.rejected(reason, text: text))
    case .absent:
      guard filledQuantity == .zero else {
        throw .contradiction(.deniedAfterFills(filled: filledQuantity))
      }
      guard flight.progress < .acknowledged else {
        throw .contradiction(.deniedAfterAcknowledgement)
      }
      phase = .closed(.rejected(.venueUnavailable, text: "the order never reached the venue"))
    }
    return nil
  }

  private mutating func settleOpen(
    id: String, venueTerms: OrderTerms?, total: Quantity, flight: Flight
  ) throws(OrderFault) -> IgnoredEvent? {
    // An answer older than the fills that overtook it.
    guard total >= filledQuantity else { return .stale }
    if let venueTerms, venueTerms.quantity <= .zero || (venueTerms.price ?? Price(1)) <= .zero {
      throw .invalidTerms(venueTerms, filled: filledQuantity)
    }
    let most = venueTerms?.quantity ?? quantityMax(flight)
    let claimed = max(total, venueFilled)
    guard claimed <= most else { throw .overfill(claimed, open: most) }
    try checkIdentity(id, flight: flight)
    var next = flight.advanced(to: .acknowledged)
    if let venueTerms {
      terms = venueTerms
      next.replacement = nil
    }
    if flight.doubt != nil {
      // It rests there after all: the cancel did not take, and may be asked for again.
      next.cancelReason = nil
      if next.replacement == nil { next.doubt = nil }
    }
    venueOrderID = id
    venueFilled = claimed
    phase = .live(next)
    return nil
  }

  private mutating func recheck(
    _ truth: VenueTruth, closing: Closing
  ) throws(OrderFault) -> IgnoredEvent? {
    let total: Quantity
    switch truth {
    case .open: throw .contradiction(.openAfterEnd(closing.status))
    case .rejected, .absent: return .closed
    case .filled(_, let filled), .cancelled(let filled), .expired(let filled): total = filled
    }
    guard total > venueFilled else { return .closed }
    guard closing.mayHaveFilled else {
      throw .contradiction(.filledAfterRejection(filled: total))
    }
    guard total <= terms.quantity else { throw .overfill(total, open: terms.quantity) }
    venueFilled = total
    return nil
  }
}
