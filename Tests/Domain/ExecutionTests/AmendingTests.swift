import Execution
import Orders
import Tables
import Testing
import Units
import Venue

@Suite struct `Replacements in place` {
  private let larger = OrderTerms(price: Price(100_00), quantity: Quantity(150))
  private let smaller = OrderTerms(price: Price(100_00), quantity: Quantity(60))

  private func replaced(
    _ terms: OrderTerms, _ amendable: Amendable = .priceAndQuantity,
    _ more: [RoutingEvent] = []
  ) -> (ledger: RoutingLedger, effects: [RoutingEffect]) {
    ledger(
      [
        .routed(parent()), .reported(report(.new)),
        .replaceRequested(parent: OrderID(1), version: 4, terms, amendable),
      ] + more)
  }

  private func seen(_ terms: OrderTerms, isSettled: Bool = false) -> RoutingEvent {
    .amendSeen(childID: childID(), version: 4, terms, isSettled: isSettled)
  }

  private func fill(_ quantity: Int64, _ id: String = "E1", of total: Int64) -> RoutingEvent {
    .reported(report(.partiallyFilled, filled: total, fill: (id, quantity)))
  }

  private func told(_ report: ParentReport) -> RoutingEffect {
    .report(parent: OrderID(1), report)
  }

  @Test func `OMS-05 a venue that amends is asked to, and the child stays the same`() {
    var (ledger, effects) = replaced(larger)
    #expect(
      effects == [
        .amend(
          VenueAmendment(
            clientOrderID: childID(), instrument: InstrumentID(0), price: Price(100_00),
            quantity: Quantity(150)), version: 4)
      ])
    #expect(ledger.orders[OrderID(1)]?.wantsCancel == false)

    let done = ledger.apply(seen(larger))

