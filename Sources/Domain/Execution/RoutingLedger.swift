internal import Mutants
package import Orders
internal import Venue

/// Every order that was routed, and what follows from what happens to it. Pure: no clock, no I/O; the
/// same events give the same ledger and the same effects.
package struct RoutingLedger: Sendable {
  package private(set) var orders: [OrderID: RoutedOrder] = [:]
  /// Orders that are not done.
  package private(set) var open: Set<OrderID> = []

  package init() {}

  /// Applies an event. `changed` is false when it was known before: then it belongs in no journal and
  /// has no effects.
  package mutating func apply(
    _ event: RoutingEvent
  ) -> (changed: Bool, effects: [RoutingEffect]) {
    guard let id = Self.parent(of: event) else { return (false, []) }
    var effects: [RoutingEffect] = []
    if case .routed(let parent) = event {
      guard orders[id] == nil || Mutant.isOn(.routedTwice) else { return (false, []) }
      var order = RoutedOrder(parent)
      order.begin(&effects)
      orders[id] = order
      open.insert(id)
      return (true, effects)
    }
    guard let before = orders[id] else { return (false, []) }
    var order = before
    Self.apply(event, to: &order, &effects)
    guard order != before || !effects.isEmpty else { return (false, []) }
    orders[id] = order
    if order.isDone, order.live == nil { open.remove(id) }
    return (true, effects)
  }

  /// The child that a client order id names; nil for ids that are not ours.
  package func child(_ childID: String) -> (order: RoutedOrder, child: ChildOrder)? {
    guard let id = ChildID(parsing: childID), let order = orders[id.parent],
      order.children.indices.contains(Int(id.sequence) - 1)
    else { return nil }
    return (order, order.children[Int(id.sequence) - 1])
  }

  /// Lets go of orders that are done.
  package mutating func forget(_ ids: some Sequence<OrderID>) {
    for id in ids where !open.contains(id) { orders[id] = nil }
  }

  private static func parent(of event: RoutingEvent) -> OrderID? {
    switch event {
    case .routed(let parent): parent.id
    case .cancelRequested(let parent), .replaceRequested(let parent, _, _, _): parent
    case .reported(let report): ChildID(parsing: report.clientOrderID)?.parent
    case .refused(let child, _, _), .silent(let child, _), .cancelUnproven(let child, _),
      .denied(let child), .cancelRejected(let child, _, _),
      .amendRefused(let child, _, _, _, _), .amendSilent(let child, _, _),
      .amendSeen(let child, _, _, _):
      ChildID(parsing: child)?.parent
    }
  }

  private static func apply(
    _ event: RoutingEvent, to order: inout RoutedOrder, _ effects: inout [RoutingEffect]
  ) {
    func index(_ childID: String) -> Int? {
      guard let id = ChildID(parsing: childID) else { return nil }
      let index = Int(id.sequence) - 1
      return order.children.indices.contains(index) ? index : nil
    }
    switch event {
    case .routed: break
    case .cancelRequested: order.requestCancel(&effects)
    case .replaceRequested(_, let version, let terms, let amendable):
      order.requestReplace(version, terms, amendable, &effects)
    case .reported(let report):
      guard let index = index(report.clientOrderID) else { return }
      order.take(report, index, &effects)
    case .refused(let child, let reason, let text):
      guard let index = index(child) else { return }
      order.refuse(reason, text, index, &effects)
    case .silent(let child, let reason):
      guard let index = index(child) else { return }
      order.fallSilent(reason, index, &effects)
    case .cancelUnproven(let child, _):
      guard let index = index(child) else { return }
      order.doubtCancel(index, &effects)
    case .denied(let child):
      guard let index = index(child) else { return }
      order.deny(index, &effects)
    case .cancelRejected(let child, let reason, let text):
      guard let index = index(child) else { return }
      order.giveUpCancelling(reason, text, index, &effects)
    case .amendRefused(let child, let version, let reason, let text, let notInPlace):
      guard let index = index(child) else { return }
      order.refuseAmendment(version, reason, text, notInPlace: notInPlace, index, &effects)
    case .amendSilent(let child, let version, let reason):
      guard let index = index(child) else { return }
      order.doubtAmendment(version, reason, index, &effects)
    case .amendSeen(let child, let version, let terms, let isSettled):
      guard let index = index(child) else { return }
      order.see(terms, version, isSettled: isSettled, index, &effects)
    }
  }
}
