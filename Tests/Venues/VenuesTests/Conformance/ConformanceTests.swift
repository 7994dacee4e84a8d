import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// What every adapter promises, whatever its exchange says: each test runs at every simulated venue.
@Suite struct ConformanceTests {
  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 contract: an order that waits is told, listed, cancelled and gone`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let connected = try await ConnectedVenue(loop, venue)
      let instruments = try await connected.start()
      #expect(instruments.count == 2)
      let bitcoin = instruments[0]
      let low = try await connected.exchangeBook(bitcoin.venueSymbol).bids[0].price
      let price = Price(low.raw - 100 * bitcoin.tickSize.raw)
      let order = VenueOrder(
        instrument: bitcoin.id, clientOrderID: "0abcdefghjkmn-1", side: .buy, type: .limit,
        timeInForce: .gtc, price: price,
        quantity: Quantity(4 * max(bitcoin.minQuantity.raw, bitcoin.lotSize.raw * 100)))
      let orders = connected.session.orders
      let placed = await orders.place(order)
      guard case .acknowledged = placed else {
        Issue.record("not accepted: \(placed)")
        return await connected.stop()
      }
      #expect(
        try await orders.openOrders(of: bitcoin.id).map(\.clientOrderID) == ["0abcdefghjkmn-1"])
      #expect(try await connected.exchangeAccount().openOrders.map(\.price) == [price])
      let cancelled = await orders.cancel("0abcdefghjkmn-1", of: bitcoin.id)
      guard case .acknowledged = cancelled else {
        Issue.record("not cancelled: \(cancelled)")
        return await connected.stop()
      }
      #expect(try await orders.openOrders(of: bitcoin.id).isEmpty)
      #expect(try await connected.exchangeAccount().openOrders.isEmpty)
      await connected.stop()
    }
  }
}
