import Chrono
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// A session that was away finds what happened meanwhile: nothing lost, nothing twice.
@Suite(.serialized) struct `Conformance of restarts` {
  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 restart: open orders, fills from the last one on, and balances are found again`(
    _ venue: KnownVenue
  ) async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      let nonces = NonceFile(path: folder.path + "/nonces")
      let trading = try await TradingVenue(loop, venue, settings: { $0.nonces = nonces })
      await trading.place(trading.order(1, .buy, 300, at: trading.middle))
      for number in 2...4 {
        await trading.place(trading.order(number, .buy, 100, at: trading.low))
      }
      await trading.place(trading.order(5, .sell, 400, at: trading.price(2)))
      await trading.otherPlaces(trading.order(1, .sell, 100, at: trading.middle, .ioc))
      try await trading.expectAgreement()
      #expect(trading.view.fills.count == 1)

      await trading.connected.session.stop()
      // Meanwhile one is filled, one is cancelled, one is filled in part.
      await trading.otherPlaces(trading.order(2, .sell, 200, at: trading.middle, .ioc))
      await trading.otherPlaces(trading.order(3, .buy, 150, at: trading.price(2), .ioc))
      let elsewhere = try trading.connected.another()
      _ = try await elsewhere.loadInstruments()
      let cancelled = await elsewhere.orders.cancel(TradingVenue.name(3), of: trading.bitcoin.id)
      #expect(status(cancelled) == .cancelled)

      let events = Heard<PrivateEvent>()
      trading.view.follow(events)
      let again = try trading.connected.another { $0.nonces = nonces }
      _ = try await again.loadInstruments()
      await again.start(market: { _ in }, account: { events.hear($0) })
      #expect(await soon { events.all.contains(.connected(attempt: 1)) })
      try await trading.view.reconcile(again.orders)

      let account = try await trading.connected.exchangeAccount()
      #expect(trading.view.differences(from: account, before: trading.before) == [])
      let orders = trading.view.orders
      let expected: [(VenueOrderStatus, Int64)] = [
        (.filled, 300), (.new, 0), (.cancelled, 0), (.new, 0), (.partiallyFilled, 150),
      ]
      for (place, (status, filled)) in expected.enumerated() {
        let order = orders[TradingVenue.name(place + 1)]
        #expect(order?.status == status && order?.filled == trading.amount(filled))
      }
      #expect(trading.view.fills.count == 3)
      // And it goes on being told.
      await trading.otherPlaces(trading.order(4, .buy, 250, at: trading.price(2), .ioc))
      #expect(
        await soon {
          trading.view.hear()
          return trading.view.orders[TradingVenue.name(5)]?.status == .filled
        })
      try await trading.view.reconcile(again.orders)
      let end = try await trading.connected.exchangeAccount()
      #expect(trading.view.differences(from: end, before: trading.before) == [])
      #expect(trading.view.fills.count == 4 && trading.view.repeatedFills == 0)
      await again.stop()
      await trading.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 idempotency: one name is one order, however often it is sent`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue, timeout: .seconds(3))
      let order = trading.order(1, .buy, 100, at: trading.low)
      let outcomes = await withTaskGroup(of: VenueOutcome.self) { group in
        for _ in 0..<5 { group.addTask { await trading.place(order) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count { status($0) == .new } == 1, "\(outcomes)")
      #expect(outcomes.count(where: isUnknown) == 4, "\(outcomes)")

      // Whoever does not know whether it arrived may send it again.
      try await trading.connected.fault(.request(.lostAcknowledgement, count: 1))
      let lost = trading.order(2, .buy, 100, at: trading.low)
      #expect(isUnknown(await trading.place(lost)))
      #expect(isUnknown(await trading.place(lost)))
      #expect(status(await trading.orders.query(lost.clientOrderID, of: lost.instrument)) == .new)
      let open = try await trading.connected.exchangeAccount().openOrders
      #expect(open.map { OKXClientID.parsed($0.clientOrderID) } == [1, 2].map(TradingVenue.name))
      try await trading.expectAgreement()
      await trading.stop()
    }
  }
}
