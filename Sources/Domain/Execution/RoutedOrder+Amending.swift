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
      !children[index].isCancelUnderWay
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
      children[index].amend(replacement.version, new)
      effects.append(.amend(change, version: replacement.version))
    }
    return true
  }

  mutating func confirmReplacement(_ index: Int, _ effects: inout [RoutingEffect]) {
    guard let replacement else { return }
    terms = replacement.terms
    self.replacement = nil
    tell(.replaced(terms, venueOrderID: children[index].venueOrderID), &effects)
  }

  /// The child ended while the amendment was unanswered: a cancel, or the venue by itself. No other
  /// follows; when just the new quantity has filled, that is what was asked for.
  mutating func endAmending(
    _ status: VenueOrderStatus, _ rejection: ChildLifecycle.Rejection?,
    _ effects: inout [RoutingEffect]
  ) {
    if let replacement, filled == replacement.terms.quantity {
      confirmReplacement(children.count - 1, &effects)
      isDone = true
    } else {
      replacement = nil
      conclude(status, rejection, &effects)
    }
  }
}
