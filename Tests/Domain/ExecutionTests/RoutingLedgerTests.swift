import Chrono
import Execution
import Orders
import Seeds
import Tables
import Testing
import Units
import Venue

@Suite struct `Routing ledger` {
  @Test func `IDM-01 a parent becomes one child under a derived id, however often it is routed`() {
    var ledger = RoutingLedger()

    let first = ledger.apply(.routed(parent()))
    let again = ledger.apply(.routed(parent()))

    #expect(
      first.effects == [
        .place(
          VenueOrder(
            instrument: InstrumentID(0), clientOrderID: "\(OrderID(1))-1", side: .buy, type: .limit,
            timeInForce: .gtc, price: Price(100_00), quantity: Quantity(100)))
      ])
    #expect(again.changed == false && again.effects.isEmpty)
    #expect(ledger.orders[OrderID(1)]?.children.count == 1)
  }

  @Test(arguments: [1, 9, 10, 4_294_967_295] as [UInt32])
  func `a child's id reads back from its text`(sequence: UInt32) {
    let id = ChildID(parent: OrderID(42), sequence: sequence)

    #expect(ChildID(parsing: id.text) == id)
  }

  @Test(arguments: [
    "", "-", "-1", "0000000000001", "0000000000001-", "0000000000001-0", "0000000000001-01",
    "0000000000001-+1", "0000000000001--1", "0000000000001-1-1", "0000000000001-1 ",
    "0000000000001-4294967296", "0000000000001-99999999999", "000000000001-1", "0000000000001_1",
    "0000000000001-１",
  ])
  func `what is no child's id is refused`(text: String) { #expect(ChildID(parsing: text) == nil) }

  @Test func `a fill is told once, whichever mouth of the venue says it first`() {
    var (ledger, _) = ledger([.routed(parent()), .reported(report(.new))])
    let filled = RoutingEvent.reported(report(.partiallyFilled, filled: 40, fill: ("E1", 40)))

    let first = ledger.apply(filled)
    let again = ledger.apply(filled)

    #expect(first.effects.count == 1)
    #expect(again.changed == false)
    #expect(ledger.orders[OrderID(1)]?.filled == Quantity(40))
  }

  @Test func `OMS-14 silence is told as unknown and asked about, never sent again`() {
    var (ledger, effects) = ledger([
      .routed(parent()), .silent(childID: childID(), reason: "timeout"),
    ])
    #expect(
      effects == [
        .report(parent: OrderID(1), .unknown(reason: "timeout")),
        .query(instrument: InstrumentID(0), childID: childID()),
      ])
    #expect(ledger.open == [OrderID(1)])

    let found = ledger.apply(.reported(report(.partiallyFilled, filled: 40)))

    #expect(
      found.effects == [
        .report(parent: OrderID(1), .acknowledged(venueOrderID: "V1-1")),
        .listFills(instrument: InstrumentID(0), childID: childID(), venueOrderID: "V1-1"),
      ])
  }

  @Test func `OMS-14 only the venue's denial rejects an order that never arrived`() {
    var (ledger, _) = ledger([.routed(parent()), .silent(childID: childID(), reason: "timeout")])

    let denied = ledger.apply(.denied(childID: childID()))

    #expect(
      denied.effects == [
        .report(
          parent: OrderID(1),
          .rejected(.venueUnavailable, text: "the order never reached the venue"))
      ])
    #expect(ledger.open.isEmpty)
  }

  @Test(arguments: [false, true])
  func `OMS-14 what the venue has denied stays named, until it is there after all`(
    wasAcknowledged: Bool
  ) {
    let first: RoutingEvent =
      wasAcknowledged ? .reported(report(.new)) : .silent(childID: childID(), reason: "timeout")
    var (ledger, _) = ledger([.routed(parent()), first, .denied(childID: childID())])
    #expect(ledger.denied == [OrderID(1)])

    _ = ledger.apply(.appeared(report(.new)))

    #expect(ledger.denied.isEmpty)
  }

  @Test func `REC-03 an end with fills missing waits for them`() {
    var (ledger, effects) = ledger([
      .routed(parent()), .reported(report(.new)), .reported(report(.cancelled, filled: 30)),
    ])
    #expect(
      effects == [
        .listFills(instrument: InstrumentID(0), childID: childID(), venueOrderID: "V1-1")
      ])

    let last = ledger.apply(.reported(report(.partiallyFilled, filled: 0, fill: ("E1", 30))))

    #expect(last.effects.last == .report(parent: OrderID(1), .cancelled(text: "")))
    #expect(ledger.open.isEmpty)
  }

  @Test func `a replacement goes out when the old child is gone, for what is left`() {
    let new = OrderTerms(price: Price(101_00), quantity: Quantity(150))
    var (ledger, effects) = ledger([
      .routed(parent()), .reported(report(.new)),
      .reported(report(.partiallyFilled, filled: 40, fill: ("E1", 40))),
      .replaceRequested(parent: OrderID(1), version: 1, new, .nothing),
    ])
    #expect(effects == [.cancel(instrument: InstrumentID(0), childID: childID())])

    let placed = ledger.apply(.reported(report(.cancelled, filled: 40)))
    let confirmed = ledger.apply(.reported(report(.new, 2)))

    guard case .place(let order) = placed.effects.first else {
      Issue.record("no second child: \(placed.effects)")
      return
    }
    #expect(order.clientOrderID == childID(2))
    #expect(order.quantity == Quantity(110))
    #expect(order.price == Price(101_00))
    #expect(
      confirmed.effects == [.report(parent: OrderID(1), .replaced(new, venueOrderID: "V1-2"))])
    #expect(ledger.orders[OrderID(1)]?.terms == new)
  }

  @Test func `a replacement that comes after the last fill is answered, once`() {
    let new = OrderTerms(price: Price(101_00), quantity: Quantity(150))
    var (ledger, _) = ledger([
      .routed(parent()), .reported(report(.new)),
      .reported(report(.filled, filled: 100, fill: ("E1", 100))),
    ])

    let asked = ledger.apply(.replaceRequested(parent: OrderID(1), version: 3, new, .nothing))
    let again = ledger.apply(.replaceRequested(parent: OrderID(1), version: 3, new, .nothing))

    guard case .report(_, .replaceRejected) = asked.effects.last else {
      Issue.record("nobody answers: \(asked.effects)")
      return
    }
    #expect(again.effects.isEmpty && !again.changed)
    #expect(ledger.open.isEmpty)
  }

  @Test func `a cancel in flight before the venue has confirmed goes out right after`() {
    var (ledger, effects) = ledger([.routed(parent()), .cancelRequested(parent: OrderID(1))])
    #expect(effects.isEmpty)

    let confirmed = ledger.apply(.reported(report(.new)))

    #expect(confirmed.effects.last == .cancel(instrument: InstrumentID(0), childID: childID()))
  }

  @Test(arguments: [true, false])
  func `KS-01 a cancel that overtakes its order goes out again when the venue has it`(
    isAnswer: Bool
  ) {
    // The venue knows nothing of it yet: the cancel has ended, and the order is on its way.
    var (ledger, effects) = ledger([
      .routed(parent()), .silent(childID: childID(), reason: "timeout"),
      .cancelRequested(parent: OrderID(1)),
    ])
    #expect(effects == [.cancel(instrument: InstrumentID(0), childID: childID())])
    let status: VenueOrderStatus = isAnswer ? .new : .partiallyFilled
    let filled: Int64 = isAnswer ? 0 : 40

    effects = ledger.apply(.reported(report(status, filled: filled))).effects

    #expect(effects.contains(.cancel(instrument: InstrumentID(0), childID: childID())))
    let again = ledger.apply(.reported(report(status, filled: filled)))
    #expect(!again.effects.contains(.cancel(instrument: InstrumentID(0), childID: childID())))
  }

  @Test func `KS-01 a cancel that was in time is not sent again for an order that has ended`() {
    var (ledger, _) = ledger([
      .routed(parent()), .silent(childID: childID(), reason: "timeout"),
      .cancelRequested(parent: OrderID(1)),
    ])

    let gone = ledger.apply(.reported(report(.cancelled)))

    #expect(
      gone.effects == [
        .report(parent: OrderID(1), .acknowledged(venueOrderID: "V1-1")),
        .report(parent: OrderID(1), .cancelled(text: "")),
      ])
  }

  @Test func `OMS-14 an order that appears after its denial is taken back and cancelled`() {
    var (ledger, _) = ledger([
      .routed(parent()), .silent(childID: childID(), reason: "timeout"),
      .denied(childID: childID()),
    ])

    let appeared = ledger.apply(
      .reported(report(.partiallyFilled, filled: 40, fill: ("E1", 40))))

    let terms = OrderTerms(price: Price(100_00), quantity: Quantity(100))
    guard case .report(_, .filled) = appeared.effects.dropFirst(2).first else {
      Issue.record("its fill is not told: \(appeared.effects)")
      return
    }
    #expect(
      appeared.effects.prefix(2) == [
        .report(parent: OrderID(1), .reappeared(terms, venueOrderID: "V1-1")),
        .cancel(instrument: InstrumentID(0), childID: childID()),
      ])
    #expect(ledger.open == [OrderID(1)])
    let gone = ledger.apply(.reported(report(.cancelled, filled: 40)))
    #expect(gone.effects == [.report(parent: OrderID(1), .cancelled(text: ""))])
    #expect(ledger.open.isEmpty)
  }

  @Test func `OMS-14 an order that had ended and is found open is cancelled and counted`() {
    var (ledger, _) = ledger([
      .routed(parent()), .reported(report(.new)), .reported(report(.cancelled)),
    ])
    #expect(ledger.apply(.reported(report(.new))).changed == false, "a word that crossed its end")

    let found = ledger.apply(.appeared(report(.new)))

    #expect(
      found.effects.last == .cancel(instrument: InstrumentID(0), childID: childID()))
    #expect(ledger.orders[OrderID(1)]?.isDone == false)
    let filled = ledger.apply(.reported(report(.filled, filled: 100, fill: ("E1", 100))))
    #expect(filled.effects.count == 1)
    #expect(ledger.open.isEmpty && ledger.orders[OrderID(1)]?.isDone == true)
  }

  @Test func `OMS-02 a rejection after the acknowledgement ends the order with its reason`() {
    var rejection = report(.rejected)
    rejection.rejectReason = .wouldTakeLiquidity
    rejection.rejectText = "post only"
    var cancelled = rejection
    cancelled.status = .cancelled

    for word in [rejection, cancelled] {
      let (ledger, effects) = ledger([.routed(parent()), .reported(report(.new)), .reported(word)])

      #expect(
        effects == [
          .report(parent: OrderID(1), .rejected(.wouldTakeLiquidity, text: "post only"))
        ])
      #expect(ledger.open.isEmpty)
    }
  }

  @Test func `REC-03 fills that come after the end are told, whoever tells of them`() {
    var (ledger, _) = ledger([
      .routed(parent()), .reported(report(.new)), .reported(report(.cancelled)),
    ])

    let late = ledger.apply(.reported(report(.cancelled, filled: 30)))
    #expect(
      late.effects == [
        .listFills(instrument: InstrumentID(0), childID: childID(), venueOrderID: "V1-1")
      ])
    #expect(ledger.open == [OrderID(1)])
    let filled = ledger.apply(.reported(report(.partiallyFilled, filled: 0, fill: ("E1", 30))))

    #expect(filled.effects.count == 1 && ledger.open.isEmpty)
    #expect(ledger.orders[OrderID(1)]?.filled == Quantity(30))
  }

  @Test func `OMS-02 what does not fit is told, asked about, and done with when it is answered`() {
    let over = RoutingEvent.reported(report(.filled, filled: 120, fill: ("E1", 120)))
    let refused = RoutingEvent.refused(childID: childID(), .rateLimit, text: "no")
    let cases: [(RoutingEvent, String)] = [
      (over, "fill E1 makes 120 of an order of 100"),
      (refused, "the venue refuses an order that it has: RATE_LIMIT: no"),
      (
        .reported(report(.new, filled: 0, fill: ("E1", -5))),
        "fill E1 of -5 at 10000 cannot be"
      ),
    ]
    for (word, text) in cases {
      var (ledger, effects) = ledger([.routed(parent()), .reported(report(.new)), word])

      #expect(
        effects.contains(
          .report(parent: OrderID(1), .setAside("\(childID()): \(text)"))), "\(effects)")
      #expect(effects.contains(.query(instrument: InstrumentID(0), childID: childID())))
      #expect(ledger.open == [OrderID(1)])
      #expect(ledger.child(childID())?.child.disputes == [text])
      #expect(ledger.apply(word).changed == false || word == over, "told once")
      _ = ledger.apply(.settled(childID: childID()))
      #expect(ledger.child(childID())?.child.disputes == [])
    }
  }

  @Test func `OMS-14 an order that the venue has forgotten ends, and that is set aside`() {
    let (ledger, effects) = ledger([
      .routed(parent()), .reported(report(.new)), .denied(childID: childID()),
    ])

    #expect(
      effects.last
        == .report(
          parent: OrderID(1),
          .cancelled(text: "UNKNOWN_ORDER: the venue denies an order that it had acknowledged")))
    #expect(ledger.open == [OrderID(1)], "until the venue was asked once more")
  }

  @Test func `KS-01 a cancel goes out for an order of which nobody knows whether it is there`() {
    let (_, effects) = ledger([
      .routed(parent()), .silent(childID: childID(), reason: "timeout"),
      .cancelRequested(parent: OrderID(1)),
    ])

    #expect(effects == [.cancel(instrument: InstrumentID(0), childID: childID())])
  }

  @Test(arguments: UInt64(1)...30)
  func `REC-06 what changed anything makes the same ledger again, and nothing over-exposes`(
    seed: UInt64
  ) {
    var random = SeededGenerator(seed: seed)
    var ledger = RoutingLedger()
    var recorded: [RoutingEvent] = []
    var told: [OrderID: Told] = [:]
    for step in 0..<500 {
      let event = randomEvent(&random, ledger)
      let (changed, effects) = ledger.apply(event)
      if changed {
        recorded.append(event)
      } else {
        #expect(effects.isEmpty, "seed \(seed) step \(step)")
      }
      for case .report(let parent, let report) in effects {
        told[parent, default: Told()].note(report)
      }
      for order in ledger.orders.values {
        let live = order.children.filter(\.isLive)
        let atWork = live.filter { !$0.isUnwanted }
        #expect(atWork.count <= 1, "seed \(seed) step \(step): two children at work")
        for child in live where child.isUnwanted { #expect(order.wantsCancel(child)) }
        let most = max(order.terms.quantity, order.replacement?.terms.quantity ?? .zero)
        for child in atWork {
          let exposed = order.filled - child.filled + child.quantityMax
          #expect(exposed <= most, "seed \(seed) step \(step): exposed to \(exposed)")
        }
        #expect(
          told[order.parent.id, default: Told()].filled == order.filled, "seed \(seed) step \(step)"
        )
        let place = "seed \(seed) step \(step) order \(order.parent.id)"
        #expect(told[order.parent.id, default: Told()].ends <= 1, "\(place): two ends told")
        let left = order.children.filter { $0.isLive || $0.isUnproven }
        #expect(
          left.isEmpty || ledger.open.contains(order.parent.id), "\(place): nobody looks after it")
        if order.isDone { #expect(live.isEmpty, "\(place): done with a live child") }
      }
    }
    var again = RoutingLedger()
    for event in recorded { _ = again.apply(event) }
    #expect(again.orders == ledger.orders, "seed \(seed)")
    #expect(again.open == ledger.open, "seed \(seed)")
  }

  /// What the oms has heard of one parent.
  private struct Told {
    var filled = Quantity.zero
    var ends = 0

    mutating func note(_ report: ParentReport) {
      switch report {
      case .filled(let fill, _): filled += fill.quantity
      case .cancelled, .rejected, .expired: ends += 1
      case .reappeared: ends = 0
      case .acknowledged, .cancelRejected, .replaced, .replaceRejected, .unknown, .setAside: break
      }
    }
  }

  /// A venue that says true things of its orders, in any order and more than once; and requests.
  private func randomEvent(_ random: inout SeededGenerator, _ ledger: RoutingLedger) -> RoutingEvent
  {
    let id = UInt64.random(in: 1...4, using: &random)
    let order = ledger.orders[OrderID(id)]
    let child = order?.children.randomElement(using: &random)
    guard let order, let child else { return .routed(parent(id)) }
    let name = childID(child.sequence, of: id)
    switch Int.random(in: 0..<20, using: &random) {
    case 18: return .settled(childID: name)
    case 19: return .appeared(report(.new, filled: child.filled.raw, child.sequence, of: id))
    case 0: return .routed(parent(id))
    case 1: return .cancelRequested(parent: OrderID(id))
    case 2:
      return .replaceRequested(
        parent: OrderID(id), version: UInt32.random(in: 1...3, using: &random),
        OrderTerms(
          price: Price(101_00), quantity: Quantity(Int64.random(in: 10...200, using: &random))),
        Amendable.allCases.randomElement(using: &random)!)
    case 3: return .silent(childID: name, reason: "timeout")
    case 4: return .denied(childID: name)
    case 5: return .cancelUnproven(childID: name, text: "timeout")
    case 6: return .cancelRejected(childID: name, .venuePolicy, text: "")
    case 7: return .refused(childID: name, .insufficientBalance, text: "")
    case 8..<12: return amendment(&random, name, child)
    default: return .reported(trueReport(&random, order, child, id))
    }
  }

  /// An answer to what is in flight, or to what never was.
  private func amendment(
    _ random: inout SeededGenerator, _ name: String, _ child: ChildLifecycle
  ) -> RoutingEvent {
    let version = child.amendment?.version ?? UInt32.random(in: 1...3, using: &random)
    let isLast = Bool.random(using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return .amendSilent(childID: name, version: version, reason: "timeout")
    case 1:
      let reason: RejectReason =
        [.venuePolicy, .priceBands, .unknownOrder].randomElement(using: &random)!
      return .amendRefused(
        childID: name, version: version, reason, text: "", notInPlace: reason == .venuePolicy)
    case 2:
      return .amendSeen(childID: name, version: version, child.terms, isSettled: isLast)
    default:
      let terms = child.amendment?.terms ?? child.terms
      return .amendSeen(childID: name, version: version, terms, isSettled: isLast)
    }
  }

  private func trueReport(
    _ random: inout SeededGenerator, _ order: RoutedOrder, _ child: ChildLifecycle, _ id: UInt64
  ) -> VenueReport {
    // Executions of ten, numbered as they happen: what is told twice is told alike.
    let number = Int64.random(in: 1...max(1, child.terms.quantity.raw / 10), using: &random)
    let next = child.filled.raw / 10 + 1
    let status: VenueOrderStatus =
      [.new, .partiallyFilled, .partiallyFilled, .cancelled, .expired].randomElement(
        using: &random)!
    guard status == .partiallyFilled, number <= next, number * 10 <= child.terms.quantity.raw,
      child.isLive || number < next
    else {
      return report(
        status == .partiallyFilled ? .new : status, filled: child.filled.raw, child.sequence, of: id
      )
    }
    return report(
      number * 10 == child.terms.quantity.raw ? .filled : .partiallyFilled, filled: number * 10,
      fill: ("E\(id)-\(child.sequence)-\(number)", 10), child.sequence, of: id)
  }
}
