import Chrono
import Execution
import Orders
import Seeds
import Tables
import Testing
import Units
import Venue

/// A venue that says anything in any order, true or not, and requests between it. Whatever it says, what
/// it has filled is counted once by router and oms alike, and nothing rests that nobody counts.
@Suite struct `Routing under a venue that talks nonsense` {
  private struct World {
    var ledger = RoutingLedger()
    var oms: OrderLifecycle
    var journal: [RoutingEvent] = []
    /// By execution id: what the venue has filled, and each of it once.
    var fills: [String: Quantity] = [:]
    var setAside = 0
    var reappeared = 0

    init() {
      let parent = parent()
      oms = OrderLifecycle(
        Order(
          id: parent.id, clientOrderID: "c", account: "main", strategy: "",
          instrument: InstrumentID(0), side: parent.side, type: parent.type,
          timeInForce: parent.timeInForce, price: parent.terms.price,
          quantity: parent.terms.quantity, createdTime: start))
    }

    mutating func tell(_ event: OrderEvent, _ place: String) {
      do {
        for decided in try oms.decide(event) { _ = try oms.apply(decided, at: start) }
      } catch {
        Issue.record("\(place): the oms cannot take \(event): \(error.problem)")
      }
    }

    mutating func take(_ event: RoutingEvent, _ place: String) {
      let (changed, effects) = ledger.apply(event)
      if changed { journal.append(event) } else { #expect(effects.isEmpty, "\(place)") }
      for case .report(_, let report) in effects { hear(report, place) }
    }

    private mutating func hear(_ report: ParentReport, _ place: String) {
      switch report {
      case .acknowledged(let id): tell(.venueAcknowledged(venueOrderID: id), place)
      case .filled(let fill, _):
        #expect(
          fills.updateValue(fill.quantity, forKey: fill.executionID) == nil,
          "\(place): \(fill.executionID) is told twice")
        tell(.filled(fill, venueFilled: oms.filledQuantity + fill.quantity), place)
      case .cancelled(let text): tell(.cancelled(venueFilled: nil, text: text), place)
      case .cancelRejected(let reason, let text): tell(.cancelRejected(reason, text: text), place)
      case .replaced(_, let id): tell(.replaced(venueOrderID: id), place)
      case .replaceRejected(let reason, let text): tell(.replaceRejected(reason, text: text), place)
      case .rejected(let reason, let text): tell(.rejected(reason, text: text), place)
      case .expired: tell(.expired(venueFilled: nil), place)
      case .unknown(let reason): tell(.becameUnknown(reason: reason), place)
      case .reappeared(let terms, let id):
        reappeared += 1
        tell(.reappeared(terms, venueOrderID: id), place)
      case .setAside(let text):
        setAside += 1
        tell(.setAside(text), place)
      }
    }
  }

  @Test(arguments: UInt64(1)...200)
  func `OMS-02 OMS-06 OMS-14 fills count once, and what rests is owned`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var world = World()
    world.tell(.accepted, "seed \(seed)")
    world.take(.routed(parent()), "seed \(seed)")
    for step in 0..<300 {
      let place = "seed \(seed) step \(step)"
      let wasEnded = world.oms.isTerminal
      let (before, back) = (world.oms.status, world.reappeared)
      request(&world, &random, place)
      let event = word(&random, world.ledger.orders[OrderID(1)]!)
      world.take(event, place)

      let order = world.ledger.orders[OrderID(1)]!
      let filled = world.fills.values.reduce(.zero, +)
      #expect(order.filled == filled && world.oms.filledQuantity == filled, "\(place)")
      #expect(order.children.reduce(.zero) { $0 + $1.filled } == filled, "\(place)")
      if wasEnded, world.reappeared == back { #expect(world.oms.status == before, "\(place)") }
      let resting = order.children.filter(\.mayRest)
      if world.oms.isTerminal {
        #expect(resting.isEmpty, "\(place): \(world.oms.status) and at the venue, after \(event)")
      }
      if order.isDone { #expect(world.oms.isTerminal, "\(place): done, and not told: \(event)") }
      for child in resting where child.isUnwanted { #expect(order.wantsCancel(child), "\(place)") }
      let left = order.children.contains { $0.isLive || $0.isUnproven }
      #expect(!left || world.ledger.open == [OrderID(1)], "\(place): nobody looks after it")
    }
    var again = RoutingLedger()
    for event in world.journal { _ = again.apply(event) }
    #expect(again.orders == world.ledger.orders, "seed \(seed)")
  }

  private func request(
    _ world: inout World, _ random: inout SeededGenerator, _ place: String
  ) {
    switch Int.random(in: 0..<12, using: &random) {
    case 0:
      let terms = OrderTerms(
        price: Price(101_00), quantity: Quantity(Int64.random(in: 10...200, using: &random)))
      guard (try? world.oms.apply(.replaceRequested(terms), at: start)) != nil else { return }
      world.take(
        .replaceRequested(
          parent: OrderID(1), version: world.oms.sequence, terms,
          Amendable.allCases.randomElement(using: &random)!), place)
    case 1 where !world.oms.isTerminal && !world.oms.isCancelRequested:
      world.tell(.cancelRequested(reason: ""), place)
      world.take(.cancelRequested(parent: OrderID(1)), place)
    default: break
    }
  }

  private func word(_ random: inout SeededGenerator, _ order: RoutedOrder) -> RoutingEvent {
    let child = order.children.randomElement(using: &random)!
    let name = childID(child.sequence)
    let version = child.amendment?.version ?? 1
    switch Int.random(in: 0..<24, using: &random) {
    case 0: return .silent(childID: name, reason: "timeout")
    case 1: return .denied(childID: name)
    case 2: return .refused(childID: name, .insufficientBalance, text: "no")
    case 3: return .settled(childID: name)
    case 4: return .amendSilent(childID: name, version: version, reason: "timeout")
    case 5:
      return .amendRefused(
        childID: name, version: version, .venuePolicy, text: "no",
        notInPlace: Bool.random(using: &random))
    case 6:
      return .amendSeen(
        childID: name, version: version, child.amendment?.terms ?? child.terms, isSettled: true)
    case 7: return .amendSeen(childID: name, version: version, child.terms, isSettled: true)
    case 8: return .appeared(nonsense(&random, child))
    default: return .reported(nonsense(&random, child))
    }
  }

  private func nonsense(
    _ random: inout SeededGenerator, _ child: ChildLifecycle
  ) -> VenueReport {
    let status: VenueOrderStatus =
      [.new, .new, .partiallyFilled, .partiallyFilled, .filled, .cancelled, .rejected, .expired]
      .randomElement(using: &random)!
    let quantity: Int64 = [1, 5, 10, 40, 150, 0, -5].randomElement(using: &random)!
    let hasFill = Int.random(in: 0..<3, using: &random) == 0
    let total = Bool.random(using: &random) ? child.filled.raw : child.filled.raw + quantity
    var said = report(
      status, filled: max(0, total),
      fill: hasFill
        ? ("E-\(child.sequence)-\(Int.random(in: 0..<40, using: &random))", quantity) : nil,
      child.sequence)
    if Int.random(in: 0..<20, using: &random) == 0 { said.venueOrderID = "another" }
    return said
  }
}
