internal import Mutants
package import Orders
package import Units
package import Venue

/// A parent order and its children: the plain way, which has one at work at a time. A replacement
/// changes it in place, or cancels it before another is placed, so the exposure at the venue never
/// exceeds the larger of the two terms.
///
/// A child that the venue has although it had ended is unwanted: it is cancelled, and what it fills
/// counts. Where its parent had been told the end, that is taken back first.
package struct RoutedOrder: Sendable, Hashable {
  package let parent: ParentOrder
  /// The terms in force, as the oms knows them.
  package internal(set) var terms: OrderTerms
  package internal(set) var children: [ChildLifecycle] = []
  package internal(set) var filled = Quantity.zero
  package internal(set) var isCancelRequested = false
  package internal(set) var replacement: Replacement?
  /// Versions of an order only grow: what is not newer is known.
  var lastReplaceVersion: UInt32 = 0
  /// Its end was told.
  package internal(set) var isDone = false
  /// Its end was taken back: only unwanted children are left.
  var isReopened = false
  /// It has filled since: then whoever counts fills knows when it is full.
  var hasFilledSince = false

  package struct Replacement: Sendable, Hashable {
    package let version: UInt32
    package let terms: OrderTerms
  }

  init(_ parent: ParentOrder) {
    self.parent = parent
    self.terms = parent.terms
  }

  package var live: ChildLifecycle? { children.last { $0.isLive } }

  /// Of the longest text that a report about it may have to repeat.
  package var textBytesMax: Int {
    children.reduce(0) { max($0, $1.rejection?.text.utf8.count ?? 0, $1.venueOrderID.utf8.count) }
  }

  /// Nothing is left to do or to find out.
  package var isSettled: Bool {
    isDone && children.allSatisfy { !$0.isLive && !$0.isUnproven }
  }

  /// Whether a child should be gone.
  package func wantsCancel(_ child: ChildLifecycle) -> Bool {
    guard child.mayRest else { return false }
    return child.isUnwanted || isCancelRequested
      || (replacement != nil && child.amendment == nil)
  }

  /// Whether the live child should be gone.
  package var wantsCancel: Bool { live.map(wantsCancel) ?? false }

  func id(_ child: ChildLifecycle) -> String {
    ChildID(parent: parent.id, sequence: child.sequence).text
  }

  // MARK: Requests

  mutating func begin(_ effects: inout [RoutingEffect]) {
    place(terms, &effects)
  }

  mutating func requestCancel(_ effects: inout [RoutingEffect]) {
    guard !isDone, !isCancelRequested else { return }
    isCancelRequested = !Mutant.isOn(.cancelForgotten)
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

  /// Every child at the venue, and one that may be there when its parent is to end. A child that was
  /// only intended is cancelled as soon as the venue has confirmed it.
  mutating func cancelLive(_ effects: inout [RoutingEffect]) {
    for index in children.indices where wantsCancel(children[index]) {
      let child = children[index]
      let mayRest = child.stage == .acknowledged || (child.stage == .unknown && isCancelRequested)
      guard mayRest, !child.isCancelUnderWay else { continue }
      children[index].isCancelUnderWay = true
      effects.append(.cancel(instrument: parent.instrument, childID: id(child)))
    }
  }

  private mutating func place(_ terms: OrderTerms, _ effects: inout [RoutingEffect]) {
    let child = ChildLifecycle(sequence: UInt32(children.count + 1), terms: terms)
    children.append(child)
    effects.append(.place(venueOrder(child)))
  }

  package func venueOrder(_ child: ChildLifecycle) -> VenueOrder {
    VenueOrder(
      instrument: parent.instrument, clientOrderID: id(child), side: parent.side, type: parent.type,
      timeInForce: parent.timeInForce, price: child.terms.price, quantity: child.terms.quantity)
  }

  // MARK: News of children

  mutating func hear(_ news: [ChildNews], of index: Int, _ effects: inout [RoutingEffect]) {
    for item in news { hear(item, index, &effects) }
  }

  private mutating func hear(
    _ news: ChildNews, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    let child = children[index]
    switch news {
    case .acknowledged(let isOver): acknowledge(isOver: isOver, index, &effects)
    case .doubted(let reason): tell(.unknown(reason: reason), &effects)
    case .filled(let fill):
      filled += fill.quantity
      hasFilledSince = true
      tell(.filled(fill, venueOrderID: child.venueOrderID), &effects)
      stopIfFull(&effects)
    case .amended: confirmReplacement(index, &effects)
    case .notAmended(let reason, let text, let placingAnew):
      if placingAnew, !isCancelRequested {
        cancelLive(&effects)
      } else {
        refuseReplacement(reason, text, &effects)
      }
    case .cancelRefused(let reason, let text):
      if isCancelRequested {
        isCancelRequested = false
        tell(.cancelRejected(reason, text: text), &effects)
      } else {
        refuseReplacement(reason, text, &effects)
      }
    case .ended(let status, let rejection, let wasAmending):
      end(index, status, rejection, wasAmending: wasAmending, &effects)
    case .appeared(let before): reopen(index, filledBefore: before, &effects)
    case .setAside(let text): tell(.setAside("\(id(child)): \(text)"), &effects)
    case .questioned:
      effects.append(.query(instrument: parent.instrument, childID: id(child)))
    case .missesFills:
      effects.append(
        .listFills(
          instrument: parent.instrument, childID: id(child), venueOrderID: child.venueOrderID))
    }
  }

  private mutating func acknowledge(
    isOver: Bool, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    if index > 0, let replacement {
      terms = replacement.terms
      self.replacement = nil
      tell(.replaced(terms, venueOrderID: children[index].venueOrderID), &effects)
    } else {
      tell(.acknowledged(venueOrderID: children[index].venueOrderID), &effects)
    }
    if !isOver, !Mutant.isOn(.earlyCancelForgotten) { cancelLive(&effects) }
  }

  private mutating func end(
    _ index: Int, _ status: VenueOrderStatus, _ rejection: ChildLifecycle.Rejection?,
    wasAmending: Bool, _ effects: inout [RoutingEffect]
  ) {
    // It was not at work: what goes on without it goes on, and what had ended ends with the last.
    if children[index].isUnwanted {
      guard isReopened, live == nil else { return }
      return conclude(status, rejection, &effects)
    }
    let words = rejection?.words ?? ""
    switch status {
    case .filled where filled >= terms.quantity && replacement == nil: isDone = true
    case .cancelled where wasAmending, .expired where wasAmending:
      endAmending(status, rejection, &effects)
    case .rejected where index == 0 && filled == .zero:
      isDone = true
      tell(
        .rejected(rejection?.reason ?? .venuePolicy, text: rejection?.text ?? ""), &effects)
    case .rejected:
      // The old child is gone, and the venue does not take the new one.
      refuseReplacement(rejection?.reason ?? .venuePolicy, rejection?.text ?? "", &effects)
      isDone = true
      tell(.cancelled(text: words), &effects)
    default:
      if let replacement {
        goOn(replacement, &effects)
      } else {
        conclude(status, rejection, &effects)
      }
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

  mutating func conclude(
    _ status: VenueOrderStatus, _ rejection: ChildLifecycle.Rejection?,
    _ effects: inout [RoutingEffect]
  ) {
    isDone = true
    // Its fills have told that, if they came after its end was taken back.
    guard filled < terms.quantity || (isReopened && !hasFilledSince) else { return }
    switch status {
    case .expired: tell(.expired, &effects)
    case .filled:
      // The venue counts less than was ordered, and says that it is all.
      let isLess = filled < terms.quantity
      let text = "the venue says FILLED with \(filled.raw) of \(terms.quantity.raw)"
      tell(.cancelled(text: isLess ? text : ""), &effects)
    case .cancelled, .rejected, .new, .partiallyFilled:
      tell(.cancelled(text: rejection?.words ?? ""), &effects)
    }
  }

  /// The venue has a child of an order whose end was told: that is taken back, with all that may fill.
  private mutating func reopen(
    _ index: Int, filledBefore: Quantity, _ effects: inout [RoutingEffect]
  ) {
    let child = children[index]
    if isDone {
      isDone = false
      isReopened = true
      hasFilledSince = false
      isCancelRequested = true
      terms = OrderTerms(
        price: child.terms.price,
        quantity: max(filled, filled - filledBefore + child.terms.quantity))
      tell(.reappeared(terms, venueOrderID: child.venueOrderID), &effects)
    } else {
      tell(
        .setAside("\(id(child)) is open at the venue although it had ended"), &effects)
    }
    cancelLive(&effects)
  }

  /// A fill that came late to one child has filled the order, and another is still at work: whoever has
  /// heard of the fills holds the order for done.
  private mutating func stopIfFull(_ effects: inout [RoutingEffect]) {
    let most = max(terms.quantity, replacement?.terms.quantity ?? .zero)
    let rests = children.indices.filter { children[$0].mayRest }
    let rest = rests.reduce(into: Quantity.zero) { rest, index in
      rest += max(.zero, children[index].quantityMax - children[index].filled)
    }
    guard !isDone, filled >= most, let last = rests.last else { return }
    refuseReplacement(.invalidOrder, "the order has filled", &effects)
    for index in rests { children[index].isUnwanted = true }
    isReopened = true
    hasFilledSince = false
    isCancelRequested = true
    terms = OrderTerms(price: terms.price, quantity: filled + rest)
    tell(.reappeared(terms, venueOrderID: children[last].venueOrderID), &effects)
    cancelLive(&effects)
  }

  mutating func refuseReplacement(
    _ reason: RejectReason, _ text: String, _ effects: inout [RoutingEffect]
  ) {
    guard replacement != nil else { return }
    replacement = nil
    tell(.replaceRejected(reason, text: text), &effects)
  }

  func tell(_ report: ParentReport, _ effects: inout [RoutingEffect]) {
    effects.append(.report(parent: parent.id, report))
  }
}
