import JSON
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Binance's changes of waiting orders` {
  private func limit(_ id: String, _ quantity: Int64) -> VenueOrder {
    VenueOrder(
      instrument: ConnectedVenue.bitcoin, clientOrderID: id, side: .buy, type: .limit,
      timeInForce: .gtc, price: Price(50_000_00), quantity: Quantity(quantity))
  }

  @Test func `TST-01 a quantity gets smaller in place, and stream and query name it`() async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      let instruments = try await venue.start()
      #expect(instruments.map(\.amendable) == [.smallerQuantity, .smallerQuantity])
      #expect(await soon { venue.account.all.contains(.connected(attempt: 1)) })
      let orders = venue.session.orders
      let bitcoin = ConnectedVenue.bitcoin
      guard case .acknowledged(let placed) = await orders.place(limit("a-1", 20_000)),
        case .acknowledged(let amended) = await orders.amend(
          VenueAmendment(clientOrderID: "a-1", instrument: bitcoin, quantity: Quantity(10_000))),
        case .acknowledged(let queried) = await orders.query("a-1", of: bitcoin)
      else {
        Issue.record("a change was not made")
        return
      }

      #expect(placed.price == Price(50_000_00) && placed.quantity == Quantity(20_000))
      for report in [amended, queried] {
        #expect(report.clientOrderID == "a-1" && report.venueOrderID == placed.venueOrderID)
        #expect(report.price == Price(50_000_00) && report.quantity == Quantity(10_000))
        #expect(report.status == .new)
      }
      #expect(await soon { venue.reports("a-1").last?.quantity == Quantity(10_000) })
      await venue.stop()
    }
  }

  @Test func `TST-01 what Binance does not change in place is venue policy, and stays as it was`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      let orders = venue.session.orders
      let bitcoin = ConnectedVenue.bitcoin
      _ = await orders.place(limit("a-1", 20_000))
      func reason(_ price: Price?, _ quantity: Quantity?, _ id: String = "a-1") async
        -> RejectReason?
      {
        let change = VenueAmendment(
          clientOrderID: id, instrument: bitcoin, price: price, quantity: quantity)
        if case .rejected(let reason, _) = await orders.amend(change) { return reason }
        return nil
      }

      #expect(await reason(Price(50_001_00), nil) == .venuePolicy)
      #expect(await reason(nil, Quantity(30_000)) == .venuePolicy)
      #expect(await reason(nil, Quantity(20_000)) == .invalidOrder)
      #expect(await reason(nil, Quantity(10_000), "ghost") == .unknownOrder)
      let open = try await orders.openOrders(of: bitcoin).rows
      #expect(open.map(\.quantity) == [Quantity(20_000)])
      await venue.stop()
    }
  }

  @Test func `TST-01 cancel-all tells the orders of the instrument, and only those`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      let orders = venue.session.orders
      for id in ["a-1", "a-2"] { _ = await orders.place(limit(id, 20_000)) }

      let cancelled = try await orders.cancelAll(of: ConnectedVenue.bitcoin).rows
      let again = try await orders.cancelAll(of: ConnectedVenue.bitcoin).rows

      #expect(cancelled.map(\.clientOrderID).sorted() == ["a-1", "a-2"])
      #expect(cancelled.allSatisfy { $0.status == .cancelled } && again.isEmpty)
      #expect(try await orders.openOrders(of: ConnectedVenue.bitcoin) == VenueList())
      await venue.stop()
    }
  }

  @Test(arguments: [
    ("Order amend (quantity increase) is not supported.", RejectReason.venuePolicy),
    ("Order amend (pending OPO order) is not supported.", .venuePolicy),
    ("Filter failure: MAX_NUM_ORDER_AMENDS", .venuePolicy),
    ("The requested action would change no state; rejecting.", .invalidOrder),
  ])
  func `only what can still be replaced is venue policy`(_ text: String, _ reason: RejectReason) {
    #expect(BinanceErrors.reason(-2038, text) == reason)
  }
}