    #expect(done.effects == [told(.replaced(larger, venueOrderID: "V1-1"))])
    #expect(ledger.orders[OrderID(1)]?.children.map(\.terms) == [larger])
    #expect(ledger.orders[OrderID(1)]?.wantsCancel == false)
  }

  @Test func `OMS-05 where only quantities get smaller, everything else is cancelled and placed`() {
    let dearer = OrderTerms(price: Price(101_00), quantity: Quantity(60))

    guard case .amend(let change, _) = replaced(smaller, .smallerQuantity).effects.first else {
      Issue.record("not amended")
      return
    }

    #expect(change.price == nil && change.quantity == Quantity(60))
    for terms in [larger, dearer] {
      #expect(
        replaced(terms, .smallerQuantity).effects
          == [.cancel(instrument: InstrumentID(0), childID: childID())])
    }
    #expect(
      replaced(smaller, .nothing).effects
        == [.cancel(instrument: InstrumentID(0), childID: childID())])
  }

  @Test func `OMS-05 terms that are in force already are confirmed, and nothing is sent`() {
    let same = OrderTerms(price: Price(100_00), quantity: Quantity(100))
    #expect(replaced(same).effects == [told(.replaced(same, venueOrderID: "V1-1"))])
  }

  @Test func `OMS-05 the venue's no leaves the order as it was`() {
    let (ledger, effects) = replaced(
      larger, .priceAndQuantity,
      [
        .amendRefused(
          childID: childID(), version: 4, .priceBands, text: "too far", notInPlace: false)
      ])

    #expect(effects == [told(.replaceRejected(.priceBands, text: "too far"))])
    #expect(ledger.orders[OrderID(1)]?.live?.terms.quantity == Quantity(100))
    #expect(ledger.orders[OrderID(1)]?.wantsCancel == false)
  }

  @Test func `OMS-05 what cannot be done in place is done by a cancel and a new order`() {
    var (ledger, effects) = replaced(
      larger, .priceAndQuantity,
      [
        .amendRefused(
          childID: childID(), version: 4, .venuePolicy, text: "no", notInPlace: true)
      ])
    #expect(effects == [.cancel(instrument: InstrumentID(0), childID: childID())])

    let placed = ledger.apply(.reported(report(.cancelled)))

    guard case .place(let order) = placed.effects.first else {
      Issue.record("nothing is placed: \(placed.effects)")
      return
    }
    #expect(order.clientOrderID == childID(2) && order.quantity == Quantity(150))
  }

  @Test func `OMS-14 silence is UNKNOWN until the venue's terms prove one of both`() {
    let silent = RoutingEvent.amendSilent(childID: childID(), version: 4, reason: "timeout")
    let (doubt, effects) = replaced(larger, .priceAndQuantity, [silent])
    #expect(
      effects == [
        told(.unknown(reason: "timeout")),
        .query(instrument: InstrumentID(0), childID: childID()),
      ])
    let old = OrderTerms(price: Price(100_00), quantity: Quantity(100))

    var (proven, early, refuted) = (doubt, doubt, doubt)

    #expect(
      proven.apply(seen(larger)).effects == [told(.replaced(larger, venueOrderID: "V1-1"))])
    // The amendment may still arrive.
    #expect(early.apply(seen(old)).changed == false)
    #expect(
      refuted.apply(seen(old, isSettled: true)).effects == [
        told(
          .replaceRejected(.venueUnavailable, text: "the venue did not carry the amendment out"))
      ])
  }

  @Test func `OMS-05 fills that race with a larger quantity end the order at that, not before`() {
    var (ledger, effects) = replaced(larger, .priceAndQuantity, [fill(100, of: 100)])
    #expect(effects.count == 1, "the old quantity is full, the new one is not: \(effects)")

    let raised = ledger.apply(seen(larger))
    #expect(raised.effects == [told(.replaced(larger, venueOrderID: "V1-1"))])
    let last = ledger.apply(fill(50, "E2", of: 150))

    #expect(last.effects.count == 1)
    #expect(ledger.orders[OrderID(1)]?.isDone == true && ledger.open.isEmpty)
  }

  @Test func `OMS-05 when the order fills first, the rest of a larger one goes out anew`() {
    let gone = RoutingEvent.amendRefused(
      childID: childID(), version: 4, .unknownOrder, text: "gone", notInPlace: false)
    var (ledger, effects) = replaced(larger, .priceAndQuantity, [gone])
    #expect(effects == [.query(instrument: InstrumentID(0), childID: childID())])

    let filled = ledger.apply(.reported(report(.filled, filled: 100, fill: ("E1", 100))))

    guard case .place(let order) = filled.effects.last else {
      Issue.record("nothing is placed: \(filled.effects)")
      return
    }
    #expect(order.quantity == Quantity(50) && order.clientOrderID == childID(2))
  }

  @Test func `OMS-05 a smaller quantity that has filled meanwhile ends the order`() {
    var (ledger, _) = replaced(smaller, .smallerQuantity, [fill(60, of: 60)])

    let amended = ledger.apply(seen(smaller))

    #expect(amended.effects == [told(.replaced(smaller, venueOrderID: "V1-1"))])
    #expect(ledger.orders[OrderID(1)]?.isDone == true && ledger.open.isEmpty)
  }

  @Test func `OMS-05 a cancel goes out at once, and no other child follows`() {
    var (ledger, effects) = replaced(
      larger, .priceAndQuantity, [.cancelRequested(parent: OrderID(1))])
    #expect(effects == [.cancel(instrument: InstrumentID(0), childID: childID())])

    let ended = ledger.apply(.reported(report(.cancelled)))

    #expect(ended.effects == [told(.cancelled(text: ""))])
    #expect(ledger.orders[OrderID(1)]?.children.count == 1 && ledger.open.isEmpty)
  }

  @Test func `OMS-05 fills beyond the old terms prove the change, which is told before them`() {
    let dearer = OrderTerms(price: Price(100_50), quantity: Quantity(100))
    let cases: [(terms: OrderTerms, fill: (Int64, at: Price?))] = [
      (larger, (120, nil)), (dearer, (100, Price(100_25))),
    ]
    for (terms, (quantity, price)) in cases {
      var (ledger, _) = replaced(terms)
      var told = report(.partiallyFilled, filled: quantity, fill: ("E1", quantity))
      if let price { told.fill?.price = price }

      let filled = ledger.apply(.reported(told))

      guard case .report(_, .replaced(terms, venueOrderID: "V1-1")) = filled.effects.first,
        case .report(_, .filled) = filled.effects.dropFirst().first
      else {
        Issue.record("\(filled.effects)")
        continue
      }
      #expect(ledger.orders[OrderID(1)]?.live?.amendment == nil)
      #expect(ledger.apply(seen(terms)).changed == false)
    }
  }

  @Test func `OMS-05 a change that fills have proven holds when the order is cancelled`() {
    var (ledger, _) = replaced(
      larger, .priceAndQuantity, [.cancelRequested(parent: OrderID(1)), fill(120, of: 120)])

    let ended = ledger.apply(.reported(report(.cancelled, filled: 120)))

    #expect(ended.effects == [told(.cancelled(text: ""))])
    #expect(ledger.orders[OrderID(1)]?.terms == larger && ledger.open.isEmpty)
  }

  @Test func `OMS-05 an order that fills before its change, while it is cancelled, is filled`() {
    var (ledger, _) = replaced(larger, .priceAndQuantity, [.cancelRequested(parent: OrderID(1))])

    let ended = ledger.apply(.reported(report(.filled, filled: 100, fill: ("E1", 100))))

    #expect(
      ended.effects.last
        == told(.replaceRejected(.invalidOrder, text: "the order is being cancelled")))
    #expect(ledger.orders[OrderID(1)]?.children.count == 1 && ledger.open.isEmpty)
  }

  @Test func `OMS-05 an order that others cancel at the venue is not placed again`() {
    var (ledger, _) = replaced(larger)

    let ended = ledger.apply(.reported(report(.cancelled, filled: 0)))

    #expect(ended.effects == [told(.cancelled(text: ""))])
    #expect(ledger.open.isEmpty)
  }

  @Test func `OMS-05 an answer to an earlier amendment proves nothing`() {
    var (ledger, _) = replaced(larger)
    let late = RoutingEvent.amendRefused(
      childID: childID(), version: 3, .priceBands, text: "late", notInPlace: false)

    #expect(ledger.apply(late).changed == false)
    #expect(ledger.orders[OrderID(1)]?.live?.amendment?.version == 4)
  }

  @Test(arguments: UInt64(1)...400)
  func `OMS-05 REC-06 whatever is lost, late or repeated, oms, router and venue agree in the end`(
    seed: UInt64
  ) {
    var world = AmendingWorld(seed: seed)
    for _ in 0..<Int(300 + seed % 300) { world.step() }
    world.settle()

    let order = world.order
    #expect(Int64(order.filled.raw) == world.venue.filled, "seed \(seed)")
    #expect(order.live?.amendment == nil, "seed \(seed): an amendment is open")
    #expect(world.venue.open.count == (order.live == nil ? 0 : 1), "seed \(seed)")
    #expect(world.oms.isTerminal == order.isDone, "seed \(seed): \(world.oms.status)")
    #expect(world.oms.openQuantity >= .zero, "seed \(seed)")
    #expect(world.setAside.isEmpty, "seed \(seed): \(world.setAside)")
    if let child = order.live, let held = world.venue.holdings[childID(child.sequence)] {
      #expect(child.terms.quantity == held.order.quantity, "seed \(seed)")
      #expect(child.terms.price == held.order.price, "seed \(seed)")
      #expect(order.terms == world.oms.terms, "seed \(seed)")
      #expect(
        order.filled - child.filled + child.terms.quantity == order.terms.quantity, "seed \(seed)")
      #expect(world.oms.pendingTerms == nil && world.oms.doubt == nil, "seed \(seed)")
    }
  }

  @Test func `the worlds above amend often enough to prove anything`() {
    var (amended, inPlace, reappeared) = (0, 0, 0)
    for seed in UInt64(1)...400 {
      var world = AmendingWorld(seed: seed)
      for _ in 0..<Int(300 + seed % 300) { world.step() }
      world.settle()
      amended += world.amended
      inPlace += world.replacedInPlace
      reappeared += world.reappeared
    }
    #expect(reappeared > 10, "\(reappeared) came back")
    #expect(amended > 400 && inPlace > 200, "\(amended) amended, \(inPlace) in place")
  }
}
