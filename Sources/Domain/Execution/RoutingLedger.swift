internal import Mutants
package import Orders
package import Tables
internal import Units
internal import Venue

/// Every order that was routed, and what follows from what happens to it. Pure: no clock, no I/O; the
/// same events give the same ledger and the same effects.
package struct RoutingLedger: Sendable {
  package private(set) var orders = ShardedDictionary<OrderID, RoutedOrder>()
  /// Orders that are not done, and those of which something is still to be found out.
  package private(set) var open: Set<OrderID> = []
  /// Orders with a child that the venue has denied: it may come to know it after all.
  package private(set) var denied: Set<OrderID> = []

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
    // To compare two orders is dear, and seldom needed.
    guard !effects.isEmpty || order != before else { return (false, []) }
    orders[id] = order
    if order.isSettled { open.remove(id) } else { open.insert(id) }
    if order.children.contains(where: \.isDenied) { denied.insert(id) } else { denied.remove(id) }
    return (true, effects)
  }

  /// The child that a client order id names; nil for ids that are not ours.
  package func child(_ childID: String) -> (order: RoutedOrder, child: ChildLifecycle)? {
    guard let id = ChildID(parsing: childID), let order = orders[id.parent],
      order.children.indices.contains(Int(id.sequence) - 1)
    else { return nil }
    return (order, order.children[Int(id.sequence) - 1])
  }

  /// Lets go of orders that are done.
  package mutating func forget(_ ids: some Sequence<OrderID>) {
    for id in ids where !open.contains(id) {
      orders[id] = nil
      denied.remove(id)
    }
  }

  /// Takes an order that a snapshot has kept.
  package mutating func restore(_ order: RoutedOrder) {
    orders[order.parent.id] = order
    if !order.isSettled { open.insert(order.parent.id) }
    if order.children.contains(where: \.isDenied) { denied.insert(order.parent.id) }
  }

  /// The order that an event is about; nil where it names none of ours.
  package static func parent(of event: RoutingEvent) -> OrderID? {
    switch event {
    case .routed(let parent): parent.id
    case .cancelRequested(let parent), .replaceRequested(let parent, _, _, _): parent
    default: childID(of: event).flatMap { ChildID(parsing: $0) }?.parent
    }
  }

  private static func childID(of event: RoutingEvent) -> String? {
    switch event {
    case .routed, .cancelRequested, .replaceRequested: nil
    case .reported(let report), .appeared(let report): report.clientOrderID
    case .refused(let child, _, _), .silent(let child, _), .cancelUnproven(let child, _),
      .denied(let child), .settled(let child), .cancelRejected(let child, _, _),
      .amendRefused(let child, _, _, _, _), .amendSilent(let child, _, _),
      .amendSeen(let child, _, _, _):
      child
    }
  }

  private static func apply(
    _ event: RoutingEvent, to order: inout RoutedOrder, _ effects: inout [RoutingEffect]
  ) {
    switch event {
    case .routed: break
    case .cancelRequested: order.requestCancel(&effects)
    case .replaceRequested(_, let version, let terms, let amendable):
      order.requestReplace(version, terms, amendable, &effects)
    default:
      guard let id = childID(of: event).flatMap({ ChildID(parsing: $0) }) else { return }
      let index = Int(id.sequence) - 1
      guard order.children.indices.contains(index) else { return }
      var news: [ChildNews] = []
      apply(event, to: &order.children[index], order.parent.side, &news)
      order.hear(news, of: index, &effects)
    }
  }

  private static func apply(
    _ event: RoutingEvent, to child: inout ChildLifecycle, _ side: Side, _ news: inout [ChildNews]
  ) {
    switch event {
    case .routed, .cancelRequested, .replaceRequested: break
    case .reported(let report): child.take(report, side, &news)
    case .appeared(let report): child.appear(report, side, &news)
    case .settled: child.settle()
    case .refused(_, let reason, let text): child.refuse(reason, text, &news)
    case .silent(_, let reason): child.fallSilent(reason, &news)
    case .cancelUnproven: child.doubtCancel(&news)
    case .denied: child.deny(&news)
    case .cancelRejected(_, let reason, let text): child.refuseCancel(reason, text, &news)
    case .amendRefused(_, let version, let reason, let text, let notInPlace):
      child.refuseAmendment(version, reason, text, notInPlace: notInPlace, &news)
    case .amendSilent(_, let version, let reason): child.doubtAmendment(version, reason, &news)
    case .amendSeen(_, let version, let terms, let isSettled):
      child.see(terms, version, isSettled: isSettled, &news)
    }
  }
}
