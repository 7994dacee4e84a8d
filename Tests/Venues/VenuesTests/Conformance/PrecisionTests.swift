import Chrono
import Seeds
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// What goes over the wire is what was meant, to the digit, and what breaks a rule is refused by its
/// name.
@Suite(.serialized) struct `Conformance of precision` {
  /// Five ticks of what a price can be told in, ten lots at least, 50 of the quote at least (where the
  /// venue has such a rule), and half the market's price each way.
  private static func strict(_ market: inout SimulatedMarket) {
    let scale = market.instrument.notionalScale
    market.instrument.tickSize = Price(5)
    market.instrument.minQuantity = Quantity(10 * max(market.instrument.lotSize.raw, 1_000))
    if market.instrument.minNotional.raw > 0 {
      market.instrument.minNotional = Notional(50 * Int128(powerOfTen(scale)!))
    }
    let (low, high) = (Decimal(units: 5, scale: 1), Decimal(units: 15, scale: 1))
    market.instrument.priceBand = PriceBand(
      buyLowest: low, buyHighest: high, sellLowest: low, sellHighest: high)
  }

  private static func order(
    _ number: Int, _ instrument: Instrument, at price: Int64, _ quantity: Int64
  ) -> VenueOrder {
    VenueOrder(
      instrument: instrument.id, clientOrderID: TradingVenue.name(number), side: .buy,
      type: .limit, timeInForce: .gtc, price: Price(price), quantity: Quantity(quantity))
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 precision: prices and quantities arrive as the exact decimal text`(
    _ venue: KnownVenue
  ) async throws {
    let seed = UInt64.random(in: .min ... .max)
    print("\(venue): seed \(seed)")
    try await withLoop { loop in
      var random = SeededGenerator(seed: seed)
      let tap = try await WireTap(loop, venue, market: Self.strict)
      let bitcoin = try #require(try await tap.session.loadInstruments().first)
      let one = powerOfTen(bitcoin.priceScale)!
      for number in 1...40 {
        let ticks = Int64.random(in: 40_000 * one / 5...55_000 * one / 5, using: &random)
        let lots = Int64.random(in: 1...1_000, using: &random)
        let quantity = bitcoin.minQuantity.raw * 20 + lots * bitcoin.lotSize.raw
        let order = Self.order(number, bitcoin, at: ticks * 5, quantity)
        let outcome = await tap.session.orders.place(order)
        #expect(status(outcome) == .new, "\(venue): \(outcome)")

        let (price, size) = try tap.lastTerms()
        let told = bitcoin.decimal(order.quantity)
        #expect(price == bitcoin.decimal(Price(ticks * 5)).description)
        #expect(size == told.description)
        let open = try #require(tap.account?.openOrders.last)
        #expect(open.price.raw == ticks * 5 && open.priceScale == bitcoin.priceScale)
        #expect(Decimal(units: open.quantity.raw, scale: open.quantityScale) == told)
      }
      #expect(tap.account?.openOrders.count == 40)
      await tap.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 precision: tick, lot, least, most, notional and band are refused by name`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let tap = try await WireTap(loop, venue, market: Self.strict)
      let bitcoin = try #require(try await tap.session.loadInstruments().first)
      let one = powerOfTen(bitcoin.priceScale)!
      let (price, normal) = (50_000 * one, bitcoin.minQuantity.raw * 20)
      var cases: [(RejectReason, Int64, Int64)] = [
        (.pricePrecision, price + 1, normal),
        (.minSize, price, bitcoin.minQuantity.raw - bitcoin.lotSize.raw),
        (.priceBands, price * 3, normal),
        (.priceBands, price / 4, normal * 10),
      ]
      // What the venue's numbers cannot spell is no case.
      if bitcoin.lotSize.raw > 1 {
        cases.append((.sizePrecision, price, normal + bitcoin.lotSize.raw / 2))
      }
      if bitcoin.maxQuantity.raw < .max / 1_000 {
        cases.append((.maxSize, price, bitcoin.maxQuantity.raw + bitcoin.lotSize.raw))
      }
      if bitcoin.minNotional.raw > 0 {
        cases.append((.minNotional, price, bitcoin.minQuantity.raw))
      }
      #expect(bitcoin.tickSize == Price(5) && cases.count >= 5)
      for (number, (expected, price, quantity)) in cases.enumerated() {
        let outcome = await tap.session.orders.place(
          Self.order(number + 1, bitcoin, at: price, quantity))
        #expect(reason(outcome) == expected, "\(venue): \(price) x \(quantity): \(outcome)")
      }
      #expect(tap.account?.openOrders.isEmpty == true)
      await tap.stop()
    }
  }
}
