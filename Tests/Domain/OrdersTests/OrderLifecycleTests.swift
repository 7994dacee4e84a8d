import Chrono
import Orders
import Testing
import Units
import Venue

@Suite struct `Order lifecycle` {
  @Test func `OMS-02 an order goes from journal to venue to filled`() throws {
    var order = OrderLifecycle(limitOrder())

    #expect(order.status == .pendingNew)
    #expect(
      try order.apply(.accepted, at: start)
        == .applied(sequence: 1, from: .pendingNew, to: .pendingNew))
    #expect(
      try order.apply(.sentToVenue, at: start)
        == .applied(sequence: 2, from: .pendingNew, to: .pendingNew))
    #expect(
      try order.apply(.venueAcknowledged(venueOrderID: "V1"), at: start)
        == .applied(sequence: 3, from: .pendingNew, to: .new))
    #expect(
      try order.apply(filled("E1", 40), at: start)
        == .applied(sequence: 4, from: .new, to: .partiallyFilled))
    #expect(
      try order.apply(filled("E2", 60), at: start)
        == .applied(sequence: 5, from: .partiallyFilled, to: .filled))
    #expect(order.openQuantity == .zero)
    #expect(order.venueOrderID == "V1")
  }

  @Test func `OMS-02 nothing may come before the journal`() throws {
    var order = OrderLifecycle(limitOrder())

    #expect(throws: OrderFault.illegal(.sentToVenue, in: .pendingNew)) {
      try order.apply(.sentToVenue, at: start)
    }
    #expect(throws: OrderFault.illegal(.filled, in: .pendingNew)) {
      try order.apply(filled("E1", 1), at: start)
    }
    #expect(order == OrderLifecycle(limitOrder()))
  }

  @Test(arguments: [
    (OrderEvent.cancelled(venueFilled: nil), OrderStatus.cancelled),
    (.expired(venueFilled: nil), .expired),
    (filled("E9", 100), .filled),
  ])
  func `OMS-02 an end absorbs`(end: OrderEvent, status: OrderStatus) throws {
    var order = try lifecycle(working + [end])

    for event in [
      OrderEvent.accepted, .sentToVenue, .venueAcknowledged(venueOrderID: "V1"),
      .cancelRequested(reason: "late"), .cancelled(venueFilled: nil), .expired(venueFilled: nil),
      .rejected(.rateLimit, text: ""), .becameUnknown(reason: "late"),
    ] {
      #expect(try order.apply(event, at: start) == .ignored(.closed))
      #expect(order.status == status)
    }
  }

  @Test func `OMS-04 three fills average exactly`() throws {
    let order = try lifecycle(
      working + [
        filled("E1", 10, at: 50_001), filled("E2", 20, at: 50_002), filled("E3", 3, at: 50_007),
      ])

    #expect(order.filledNotional == Notional(500_010 + 1_000_040 + 150_021))
    #expect(order.filledQuantity == Quantity(33))
    // 1650071 / 33 = 50002.1515..., at two more places than the price has.
    #expect(order.averagePrice(priceScale: 2, scale: 4)?.description == "500.0215")
    #expect(order.averagePrice(priceScale: 2, scale: 6)?.description == "500.021515")
    #expect(try lifecycle(working).averagePrice(priceScale: 2, scale: 4) == nil)
  }

  @Test func `a fill is counted once`() throws {
    var order = try lifecycle(working + [filled("E1", 10)])

    #expect(try order.apply(filled("E1", 10), at: start) == .ignored(.duplicateExecution))
    #expect(order.filledQuantity == Quantity(10))
  }

  @Test func `OMS-02 a fill beyond the quantity counts, and is set aside as well`() throws {
    var order = try lifecycle(working + [filled("E1", 90)])
    let beyond = filled("E2", 11)
    let text = OrderFault.overfill(Quantity(11), open: Quantity(10)).problem
    #expect(try order.decide(beyond) == [beyond, .setAside(text)])

    for event in try order.decide(beyond) { _ = try order.apply(event, at: start) }

    #expect(order.status == .filled)
    #expect(order.filledQuantity == Quantity(101) && order.overfilledQuantity == Quantity(1))
    #expect(order.openQuantity == .zero && order.releasedQuantity == .zero)
    #expect(order.setAsideCount == 1)
    #expect(try order.decide(beyond) == [], "the same word again is nothing new")
  }

  @Test func `a fill that cannot be is kept, and counts nothing`() throws {
    var order = try lifecycle(working)
    let fault = OrderFault.malformedFill(executionID: "E1")
    for odd in [filled("E1", 0), filled("E1", -5), filled("E1", 5, at: 0)] {
      #expect(try order.decide(odd) == [.setAside(fault.problem)])
    }

    _ = try order.apply(.setAside(fault.problem), at: start)

    #expect(order.filledQuantity == .zero && order.status == .new && order.setAsideCount == 1)
  }

  @Test func `OMS-05 a fill that crossed the cancel is counted, told by a total or not`() throws {
    var order = try lifecycle(
      working + [.cancelRequested(reason: "user"), .cancelled(venueFilled: Quantity(30))])
    #expect(order.openQuantity == Quantity(30))
    #expect(order.releasedQuantity == Quantity(70))

    _ = try order.apply(filled("E1", 30), at: start)

    #expect(order.status == .cancelled)
    #expect(order.filledQuantity == Quantity(30))
    #expect(order.openQuantity == .zero)
    let unexplained = filled("E2", 1)
    let fault = OrderFault.unexplainedFill(executionID: "E2", in: .cancelled)
    #expect(try order.decide(unexplained) == [unexplained, .setAside(fault.problem)])
    _ = try order.apply(unexplained, at: start)
    _ = try order.apply(filled("E3", 1, total: 32), at: start)
    #expect(order.filledQuantity == Quantity(32) && order.status == .cancelled)
  }

  @Test func `OMS-02 a fill of a rejected order counts, and is set aside as well`() throws {
    var order = try lifecycle([.accepted, .sentToVenue, .rejected(.insufficientBalance, text: "")])
    #expect(order.closing == .rejected(.insufficientBalance, text: ""))

    let events = try order.decide(filled("E1", 1, total: 1))
    for event in events { _ = try order.apply(event, at: start) }

    #expect(events.count == 2)
    #expect(order.status == .rejected && order.filledQuantity == Quantity(1))
  }

  @Test func `OMS-02 a rejection after the acknowledgement ends the order`() throws {
    var order = try lifecycle(working)

    _ = try order.apply(.rejected(.wouldTakeLiquidity, text: "post only"), at: start)

    #expect(order.closing == .rejected(.wouldTakeLiquidity, text: "post only"))
    #expect(order.openQuantity == .zero && order.releasedQuantity == Quantity(100))
  }

  @Test func `OMS-02 what has filled in part and is rejected is cancelled`() throws {
    var order = try lifecycle(working + [filled("E1", 40)])

    _ = try order.apply(.rejected(.venuePolicy, text: ""), at: start)

    #expect(order.status == .cancelled && order.releasedQuantity == Quantity(60))
  }

  @Test
  func `OMS-14 an order that the venue has although it had ended lives, and is being cancelled`()
    throws
  {
    var order = try lifecycle([
      .accepted, .becameUnknown(reason: "timeout"), .rejected(.venueUnavailable, text: "never"),
    ])
    #expect(order.openQuantity == .zero)

    let terms = OrderTerms(price: Price(50_000), quantity: Quantity(100))
    _ = try order.apply(.reappeared(terms, venueOrderID: "V1"), at: start)

    #expect(order.status == .pendingCancel && order.isCancelRequested)
    #expect(order.openQuantity == Quantity(100))
    _ = try order.apply(filled("E1", 40), at: start)
    #expect(order.openQuantity == Quantity(60))
    _ = try order.apply(.cancelled(venueFilled: nil), at: start)
    #expect(order.status == .cancelled && order.releasedQuantity == Quantity(60))
  }

  @Test func `a cancel that the venue refuses leaves the order working`() throws {
    var order = try lifecycle(working + [filled("E1", 10), .cancelRequested(reason: "user")])
    #expect(order.status == .pendingCancel)

    _ = try order.apply(.cancelRejected(.venuePolicy, text: "too late"), at: start)

    #expect(order.status == .partiallyFilled)
    #expect(
      try order.apply(.cancelRejected(.venuePolicy, text: ""), at: start) == .ignored(.notRequested)
    )
  }
}

