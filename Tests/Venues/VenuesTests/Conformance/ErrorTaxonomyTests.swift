import Chrono
import Security
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// One fault has one reason, whatever words a venue has for it. Too many requests, a halt and
/// maintenance are among the faults of orders.
@Suite(.serialized) struct `Conformance of errors` {
  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 errors: unknown orders, too little money, a name that is taken`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let (orders, bitcoin) = (trading.orders, trading.bitcoin.id)
      let nobody = TradingVenue.name(99)
      #expect(reason(await orders.query(nobody, of: bitcoin)) == .unknownOrder)
      #expect(reason(await orders.cancel(nobody, of: bitcoin)) == .unknownOrder)
      let change = VenueAmendment(
        clientOrderID: nobody, instrument: bitcoin, quantity: trading.amount(100))
      #expect(reason(await orders.amend(change)) == .unknownOrder)
      let replaced = await orders.replace(
        nobody, with: trading.order(1, .buy, 100, at: trading.low))
      #expect(reason(replaced.cancel) == .unknownOrder && replaced.place == nil)

      let rich = trading.order(2, .buy, 4_000_000, at: trading.low)
      #expect(reason(await trading.place(rich)) == .insufficientBalance)
      let large = trading.order(3, .sell, 1_100_000, at: trading.price(1_000))
      #expect(reason(await trading.place(large)) == .insufficientBalance)

      await trading.place(trading.order(4, .buy, 100, at: trading.low))
      let twice = trading.order(4, .buy, 200, at: trading.low)
      // An order of this name is there, perhaps this one.
      let again = await trading.place(twice)
      #expect(isUnknown(again), "\(again)")
      let nothing = VenueAmendment(
        clientOrderID: TradingVenue.name(4), instrument: bitcoin, quantity: trading.amount(100))
      #expect(reason(await orders.amend(nothing)) == .invalidOrder)
      var unheard = trading.order(5, .buy, 100, at: trading.low)
      unheard.instrument = InstrumentID(77)
      #expect(reason(await trading.place(unheard)) == .invalidSymbol)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 errors: a signature or a key that is not ours is venue policy`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let forged = try trading.connected.another {
        $0.secret = venue == .kraken ? Array("c2VjcmV0".utf8) : Array("another secret".utf8)
      }
      let stranger = try trading.connected.another { $0.apiKey = "key-of-nobody" }
      for session in [forged, stranger] {
        _ = try await session.loadInstruments()
        let outcome = await session.orders.place(trading.order(1, .buy, 100, at: trading.low))
        #expect(reason(outcome) == .venuePolicy, "\(outcome)")
        let error = await #expect(throws: VenueError.self) { try await session.orders.balances() }
        #expect(error?.reason == .venuePolicy)
      }
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 errors: a time that the venue refuses for good is its being away`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let tap = try await WireTap(loop, venue, timeLie: .seconds(-3_600))
      let bitcoin = try #require(try await tap.session.loadInstruments().first)
      let order = VenueOrder(
        instrument: bitcoin.id, clientOrderID: TradingVenue.name(1), side: .buy, type: .limit,
        timeInForce: .gtc, price: Price(50_000 * powerOfTen(bitcoin.priceScale)!),
        quantity: Quantity(powerOfTen(bitcoin.quantityScale)! / 100))
      let outcome = await tap.session.orders.place(order)
      #expect(reason(outcome) == .venueUnavailable, "\(outcome)")
      #expect(tap.account?.openOrders.isEmpty == true)
      await tap.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 errors: an instrument that is listed and gone is an invalid symbol`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let tap = try await WireTap(loop, venue, trades: 1)
      let ether = try #require(try await tap.session.loadInstruments().last)
      #expect(ether.base == "ETH")
      let order = VenueOrder(
        instrument: ether.id, clientOrderID: TradingVenue.name(1), side: .buy, type: .limit,
        timeInForce: .gtc, price: Price(2_000 * powerOfTen(ether.priceScale)!),
        quantity: Quantity(powerOfTen(ether.quantityScale)!))
      let outcome = await tap.session.orders.place(order)
      #expect(reason(outcome) == .invalidSymbol, "\(outcome)")
      await tap.stop()
    }
  }
}
