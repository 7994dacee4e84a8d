import Chrono
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Every fault of requests and of private streams, at every simulated venue: noticed, counted,
/// recovered from, and at the end the adapter tells what the exchange has.
@Suite(.serialized) struct `Faults of orders` {
  private typealias Names = TradingVenue

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 a lost acknowledgement is unknown, and a query proves what was done`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue, timeout: .seconds(2))
      let lost = VenueFault.request(.lostAcknowledgement, count: 1)
      try await trading.connected.fault(lost)
      #expect(isUnknown(await trading.place(trading.order(1, .buy, 100, at: trading.low))))
      // A machine that is busy may answer late too: asked until the venue has spoken.
      #expect(await soon { status(await trading.query(1)) == .new })
      try await trading.expectAgreement()
      try await trading.connected.fault(lost)
      #expect(isUnknown(await trading.cancel(1)))
      #expect(await soon { status(await trading.query(1)) == .cancelled })
      #expect(trading.counters.unknownOutcomes.value >= 2)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 a lost answer to an amendment or a replacement is unknown, and asking proves both`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue, timeout: .seconds(2))
      try await trading.expectTaken(1, of: 300)
      try await trading.connected.fault(.request(.lostAcknowledgement, count: 1))
      let amended = await trading.orders.amend(
        VenueAmendment(
          clientOrderID: Names.name(1), instrument: trading.bitcoin.id,
          quantity: trading.amount(200)))
      #expect(isUnknown(amended), "\(amended)")
      let open = try await trading.connected.exchangeAccount().openOrders
      #expect(open.map { trading.decimal($0) } == [trading.bitcoin.decimal(trading.amount(200))])
      try await trading.expectAgreement()

      try await trading.connected.fault(.request(.lostAcknowledgement, count: 1))
      let second = trading.order(2, .buy, 100, at: trading.low)
      trading.view.placing(second)
      let replaced = await trading.orders.replace(Names.name(1), with: second)
      trading.view.take(replaced.cancel, of: Names.name(1))
      if let place = replaced.place { trading.view.take(place, of: Names.name(2)) }
      #expect(isUnknown(replaced.cancel), "\(replaced)")
      // Binance does both by one request, the others would not place before the cancel is proven.
      #expect(venue == .binance ? isUnknown(replaced.place) : replaced.place == nil)
      #expect(await soon { status(await trading.query(1)) == .cancelled })
      #expect(
        await soon {
          let placed = await trading.query(2)
          return venue == .binance ? status(placed) == .new : reason(placed) == .unknownOrder
        })
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 an answer that nobody knows is unknown, and what was done is found`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      try await trading.connected.fault(.request(.statusUnknown, count: 1))
      #expect(isUnknown(await trading.place(trading.order(1, .buy, 100, at: trading.low))))
      #expect(trading.counters.unknownOutcomes.value == 1)
      #expect(status(await trading.query(1)) == .new)
      try await trading.connected.fault(.request(.statusUnknown, count: 1))
      #expect(isUnknown(await trading.cancel(1)))
      #expect(status(await trading.query(1)) == .cancelled)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 an internal error is unknown, and what was not done is found too`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      try await trading.connected.fault(.request(.internalError, count: 1))
      #expect(isUnknown(await trading.place(trading.order(1, .buy, 100, at: trading.low))))
      #expect(reason(await trading.query(1)) == .unknownOrder)
      await trading.place(trading.order(2, .buy, 100, at: trading.low))
      try await trading.connected.fault(.request(.internalError, count: 1))
      #expect(isUnknown(await trading.cancel(2)))
      #expect(status(await trading.query(2)) == .new)
      #expect(trading.counters.unknownOutcomes.value == 2)
      try await trading.expectAgreement()
      #expect(trading.view.orders.keys.sorted() == [Names.name(2)])
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `EX-10 a venue that is asked too much refuses, and is left alone for a while`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      // Whoever asks meets it, so that no other request can use it up.
      try await trading.connected.fault(.request(.tooMany, count: 1_000))
      let limited = await trading.place(trading.order(1, .buy, 100, at: trading.low))
      #expect(reason(limited) == .rateLimit, "\(limited)")
      #expect(trading.counters.limited.value >= 1)
      #expect(trading.counters.unknownOutcomes.value == 0)
      try await trading.connected.fault(.none)
      try await trading.expectTaken(2)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `EX-10 a banned address is refused until the ban ends, and loses nothing`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 200, at: trading.middle))
      try await trading.connected.fault(.ban(.seconds(3)))
      let banned = await trading.place(trading.order(2, .buy, 100, at: trading.low))
      #expect(reason(banned) == .rateLimit, "\(banned)")
      #expect(trading.counters.limited.value >= 1)
      try await trading.expectTaken(3)
      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1).last == .partiallyFilled })
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 a fill that the stream lost is found by what the order says, and counted once`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 400, at: trading.middle))
      try await trading.connected.fault(.lostFill(count: 1))
      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle, .ioc))
      await trading.otherPlaces(trading.order(2, .sell, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1).last == .partiallyFilled })
      trading.view.hear()
      // The second fill's report has both in its sum.
      #expect(trading.view.ordersWithLostFills == [Names.name(1)])
      #expect(trading.view.fills.count == 1)
      try await trading.expectAgreement()
      #expect(trading.view.fills.count == 2)
      // The last fill of an order has nothing after it: asking finds it.
      try await trading.connected.fault(.lostFill(count: 1))
      await trading.otherPlaces(trading.order(3, .sell, 200, at: trading.middle, .ioc))
      try await trading.expectAgreement()
      #expect(trading.view.orders[Names.name(1)]?.status == .filled)
      #expect(trading.view.fills.count == 3)
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 a fill that comes after the cancel counts, and the order stays cancelled`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 200, at: trading.low))
      try await trading.connected.fault(.lateFill(count: 1))
      guard case .acknowledged(let report) = await trading.cancel(1) else {
        Issue.record("not cancelled")
        return
      }
      #expect(report.status == .cancelled && report.filledQuantity == trading.amount(100))
      #expect(await soon { trading.reports(1).last?.fill != nil })
      #expect(trading.reports(1).contains { $0.status == .cancelled })
      trading.view.hear()
      #expect(trading.view.orders[Names.name(1)]?.status == .cancelled)
      #expect(trading.view.fills.map(\.fill.quantity) == [trading.amount(100)])
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-01 a private stream that is cut comes back and says so, and nothing is missed`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 200, at: trading.middle))
      try await trading.connected.fault(.disconnect(.privateStreams))
      // While nobody listens.
      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.connected.account.all.contains(.connected(attempt: 2)) })
      let told = trading.connected.account.all.compactMap { event -> String? in
        switch event {
        case .connected(let attempt): "connected \(attempt)"
        case .disconnected: "disconnected"
        default: nil
        }
      }
      #expect(told == ["connected 1", "disconnected", "connected 2"])
      #expect(trading.counters.privateConnections.value == 2)
      #expect(trading.counters.privateReconnections.value == 1)
      try await trading.expectAgreement()
      await trading.otherPlaces(trading.order(2, .sell, 100, at: trading.middle, .ioc))
      #expect(await soon { trading.statuses(1).last == .filled })
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated, [-2, 2])
  func `CLK-04 a venue whose clock is two seconds off still takes our orders`(
    _ venue: KnownVenue, _ seconds: Int
  ) async throws {
    try await withLoop { loop in
      // Less than the clock is off, where the venue lets us choose.
      let trading = try await TradingVenue(loop, venue, receiveWindow: .seconds(1))
      await trading.place(trading.order(1, .buy, 100, at: trading.low))
      try await trading.connected.fault(.clockSkew(.seconds(seconds)))
      try await trading.expectTaken(2)
      #expect(await soon { status(await trading.cancel(2)) == .cancelled })
      #expect(trading.counters.unknownOutcomes.value == 0)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated, [-2, 2])
  func `CLK-04 a venue whose clock is off from the start is known to be`(
    _ venue: KnownVenue, _ seconds: Int
  ) async throws {
    try await withLoop { loop in
      let skew = Duration.seconds(seconds)
      let trading = try await TradingVenue(
        loop, venue, receiveWindow: .seconds(1), venueTime: MovedTime(by: skew))
      let offset = try #require(trading.connected.session.clockOffset)
      // Kraken tells whole seconds; the way there and back is the rest.
      #expect(seconds > 0 ? offset > .seconds(1) : offset < .seconds(-1))
      try await trading.expectTaken(1)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `EX-10 a halted market takes no order but cancels, and trades again`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 100, at: trading.low))
      await trading.place(trading.order(2, .buy, 100, at: trading.low))
      let symbol = trading.bitcoin.venueSymbol
      try await trading.connected.fault(.halt(symbol: symbol))
      let refused = await trading.place(trading.order(3, .buy, 100, at: trading.low))
      #expect(reason(refused) == .marketClosed, "\(refused)")
      #expect(status(await trading.cancel(1)) == .cancelled)
      try await trading.expectAgreement()
      try await trading.connected.fault(.resume(symbol: symbol))
      try await trading.expectTaken(4)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `OMS-14 in maintenance nothing is known, afterwards everything is`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      await trading.place(trading.order(1, .buy, 100, at: trading.low))
      try await trading.connected.fault(.maintenance(.seconds(3_600)))
      // An order that meets a closed venue may have been the last that it took.
      #expect(isUnknown(await trading.place(trading.order(2, .buy, 100, at: trading.low))))
      let question = await #expect(throws: VenueError.self) { try await trading.orders.balances() }
      #expect(question?.reason == .venueUnavailable)
      #expect(
        await soon {
          trading.connected.account.all.contains { event in
            if case .disconnected = event { true } else { false }
          }
        })
      try await trading.connected.fault(.none)
      #expect(await soon { trading.connected.account.all.contains(.connected(attempt: 2)) })
      #expect(trading.counters.privateReconnections.value == 1)
      #expect(reason(await trading.query(2)) == .unknownOrder)
      try await trading.expectTaken(3)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }
}

extension TradingVenue {
  /// The venue takes an order again, at once or when it lets us ask: what was refused was not taken,
  /// so its name is free.
  func expectTaken(_ number: Int, of count: Int64 = 100, line: Int = #line) async throws {
    var last: VenueOutcome?
    let isTaken = await soon {
      last = await self.place(self.order(number, .buy, count, at: self.low))
      if isUnknown(last) { last = await self.query(number) }
      return status(last) == .new
    }
    #expect(isTaken, "\(venue), line \(line): \(last as Any)")
  }
}