@Suite struct `Order replacement` {
  @Test func `the larger of old and new quantity is exposed until the venue answers`() throws {
    var order = try lifecycle(
      working + [.replaceRequested(OrderTerms(price: Price(50_100), quantity: Quantity(150)))])
    #expect(order.status == .pendingReplace)
    #expect(order.openQuantity == Quantity(150))

    _ = try order.apply(.replaced(venueOrderID: "V2"), at: start)

    #expect(order.status == .new)
    #expect(order.terms == OrderTerms(price: Price(50_100), quantity: Quantity(150)))
    #expect(order.venueOrderID == "V2")
  }

  @Test func `the old order may fill whole before the replacement is refused`() throws {
    var order = try lifecycle(
      working + [
        .replaceRequested(OrderTerms(price: Price(50_100), quantity: Quantity(150))),
        filled("E1", 100),
      ])
    #expect(order.status == .pendingReplace)

    _ = try order.apply(.replaceRejected(.unknownOrder, text: ""), at: start)

    #expect(order.status == .filled)
  }

  @Test func `fills beyond the old terms and a refusal contradict each other, and both are kept`()
    throws
  {
    var order = try lifecycle(
      working + [
        .replaceRequested(OrderTerms(price: Price(50_100), quantity: Quantity(150))),
        filled("E1", 120),
      ])
    let refusal = OrderEvent.replaceRejected(.unknownOrder, text: "")

    #expect(try order.decide(refusal).count == 2)
    _ = try order.apply(refusal, at: start)

    #expect(order.status == .filled)
    #expect(order.terms.quantity == Quantity(100) && order.overfilledQuantity == Quantity(20))
  }

