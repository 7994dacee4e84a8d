internal import Orders
internal import Units
internal import Venue

/// Replacements that the venue carries out in place: the child keeps its ids. Until the venue has
/// answered, either of both terms may be in force.
extension RoutedOrder {
  /// True when the venue is asked to change the living child, or when there is nothing to change;
  /// false when it takes a cancel and another child.
  mutating func amendLive(_ amendable: Amendable, _ effects: inout [RoutingEffect]) -> Bool {
    guard let replacement, amendable != .nothing, parent.type == .limit,
      let index = children.lastIndex(where: \.isLive), children[index].stage == .acknowledged,
      !children[index].cancelIsUnderWay
    else { return false }
    let child = children[index]
    // Earlier children have filled their part.
    let new = OrderTerms(
      price: replacement.terms.price,
      quantity: replacement.terms.quantity - (filled - child.filled))
    guard new.quantity > child.filled else { return false }
    var change = VenueAmendment(
      clientOrderID: id(child), instrument: parent.instrument, quantity: new.quantity)
    switch amendable {
    case .nothing: return false
    case .smallerQuantity:
      guard new.price == child.terms.price, new.quantity <= child.terms.quantity else {
        return false
      }
    case .priceAndQuantity: change.price = new.price
    }
    if new == child.terms {
      confirmReplacement(index, &effects)
    } else {
      children[index].amendment = ChildOrder.Amendment(version: replacement.version, terms: new)
      effects.append(.amend(change, version: replacement.version))
    }
    return true
  }

  /// The venue's no. What it has never heard of, or not any more, has ended: how, a query tells.
  mutating func refuseAmendment(
    _ version: UInt32, _ reason: RejectReason, _ text: String, notInPlace: Bool, _ index: Int,
    _ effects: inout [RoutingEffect]
  ) {
    guard isAmending(version, index) else { return }
    if reason == .unknownOrder {
      effects.append(.query(instrument: parent.instrument, childID: id(children[index])))
      return
    }
    giveUpAmending(reason, text, placingAnew: notInPlace, index, &effects)
  }

  mutating func doubtAmendment(
    _ version: UInt32, _ reason: String, _ index: Int, _ effects: inout [RoutingEffect]
  ) {
    guard isAmending(version, index), children[index].amendment?.isDoubted == false else { return }
    children[index].amendment?.isDoubted = true
    if !isUnknown {
      isUnknown = true
      tell(.unknown(reason: reason), &effects)
    }
    effects.append(.query(instrument: parent.instrument, childID: id(children[index])))
  }

  /// The new terms prove the amendment at any time; the old ones refute it once it can no longer
  /// arrive. Terms that are neither were somebody else's wish: the child gives way to another.
  mutating func see(
    _ terms: OrderTerms, _ version: UInt32, isSettled: Bool, _ index: Int,
    _ effects: inout [RoutingEffect]
  ) {
    guard isAmending(version, index), let amendment = children[index].amendment else { return }
    if terms == amendment.terms {
      // More has filled than that: the venue ends it, and says so.
      guard children[index].filled <= terms.quantity else { return }
      confirmAmendment(index, &effects)
      endIfFilled(index)
      finishIfComplete(index, &effects)
    } else if isSettled {
      let isOurs = terms == children[index].terms
      children[index].terms = terms
      giveUpAmending(
        .venueUnavailable, "the venue did not carry the amendment out", placingAnew: !isOurs, index,
        &effects)
    }
  }

  /// A limit order never fills worse than its limit, nor more than its quantity: a fill beyond the old
  /// terms is under the new ones, and must be told after them.
  func provesAmendment(_ fill: VenueFill, _ index: Int) -> Bool {
    let child = children[index]
    guard child.isLive, child.amendment != nil, let limit = child.terms.price else { return false }
    let isWorse = parent.side == .buy ? fill.price > limit : fill.price < limit
    return isWorse || child.filled + fill.quantity > child.terms.quantity
  }

  mutating func confirmAmendment(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard let amendment = children[index].amendment else { return }
    children[index].terms = amendment.terms
    children[index].amendment = nil
    isUnknown = false
    confirmReplacement(index, &effects)
  }

  /// The child ended while the amendment was unanswered: a cancel, or the venue by itself. No other
  /// follows; when just the new quantity has filled, that is what was asked for.
  mutating func endAmending(_ status: VenueOrderStatus, _ effects: inout [RoutingEffect]) {
    isUnknown = false
    if let replacement, filled == replacement.terms.quantity {
      confirmReplacement(children.count - 1, &effects)
      isDone = true
    } else {
      replacement = nil
      conclude(status, &effects)
    }
  }

  // MARK: Steps

  private func isAmending(_ version: UInt32, _ index: Int) -> Bool {
    children[index].unansweredVersion == version
  }

  private mutating func confirmReplacement(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard let replacement else { return }
    terms = replacement.terms
    self.replacement = nil
    tell(.replaced(terms, venueOrderID: children[index].venueOrderID), &effects)
  }

  private mutating func giveUpAmending(
    _ reason: RejectReason, _ text: String, placingAnew: Bool, _ index: Int,
    _ effects: inout [RoutingEffect]
  ) {
    children[index].amendment = nil
    isUnknown = false
    let goesOn = placingAnew && !isCancelRequested
    if !goesOn { refuseReplacement(reason, text, &effects) }
    endIfFilled(index)
    finishIfComplete(index, &effects)
    if goesOn { cancelLive(&effects) }
  }
}
