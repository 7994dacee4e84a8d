import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// What every adapter promises of orders, whatever its exchange says: each test runs at every
/// simulated venue, and ends with what the adapter tells being what the exchange has.
@Suite(.serialized) struct `Conformance of orders` {
  private typealias Names = TradingVenue

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: an order that waits is told, listed, cancelled and gone`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let placed = await trading.place(trading.order(1, .buy, 100, at: trading.low))
      #expect(status(placed) == .new, "\(placed)")
      let bitcoin = trading.bitcoin.id
      let open = try await trading.orders.openOrders(of: bitcoin).rows
      #expect(open.map(\.clientOrderID) == [Names.name(1)])
      #expect(try await trading.orders.openOrders(of: InstrumentID(1)) == VenueList())
      let account = try await trading.connected.exchangeAccount()
      #expect(account.openOrders.map(\.price) == [trading.low])
      #expect(await status(trading.query(1)) == .new)
      try await trading.expectAgreement()

      let cancelled = await trading.cancel(1)
      #expect(status(cancelled) == .cancelled, "\(cancelled)")
      #expect(try await trading.orders.openOrders(of: bitcoin) == VenueList())
      #expect(await status(trading.query(1)) == .cancelled)
      #expect(await soon { trading.statuses(1).last == .cancelled })
      #expect(trading.statuses(1) == [.new, .cancelled])
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: accepted, partly filled, filled, each told in its turn`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 300, at: trading.middle))
      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1) == [.new, .partiallyFilled] })
      await trading.otherPlaces(trading.order(2, .sell, 200, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1) == [.new, .partiallyFilled, .filled] })

      let fills = trading.reports(1).compactMap(\.fill)
      #expect(fills.map(\.quantity) == [trading.amount(100), trading.amount(200)])
      #expect(fills.allSatisfy { $0.isMaker && $0.price == trading.middle })
      #expect(
        trading.reports(1).map(\.filledQuantity)
          == trading.reports(1).map(\.filledQuantity).sorted())
      let id = try #require(trading.reports(1).first?.venueOrderID)
      let bitcoin = trading.bitcoin.id
      let history = try await trading.orders.fills(of: bitcoin, from: nil).rows
      #expect(history.map(\.fill.executionID) == fills.map(\.executionID))
      #expect(history.map(\.fill.fee) == fills.map(\.fee))
      let later = try await trading.orders.fills(of: bitcoin, from: fills[1].executionID).rows
      #expect(later.map(\.fill.executionID) == [fills[1].executionID])
      let own = try await trading.orders.fills(ofOrder: id, bitcoin).rows
      #expect(own.map(\.fill) == history.map(\.fill))
      try await trading.expectAgreement()
      #expect(trading.view.repeatedFills == 0)
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: a part is filled, the rest is cancelled`(_ venue: KnownVenue) async throws
  {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .sell, 300, at: trading.middle))
      await trading.otherPlaces(trading.order(1, .buy, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1) == [.new, .partiallyFilled] })
      guard case .acknowledged(let report) = await trading.cancel(1) else {
        Issue.record("not cancelled")
        return
      }
      #expect(report.status == .cancelled && report.filledQuantity == trading.amount(100))
      #expect(await soon { trading.statuses(1) == [.new, .partiallyFilled, .cancelled] })
      #expect(trading.reports(1).last?.filledQuantity == trading.amount(100))
      #expect(reason(await trading.cancel(1)) == .unknownOrder)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: market, IOC, FOK and post-only end alike`(_ venue: KnownVenue) async throws
  {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let market = await trading.place(trading.order(1, .buy, 500))
      #expect(await trading.ending(1, market).0 == .filled)
      #expect(trading.reports(1).last?.filledQuantity == trading.amount(500))
      #expect(trading.reports(1).compactMap(\.fill).allSatisfy { !$0.isMaker })

      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle))
      let part = await trading.place(trading.order(2, .buy, 300, at: trading.middle, .ioc))
      #expect(await trading.ending(2, part).0 == .expired)
      #expect(trading.reports(2).last?.filledQuantity == trading.amount(100))
      let none = await trading.place(trading.order(3, .buy, 300, at: trading.middle, .ioc))
      #expect(await trading.ending(3, none).0 == .expired)

      await trading.otherPlaces(trading.order(2, .sell, 200, at: trading.middle))
      let taking = await trading.place(trading.order(4, .buy, 100, at: trading.middle, .postOnly))
      let refused = await trading.ending(4, taking)
      #expect(refused.0 == .rejected && refused.1 == .wouldTakeLiquidity, "\(refused)")
      let waiting = await trading.place(trading.order(5, .buy, 100, at: trading.low, .postOnly))
      #expect(status(waiting) == .new)

      let tooLarge = await trading.place(trading.order(6, .buy, 300, at: trading.middle, .fok))
      let whole = await trading.place(trading.order(7, .buy, 200, at: trading.middle, .fok))
      if trading.bitcoin.features.contains(.fok) {
        #expect(await trading.ending(6, tooLarge).0 == .expired)
        #expect(trading.reports(6).last?.filledQuantity == .zero)
        #expect(await trading.ending(7, whole).0 == .filled)
      } else {
        #expect(reason(tooLarge) == .venuePolicy && reason(whole) == .venuePolicy)
      }
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: an order is amended, and replaced`(_ venue: KnownVenue) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let bitcoin = trading.bitcoin.id
      await trading.place(trading.order(1, .buy, 300, at: trading.low))
      let smaller = await trading.orders.amend(
        VenueAmendment(
          clientOrderID: Names.name(1), instrument: bitcoin, quantity: trading.amount(200)))
      #expect(status(smaller) == .new, "\(smaller)")
      let price = Price(trading.low.raw + trading.bitcoin.tickSize.raw)
      let moved = await trading.orders.amend(
        VenueAmendment(clientOrderID: Names.name(1), instrument: bitcoin, price: price))
      let amended = try await trading.connected.exchangeAccount().openOrders
      #expect(amended.map { trading.decimal($0) } == [trading.bitcoin.decimal(trading.amount(200))])
      // Binance changes no price in place, and says so before it is asked.
      #expect(venue == .binance ? reason(moved) == .venuePolicy : status(moved) == .new)
      #expect(amended.map(\.price) == [venue == .binance ? trading.low : price])
      try await trading.expectAgreement()

      let second = trading.order(2, .buy, 100, at: price)
      trading.view.placing(second)
      let replaced = await trading.orders.replace(Names.name(1), with: second)
      trading.view.take(replaced.cancel, of: Names.name(1))
      #expect(
        status(replaced.cancel) == .cancelled && status(replaced.place) == .new, "\(replaced)")
      let third = await trading.orders.replace(
        Names.name(1), with: trading.order(3, .buy, 100, at: price))
      #expect(reason(third.cancel) == .unknownOrder && third.place == nil)
      #expect(
        try await trading.orders.openOrders(of: bitcoin).rows.map(\.clientOrderID) == [
          Names.name(2)
        ])
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: cancel-all ends all of ours in the instrument, and nobody else's`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      for number in 1...25 {
        await trading.place(trading.order(number, .buy, 100, at: trading.low))
      }
      await trading.otherPlaces(trading.order(1, .buy, 100, at: trading.low))
      try await trading.orders.cancelAll(of: trading.bitcoin.id)
      #expect(try await trading.orders.openOrders(of: trading.bitcoin.id) == VenueList())
      #expect(try await trading.other.orders.openOrders(of: trading.bitcoin.id).rows.count == 1)
      // Of nothing there is nothing to say.
      try await trading.orders.cancelAll(of: trading.bitcoin.id)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: without a key every order is refused before anything is sent`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let connected = try await ConnectedVenue(
        loop, venue,
        settings: { settings in
          settings.apiKey = ""
          settings.secret = []
        })
      let bitcoin = try #require(try await connected.start().first)
      let orders = connected.session.orders
      let asked = await connected.server.requestCounts().values.reduce(0, +)
      let order = VenueOrder(
        instrument: bitcoin.id, clientOrderID: Names.name(1), side: .buy, type: .market,
        timeInForce: .ioc, price: nil, quantity: bitcoin.minQuantity)
      let change = VenueAmendment(clientOrderID: Names.name(1), instrument: bitcoin.id)
      #expect(reason(await orders.place(order)) == .venuePolicy)
      #expect(reason(await orders.cancel(Names.name(1), of: bitcoin.id)) == .venuePolicy)
      #expect(reason(await orders.amend(change)) == .venuePolicy)
      #expect(reason(await orders.query(Names.name(1), of: bitcoin.id)) == .venuePolicy)
      let replaced = await orders.replace(Names.name(1), with: order)
      #expect(reason(replaced.cancel) == .venuePolicy && replaced.place == nil)
      let question = await #expect(throws: VenueError.self) { try await orders.balances() }
      #expect(question?.reason == .venuePolicy)
      await #expect(throws: VenueError.self) { try await orders.cancelAll(of: bitcoin.id) }
      await #expect(throws: VenueError.self) { try await orders.openOrders(of: bitcoin.id) }
      let privateRequests = await connected.server.requestCounts().filter { name, _ in
        name.contains("order") || name.contains("private") || name.contains("account")
          || name.contains("userData")
      }
      #expect(privateRequests.isEmpty && asked > 0)
      #expect(connected.session.counters.privateConnections.value == 0)
      await connected.stop()
    }
  }
}

extension TradingVenue {
  func decimal(_ order: ExchangeAccount.OpenOrder) -> Decimal {
    Decimal(units: order.quantity.raw, scale: order.quantityScale)
  }
}
