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

  @Test func `an overfill is the venue's fault and changes nothing`() throws {
    var order = try lifecycle(working + [filled("E1", 90)])
    let before = order

    #expect(throws: OrderFault.overfill(Quantity(11), open: Quantity(10))) {
      try order.apply(filled("E2", 11), at: start)
    }
    #expect(order == before)
  }

  @Test func `OMS-05 a fill that crossed the cancel is counted when the venue's total covers it`()
    throws
  {
    var order = try lifecycle(
      working + [.cancelRequested(reason: "user"), .cancelled(venueFilled: Quantity(30))])
    #expect(order.openQuantity == Quantity(30))
    #expect(order.releasedQuantity == Quantity(70))

    _ = try order.apply(filled("E1", 30), at: start)

    #expect(order.status == .cancelled)
    #expect(order.filledQuantity == Quantity(30))
    #expect(order.openQuantity == .zero)
    #expect(throws: OrderFault.unexplainedFill(executionID: "E2", in: .cancelled)) {
      try order.apply(filled("E2", 1), at: start)
    }
    _ = try order.apply(filled("E2", 1, total: 31), at: start)
    #expect(order.filledQuantity == Quantity(31))
  }

  @Test func `a rejected order cannot fill`() throws {
    var order = try lifecycle([.accepted, .sentToVenue, .rejected(.insufficientBalance, text: "")])

    #expect(order.closing == .rejected(.insufficientBalance, text: ""))
    #expect(throws: OrderFault.unexplainedFill(executionID: "E1", in: .rejected)) {
      try order.apply(filled("E1", 1, total: 1), at: start)
    }
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

  @Test func `fills beyond the old terms and a refusal contradict each other`() throws {
    var order = try lifecycle(
      working + [
        .replaceRequested(OrderTerms(price: Price(50_100), quantity: Quantity(150))),
        filled("E1", 120),
      ])

    #expect(
      throws: OrderFault.contradiction(
        .replaceRejectedAfterFills(filled: Quantity(120), quantity: Quantity(100)))
    ) { try order.apply(.replaceRejected(.unknownOrder, text: ""), at: start) }
    _ = try order.apply(.replaced(venueOrderID: nil), at: start)
    #expect(order.status == .partiallyFilled)
    #expect(order.openQuantity == Quantity(30))
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

  @Test func `OMS-14 a query that finds it open makes it working`() throws {
    var order = try lifecycle([.accepted, .sentToVenue, .becameUnknown(reason: "timeout")])
    let truth = OrderEvent.resolved(.open(venueOrderID: "V1", terms: nil, filled: .zero))

    _ = try order.apply(truth, at: start)

    #expect(order.status == .new)
    #expect(try order.apply(truth, at: start) == .ignored(.repeated))
  }

  @Test func `OMS-14 only the venue's denial ends an order that never arrived`() throws {
    var order = try lifecycle([.accepted, .sentToVenue, .becameUnknown(reason: "timeout")])

    _ = try order.apply(.resolved(.absent), at: start)

    #expect(order.status == .rejected)
    #expect(order.openQuantity == .zero)
  }

  @Test func `a venue that denies what it acknowledged contradicts itself`() throws {
    var order = try lifecycle(working + [.becameUnknown(reason: "timeout")])

    #expect(throws: OrderFault.contradiction(.deniedAfterAcknowledgement)) {
      try order.apply(.resolved(.absent), at: start)
    }
    #expect(order.status == .unknown)
  }

  @Test func `a cancel in doubt that is found open may be asked for again`() throws {
    var order = try lifecycle(
      working + [.cancelRequested(reason: "user"), .becameUnknown(reason: "timeout")])

    _ = try order.apply(.resolved(.open(venueOrderID: "V1", terms: nil, filled: .zero)), at: start)

    #expect(order.status == .new)
    #expect(!order.isCancelRequested)
  }

  @Test func `a replacement in doubt stays so until the venue names its terms`() throws {
    let new = OrderTerms(price: Price(50_100), quantity: Quantity(80))
    var order = try lifecycle(
      working + [.replaceRequested(new), .becameUnknown(reason: "timeout")])

    _ = try order.apply(
      .resolved(.open(venueOrderID: "V1", terms: nil, filled: Quantity(1))), at: start)
    #expect(order.status == .unknown)
    #expect(order.openQuantity == Quantity(100))
    _ = try order.apply(
      .resolved(.open(venueOrderID: "V1", terms: new, filled: Quantity(1))), at: start)

    #expect(order.status == .new)
    #expect(order.terms == new)
  }

  @Test func `found filled, it is filled, and its missing fills stay exposed until they come`()
    throws
  {
    var order = try lifecycle([.accepted, .sentToVenue, .becameUnknown(reason: "timeout")])

    _ = try order.apply(.resolved(.filled(venueOrderID: "V1", filled: Quantity(100))), at: start)
    #expect(order.status == .filled)
    #expect(order.openQuantity == Quantity(100))
    _ = try order.apply(filled("E1", 100), at: start)

    #expect(order.openQuantity == .zero)
    #expect(order.filledNotional == Notional(5_000_000))
  }

  @Test func `an order that had ended and is found open is a fault`() throws {
    var order = try lifecycle(working + [.cancelled(venueFilled: nil)])

    #expect(throws: OrderFault.contradiction(.openAfterEnd(.cancelled))) {
      try order.apply(.resolved(.open(venueOrderID: "V1", terms: nil, filled: .zero)), at: start)
    }
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
