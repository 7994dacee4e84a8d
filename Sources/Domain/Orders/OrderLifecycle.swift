package import Chrono
internal import Mutants
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
/// - The ends (FILLED, CANCELLED, REJECTED, EXPIRED) absorb, with one way back: the venue has the order
///   after all (`reappeared`). Then it lives again, and is being cancelled.
/// - The venue is the authority about fills: each counts once by its execution id, whatever the order
///   had come to, also after its end and beyond its quantity. Later ones change no status.
/// - What the venue says is never lost: `decide` makes of every word the events that are to be kept. What
///   does not fit is taken where it can be, and set aside with its reason where it cannot.
/// - A request of ours that the order cannot take is a fault, and leaves it as it was.
package struct OrderLifecycle: Sendable, Hashable {
  package let order: Order
  /// The terms now in force at the venue, as far as it has confirmed them.
  package internal(set) var terms: OrderTerms
  package internal(set) var venueOrderID: String?
  package internal(set) var filledQuantity = Quantity.zero
  /// The exact sum of price times quantity over all fills.
  package internal(set) var filledNotional = Notional.zero
  /// The highest total that the venue has claimed: at least `filledQuantity`, and more while fills
  /// are under way.
  package internal(set) var venueFilled = Quantity.zero
  /// The number of the last event that changed anything; the first is 1.
  package private(set) var sequence: UInt32 = 0
  package private(set) var updatedTime: Instant
  /// Words of the venue that did not fit.
  package internal(set) var setAsideCount: UInt32 = 0
  var phase = Phase.live(Flight())
  var executions: Set<String> = []

  package init(_ order: Order) {
    self.order = order
    self.terms = OrderTerms(price: order.price, quantity: order.quantity)
    self.updatedTime = order.createdTime
  }

  mutating func restore(sequence: UInt32, updatedTime: Instant) {
    self.sequence = sequence
    self.updatedTime = updatedTime
  }

  enum Phase: Sendable, Hashable {
    case live(Flight)
    case closed(Closing)
  }

  /// How far a live order has come, and what is in flight.
  struct Flight: Sendable, Hashable {
    var progress = Progress.drafted
    var cancelReason: String?
    var replacement: OrderTerms?
    /// The number of the event that asked for it: its name, also after a restart.
    var replacementVersion: UInt32 = 0
    var doubt: String?

    var awaitsAnswer: Bool { cancelReason != nil || replacement != nil }
  }

  enum Progress: Int, Comparable {
    case drafted, journaled, sent, acknowledged
    static func < (left: Progress, right: Progress) -> Bool { left.rawValue < right.rawValue }
  }

  /// What a word of the venue comes to: the events to apply and to keep, in order. Itself, itself and
  /// that it did not fit, or only that; nothing when it repeats what is known.
  package func decide(_ event: OrderEvent) throws(OrderFault) -> [OrderEvent] {
    switch try judge(event) {
    case .fits: [event]
    case .takenThough(let fault): [event, .setAside(fault.problem)]
    case .setAside(let fault): [.setAside(fault.problem)]
    case .ignored: []
    }
  }

  /// Takes one event. What repeats or comes too late to matter is `ignored`, not a fault. An event that
  /// does not fit is applied as far as it goes, as `decide` has said.
  package mutating func apply(
    _ event: OrderEvent, at time: Instant
  ) throws(OrderFault) -> OrderEffect {
    let from = status
    switch try judge(event) {
    case .ignored(let why): return .ignored(why)
    case .setAside: setAsideCount += 1
    case .fits, .takenThough: take(event)
    }
    sequence += 1
    updatedTime = time
    return .applied(sequence: sequence, from: from, to: status)
  }

  /// What an event is to the order as it stands.
  private enum Judgement {
    case fits
    case takenThough(OrderFault)
    case setAside(OrderFault)
    case ignored(IgnoredEvent)
  }

  private func judge(_ event: OrderEvent) throws(OrderFault) -> Judgement {
    switch (phase, event) {
    case (.live(let flight), .accepted):
      return flight.progress == .drafted ? .fits : .ignored(.repeated)
    case (.live(let flight), _) where flight.progress == .drafted:
      throw .illegal(event.kind, in: status)
    case (_, .setAside), (_, .reappeared): return .fits
    case (_, .filled(let fill, let total)): return judge(fill, total: total)
    case (.closed, .replaceRequested): throw .illegal(event.kind, in: status)
    case (.closed, _): return .ignored(.closed)
    case (.live(let flight), .replaceRequested(let terms)):
      guard flight.progress == .acknowledged, !flight.awaitsAnswer, flight.doubt == nil else {
        throw .illegal(.replaceRequested, in: status)
      }
      guard isValid(terms) else { throw .invalidTerms(terms, filled: venueFilled) }
      return .fits
    case (.live(let flight), _): return judge(event, flight)
    }
  }

  private func judge(_ event: OrderEvent, _ flight: Flight) -> Judgement {
    switch event {
    case .sentToVenue: return flight.progress >= .sent ? .ignored(.repeated) : .fits
    case .venueAcknowledged(let id):
      if let known = venueOrderID, known != id, flight.replacement == nil {
        return .takenThough(.contradiction(.venueOrderIDChanged(from: known, to: id)))
      }
      let isKnown = venueOrderID == id && flight.acknowledged() == flight
      return isKnown ? .ignored(.repeated) : .fits
    case .becameUnknown: return flight.doubt == nil ? .fits : .ignored(.repeated)
    case .cancelRequested: return flight.cancelReason == nil ? .fits : .ignored(.repeated)
    case .cancelRejected: return flight.cancelReason == nil ? .ignored(.notRequested) : .fits
    case .replaced:
      guard let terms = flight.replacement else { return .ignored(.notRequested) }
      return judge(claim: venueFilled, most: terms.quantity)
    case .replaceRejected:
      guard flight.replacement != nil else { return .ignored(.notRequested) }
      guard venueFilled > terms.quantity else { return .fits }
      return .takenThough(
        .contradiction(.replaceRejectedAfterFills(filled: venueFilled, quantity: terms.quantity)))
    case .rejected:
      guard filledQuantity > .zero else { return .fits }
      return .takenThough(.contradiction(.rejectedAfterFills(filled: filledQuantity)))
    case .cancelled(let total, _), .expired(let total):
      let claim = total ?? venueFilled
      guard claim >= venueFilled else {
        return .takenThough(.contradiction(.totalBelowFills(total: claim, filled: venueFilled)))
      }
      return judge(claim: claim, most: quantityMax(flight))
    case .accepted, .filled, .replaceRequested, .reappeared, .setAside: return .fits
    }
  }

  private func judge(_ fill: VenueFill, total: Quantity?) -> Judgement {
    if executions.contains(fill.executionID), !Mutant.isOn(.fillCountsTwice) {
      return .ignored(.duplicateExecution)
    }
    guard fill.price > .zero, fill.quantity > .zero,
      !filledQuantity.raw.addingReportingOverflow(fill.quantity.raw).overflow
    else { return .setAside(.malformedFill(executionID: fill.executionID)) }
    let filled = filledQuantity + fill.quantity
    switch phase {
    case .live(let flight):
      let open = max(.zero, quantityMax(flight) - filledQuantity)
      return fill.quantity > open
        ? .takenThough(.overfill(fill.quantity, open: open))
        : judge(claim: total ?? .zero, most: quantityMax(flight))
    case .closed(let closing):
      guard closing.mayHaveFilled, filled <= max(venueFilled, total ?? .zero) else {
        return .takenThough(
          .unexplainedFill(executionID: fill.executionID, in: closing.status))
      }
      let open = max(.zero, terms.quantity - filledQuantity)
      return fill.quantity > open ? .takenThough(.overfill(fill.quantity, open: open)) : .fits
    }
  }

  /// A total of the venue's.
  private func judge(claim: Quantity, most: Quantity) -> Judgement {
    claim > most ? .takenThough(.overfill(claim, open: most)) : .fits
  }

  private func isValid(_ terms: OrderTerms) -> Bool {
    guard terms.quantity > venueFilled else { return false }
    guard let price = terms.price else { return order.type == .market }
    return order.type == .limit && price > .zero
  }
}