  @Test func `new terms must exceed what has filled`() throws {
    var order = try lifecycle(working + [filled("E1", 40)])
    for terms in [
      OrderTerms(price: Price(50_000), quantity: Quantity(40)),
      OrderTerms(price: Price(0), quantity: Quantity(50)),
      OrderTerms(price: nil, quantity: Quantity(50)),
    ] {
      #expect(throws: OrderFault.invalidTerms(terms, filled: Quantity(40))) {
        try order.apply(.replaceRequested(terms), at: start)
      }
    }
  }
}

@Suite struct `Order in doubt` {
  @Test func `OMS-14 silence is UNKNOWN and keeps the exposure`() throws {
    let order = try lifecycle([.accepted, .sentToVenue, .becameUnknown(reason: "no answer in 5 s")])

    #expect(order.status == .unknown)
    #expect(order.openQuantity == Quantity(100))
    #expect(order.doubt == "no answer in 5 s")
  }

  @Test func `a cancel in doubt stays in doubt until it is answered`() throws {
    var order = try lifecycle(
      working + [.cancelRequested(reason: "user"), .becameUnknown(reason: "timeout")])

    #expect(
      try order.apply(.venueAcknowledged(venueOrderID: "V1"), at: start) == .ignored(.repeated))
    #expect(order.status == .unknown && order.isCancelRequested)
    _ = try order.apply(.cancelled(venueFilled: nil), at: start)
    #expect(order.status == .cancelled)
  }
}

@Suite struct `Order ids` {
  @Test func `ids only grow, also when the clock steps back`() {
    var mint = OrderIDMint()
    let first = mint.next(now: start)
    let second = mint.next(now: start)
    let third = mint.next(now: start + .seconds(-60))
    var restarted = OrderIDMint(after: third)

    #expect(first < second && second < third)
    #expect(restarted.next(now: start) > third)
  }

  @Test(arguments: [0, 1, 42, 1 << 60, UInt64.max])
  func `an id reads back from its text`(raw: UInt64) {
    let text = OrderID(raw).description

    #expect(text.utf8.count == 13)
    #expect(OrderID(parsing: text) == OrderID(raw))
  }

  @Test(arguments: ["", "0", "000000000000U", "00000000000001", "G000000000000", "000000000000é"])
  func `what is no id is refused`(text: String) {
    #expect(OrderID(parsing: text) == nil)
  }
}
