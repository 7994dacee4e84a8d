internal import Mutants
package import Orders
package import Units
package import Venue

/// A parent order and its children. At most one child lives at a time: a replacement changes it in
/// place, or cancels it before another is placed, so the exposure at the venue never exceeds the
/// larger of the two terms.
package struct RoutedOrder: Sendable, Hashable {
  package let parent: ParentOrder
  /// The terms in force, as the oms knows them.
  package internal(set) var terms: OrderTerms
  package internal(set) var children: [ChildOrder] = []
  package private(set) var filled = Quantity.zero
  package private(set) var isCancelRequested = false
  package internal(set) var replacement: Replacement?
  /// Versions of an order only grow: what is not newer is known.
  private var lastReplaceVersion: UInt32 = 0
  package internal(set) var isDone = false
  var isUnknown = false

  package struct Replacement: Sendable, Hashable {
    package let version: UInt32
    package let terms: OrderTerms
  }

  init(_ parent: ParentOrder) {
    self.parent = parent
    self.terms = parent.terms
  }

  package var live: ChildOrder? { children.last { $0.isLive } }

  func id(_ child: ChildOrder) -> String {
    ChildID(parent: parent.id, sequence: child.sequence).text
  }

  // MARK: Requests

  mutating func begin(_ effects: inout [RoutingEffect]) {
    place(terms, &effects)
  }

  mutating func requestCancel(_ effects: inout [RoutingEffect]) {
    guard !isDone, !isCancelRequested else { return }
    if Mutant.isOn(.cancelForgotten) { return }
    isCancelRequested = true
    if replacement != nil, !isReplacementOnItsWay {
      refuseReplacement(.invalidOrder, "the order is being cancelled", &effects)
    }
    cancelLive(&effects)
  }

  /// The venue has been sent the new terms, in place or as the next child: it may have them, and is
  /// the one to refuse them.
  private var isReplacementOnItsWay: Bool {
    guard let child = live else { return false }
    return child.amendment != nil || (child.sequence > 1 && !child.wasAcknowledged)
  }

  mutating func requestReplace(
    _ version: UInt32, _ terms: OrderTerms, _ amendable: Amendable,
    _ effects: inout [RoutingEffect]
  ) {
    guard version > lastReplaceVersion else { return }
    lastReplaceVersion = version
    if let unanswered = replacement {
      // The same one again: whoever wished has restarted meanwhile.
      guard unanswered.terms != terms else { return }
      let text = "the replacement before it is unanswered"
      tell(.replaceRejected(.invalidOrder, text: text), &effects)
      return
    }
    replacement = Replacement(version: version, terms: terms)
    if isDone {
      // It filled while the wish was on its way, and whoever wished waits for an answer.
      refuseReplacement(.invalidOrder, "the order was done before it could be replaced", &effects)
    } else if isCancelRequested {
      refuseReplacement(.invalidOrder, "the order is being cancelled", &effects)
    } else if !amendLive(amendable, &effects) {
      cancelLive(&effects)
    }
  }

  mutating func cancelLive(_ effects: inout [RoutingEffect]) {
    guard let index = children.lastIndex(where: \.isLive) else { return }
    switch children[index].stage {
    case .acknowledged:
      children[index].cancelIsUnderWay = true
      effects.append(.cancel(instrument: parent.instrument, childID: id(children[index])))
    case .intended, .unknown, .ending, .ended:
      // It is cancelled as soon as the venue has confirmed it.
      break
    }
  }

  private mutating func place(_ terms: OrderTerms, _ effects: inout [RoutingEffect]) {
    let child = ChildOrder(sequence: UInt32(children.count + 1), terms: terms)
    children.append(child)
    effects.append(.place(venueOrder(child)))
  }

  package func venueOrder(_ child: ChildOrder) -> VenueOrder {
    VenueOrder(
      instrument: parent.instrument, clientOrderID: id(child), side: parent.side, type: parent.type,
      timeInForce: parent.timeInForce, price: child.terms.price, quantity: child.terms.quantity)
  }

  // MARK: The venue's word

  mutating func take(_ report: VenueReport, _ index: Int, _ effects: inout [RoutingEffect]) {
    guard children[index].isLive || report.fill != nil else { return }
    if report.status != .rejected { acknowledge(report, index, &effects) }
    if let fill = report.fill { take(fill, index, &effects) }
    guard children[index].isLive else { return }
    if report.status.isTerminal {
      children[index].stage = .ending(report.status, total: report.filledQuantity)
      if report.status == .rejected {
        end(index, .rejected, report.rejectReason ?? .venuePolicy, report.rejectText, &effects)
        return
      }
    } else if report.filledQuantity > children[index].filled {
      askForFills(index, &effects)
    }
    finishIfComplete(index, &effects)
  }

  private mutating func acknowledge(
    _ report: VenueReport, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    let isFirst = !children[index].wasAcknowledged
    if isFirst { children[index].venueOrderID = report.venueOrderID }
    switch children[index].stage {
    case .intended, .unknown: children[index].stage = .acknowledged
    case .acknowledged, .ending, .ended: break
    }
    if isFirst, index > 0, let replacement {
      terms = replacement.terms
      self.replacement = nil
      tell(.replaced(terms, venueOrderID: report.venueOrderID), &effects)
    } else if isFirst || (isUnknown && children[index].amendment == nil) {
      tell(.acknowledged(venueOrderID: report.venueOrderID), &effects)
    }
    // That the order is there says nothing of what it was asked to become.
    if children[index].amendment == nil { isUnknown = false }
    if isFirst, !report.status.isTerminal, isCancelRequested || replacement != nil,
      !Mutant.isOn(.earlyCancelForgotten)
    {
      cancelLive(&effects)
    }
  }

  private mutating func take(_ fill: VenueFill, _ index: Int, _ effects: inout [RoutingEffect]) {
    let isNew = children[index].executions.insert(fill.executionID).inserted
    guard isNew || Mutant.isOn(.fillCountsTwice) else { return }
    if provesAmendment(fill, index) { confirmAmendment(index, &effects) }
    children[index].filled += fill.quantity
    filled += fill.quantity
    tell(.filled(fill, venueOrderID: children[index].venueOrderID), &effects)
    endIfFilled(index)
    finishIfComplete(index, &effects)
  }

  /// Its own count ends a child. While an amendment is unanswered only the larger quantity does.
  mutating func endIfFilled(_ index: Int) {
    guard children[index].filled >= children[index].quantityMax else { return }
    children[index].stage = .ending(.filled, total: children[index].filled)
  }

  mutating func finishIfComplete(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard case .ending(let status, let total) = children[index].stage else { return }
    guard children[index].filled >= total || Mutant.isOn(.endsWithoutFills) else {
      askForFills(index, &effects)
      return
    }
    end(index, status, .venuePolicy, "", &effects)
  }

  private func askForFills(_ index: Int, _ effects: inout [RoutingEffect]) {
    effects.append(
      .listFills(
        instrument: parent.instrument, childID: id(children[index]),
        venueOrderID: children[index].venueOrderID))
  }

  private mutating func end(
    _ index: Int, _ status: VenueOrderStatus, _ reason: RejectReason, _ text: String,
    _ effects: inout [RoutingEffect]
  ) {
    let wasAmending = children[index].amendment != nil
    children[index].stage = .ended(status)
    children[index].amendment = nil
    switch status {
    case .filled where filled >= terms.quantity && replacement == nil: isDone = true
    case .cancelled where wasAmending, .expired where wasAmending:
      endAmending(status, &effects)
    case .rejected where index == 0 && filled == .zero:
      isDone = true
      tell(.rejected(reason, text: text), &effects)
    case .rejected:
      // The old child is gone, and the venue does not take the new one.
      refuseReplacement(reason, text, &effects)
      isDone = true
      tell(.cancelled(text: text), &effects)
    default:
      if let replacement { goOn(replacement, &effects) } else { conclude(status, &effects) }
    }
  }

  /// The old child has ended: the rest of the new terms goes out as the next child.
  private mutating func goOn(_ replacement: Replacement, _ effects: inout [RoutingEffect]) {
    let rest = replacement.terms.quantity - filled
    if rest > .zero, isCancelRequested {
      refuseReplacement(.invalidOrder, "the order is being cancelled", &effects)
      isDone = true
      if filled < terms.quantity { tell(.cancelled(text: ""), &effects) }
      return
    }
    if rest > .zero {
      place(OrderTerms(price: replacement.terms.price, quantity: rest), &effects)
      return
    }
    self.replacement = nil
    isDone = true
    if rest == .zero {
      terms = replacement.terms
      tell(.replaced(terms, venueOrderID: children.last?.venueOrderID ?? ""), &effects)
    } else {
      let text = "\(filled.raw) raw units had filled before it could be replaced"
      tell(.replaceRejected(.invalidOrder, text: text), &effects)
      if filled < terms.quantity { tell(.cancelled(text: text), &effects) }
    }
  }

  mutating func conclude(_ status: VenueOrderStatus, _ effects: inout [RoutingEffect]) {
    isDone = true
    switch status {
    case .expired: tell(.expired, &effects)
    case .filled: break
    case .cancelled, .rejected, .new, .partiallyFilled: tell(.cancelled(text: ""), &effects)
    }
  }

  mutating func refuseReplacement(
    _ reason: RejectReason, _ text: String, _ effects: inout [RoutingEffect]
  ) {
    guard replacement != nil else { return }
    replacement = nil
    tell(.replaceRejected(reason, text: text), &effects)
  }

  // MARK: The venue's no, and its silence

  mutating func refuse(
    _ reason: RejectReason, _ text: String, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    guard children[index].isLive, !children[index].wasAcknowledged else { return }
    end(index, .rejected, reason, text, &effects)
  }

  mutating func fallSilent(_ reason: String, _ index: Int, _ effects: inout [RoutingEffect]) {
    guard children[index].stage == .intended else { return }
    children[index].stage = .unknown
    if !isUnknown {
      isUnknown = true
      tell(.unknown(reason: reason), &effects)
    }
    effects.append(.query(instrument: parent.instrument, childID: id(children[index])))
  }

  mutating func doubtCancel(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard children[index].isLive else { return }
    effects.append(.query(instrument: parent.instrument, childID: id(children[index])))
  }

  /// Nothing of it ever reached the venue.
  mutating func deny(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard children[index].isLive, !children[index].wasAcknowledged else { return }
    isUnknown = false
    end(
      index, .rejected, .venueUnavailable, "the order never reached the venue", &effects)
  }

  mutating func giveUpCancelling(
    _ reason: RejectReason, _ text: String, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    guard children[index].isLive, children[index].cancelIsUnderWay else { return }
    children[index].cancelIsUnderWay = false
    if isCancelRequested {
      isCancelRequested = false
      tell(.cancelRejected(reason, text: text), &effects)
    } else if replacement != nil {
      refuseReplacement(reason, text, &effects)
    }
  }

  /// Whether the live child should be gone.
  package var wantsCancel: Bool {
    isCancelRequested || (replacement != nil && live?.amendment == nil)
  }

  func tell(_ report: ParentReport, _ effects: inout [RoutingEffect]) {
    effects.append(.report(parent: parent.id, report))
  }
}
