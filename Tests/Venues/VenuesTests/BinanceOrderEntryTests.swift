import Chrono
import Loop
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

@Suite struct `Binance order entry` {
  @Test func `an order rests, is queried, replaced and cancelled`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      let instruments = try await venue.start()
      #expect(instruments.map(\.symbol) == ["BTCUSDT", "ETHUSDT"])
      #expect(await soon { venue.account.all.contains(.connected(attempt: 1)) })
      let orders = venue.session.orders

      let placed = await orders.place(order("o-1", .buy, 10_000, at: 50_000_00))
      let queried = await orders.query("o-1", of: ConnectedVenue.bitcoin)
      let replaced = await orders.replace("o-1", with: order("o-2", .buy, 20_000, at: 50_500_00))
      let open = try await orders.openOrders(of: ConnectedVenue.bitcoin)
      let cancelled = await orders.cancel("o-2", of: ConnectedVenue.bitcoin)
      let again = await orders.cancel("o-2", of: ConnectedVenue.bitcoin)

      #expect(status(placed) == .new && status(queried) == .new)
      #expect(status(replaced.cancel) == .cancelled && status(replaced.place) == .new)
      #expect(open.map(\.clientOrderID) == ["o-2"])
      #expect(status(cancelled) == .cancelled)
      #expect(reason(again) == .unknownOrder)
      #expect(await soon { venue.reports("o-2").last?.status == .cancelled })
      #expect(venue.reports("o-1").map(\.status) == [.new, .cancelled])
      await venue.stop()
    }
  }

  @Test func `a marketable order fills, and stream, history and balances agree`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      #expect(await soon { venue.account.all.contains(.connected(attempt: 1)) })

      let placed = await venue.session.orders.place(order("m-1", .buy, 150_000))
      #expect(status(placed) == .filled)
      #expect(await soon { venue.reports("m-1").last?.status == .filled })
      let records = try await venue.session.orders.fills(of: ConnectedVenue.bitcoin, from: nil)
      let balances = try await venue.session.orders.balances()

      let heard = venue.reports("m-1").compactMap(\.fill)
      #expect(!heard.isEmpty)
      #expect(records.map(\.fill) == heard)
      #expect(heard.map(\.quantity.raw).reduce(0, +) == 150_000_000)
      #expect(Set(heard.map(\.executionID)).count == heard.count)
      #expect(heard.allSatisfy { !$0.isMaker && $0.feeAsset == "BTC" })
      let fees = try heard.reduce(Decimal.zero) { try $0.adding($1.fee) }
      let bitcoin = try #require(balances.first { $0.asset == "BTC" })
      #expect(bitcoin.free == (try Decimal(units: 115, scale: 1).subtracting(fees)))
      await venue.stop()
    }
  }

  @Test func `refusals carry the venue's reason`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      let orders = venue.session.orders

      let poor = await orders.place(order("r-1", .buy, 100_00000, at: 59_000_00))
      let taking = await orders.place(
        order("r-2", .buy, 1_000, at: 90_000_00, timeInForce: .postOnly))
      let small = await orders.place(order("r-3", .buy, 1, at: 50_000_00))
      _ = await orders.place(order("r-4", .buy, 1_000, at: 50_000_00))
      let twice = await orders.place(order("r-4", .buy, 1_000, at: 50_000_00))
      let unknown = await orders.query("r-9", of: ConnectedVenue.bitcoin)

      #expect(reason(poor) == .insufficientBalance)
      #expect(reason(taking) == .wouldTakeLiquidity)
      #expect(reason(small) == .minNotional)
      #expect(reason(twice) == .duplicateOrder)
      #expect(reason(unknown) == .unknownOrder)
      await venue.stop()
    }
  }

  @Test func `OMS-14 a lost acknowledgement is unknown, and a query proves the order`() async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop, timeout: .milliseconds(700))
      _ = try await venue.start()
      try await venue.fault(.request(.lostAcknowledgement, count: 1))

      let placed = await venue.session.orders.place(order("u-1", .buy, 10_000, at: 50_000_00))
      let queried = await venue.session.orders.query("u-1", of: ConnectedVenue.bitcoin)

      guard case .unknown = placed else {
        Issue.record("silence must be unknown, not \(placed)")
        return
      }
      #expect(status(queried) == .new)
      #expect(venue.session.counters.unknownOutcomes.value == 1)
      await venue.stop()
    }
  }

  @Test func `OMS-14 a gateway timeout or an internal error is unknown, a 429 is a refusal`()
    async throws
  {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      let orders = venue.session.orders

      try await venue.fault(.request(.statusUnknown, count: 1))
      let timeout = await orders.place(order("g-1", .buy, 10_000, at: 50_000_00))
      let carriedOut = await orders.query("g-1", of: ConnectedVenue.bitcoin)
      try await venue.fault(.request(.internalError, count: 1))
      let error = await orders.place(order("g-2", .buy, 10_000, at: 50_000_00))
      let notCarriedOut = await orders.query("g-2", of: ConnectedVenue.bitcoin)
      try await venue.fault(.request(.tooMany, count: 1))
      let limited = await orders.place(order("g-3", .buy, 10_000, at: 50_000_00))

      guard case .unknown = timeout, case .unknown = error else {
        Issue.record("5xx must be unknown, not \(timeout) and \(error)")
        return
      }
      #expect(status(carriedOut) == .new)
      #expect(reason(notCarriedOut) == .unknownOrder)
      #expect(reason(limited) == .rateLimit)
      await venue.stop()
    }
  }

  @Test func `nobody listening is a definite refusal, for nothing was sent`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      await venue.session.stop()
      await venue.server.stop()

      // The kept connection is dead; what is tried on it may be unknown, later ones cannot connect.
      _ = await venue.session.orders.place(order("n-0", .buy, 10_000, at: 50_000_00))
      let placed = await venue.session.orders.place(order("n-1", .buy, 10_000, at: 50_000_00))

      #expect(reason(placed) == .venueUnavailable)
    }
  }

  @Test func `a skewed clock is measured again and the request made once more`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      try await venue.fault(.clockSkew(.seconds(120)))

      let placed = await venue.session.orders.place(order("c-1", .buy, 10_000, at: 50_000_00))

      #expect(status(placed) == .new)
      await venue.stop()
    }
  }

  @Test func `the private stream comes back after a disconnect and says so`() async throws {
    try await withLoop { loop in
      let venue = try await ConnectedVenue(loop)
      _ = try await venue.start()
      #expect(await soon { venue.account.all.contains(.connected(attempt: 1)) })

      try await venue.fault(.disconnect(.privateStreams))

      #expect(await soon { venue.account.all.contains(.connected(attempt: 2)) })
      _ = await venue.session.orders.place(order("p-1", .buy, 10_000, at: 50_000_00))
      #expect(await soon { venue.reports("p-1").count == 1 })
      #expect(venue.session.counters.privateReconnections.value == 1)
      await venue.stop()
    }
  }

  @Test func `a killed simulator comes back with every acknowledged order`() async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      let first = try await ConnectedVenue(loop, stateDirectory: folder.path)
      _ = try await first.start()
      for number in 1...20 {
        let placed = await first.session.orders.place(
          order("k-\(number)", .buy, 1_000, at: 50_000_00 + Int64(number)))
        #expect(status(placed) == .new)
      }
      // Nothing is written at the end: what is in the file now is what a kill leaves.
      await first.stop()

      let second = try await ConnectedVenue(loop, stateDirectory: folder.path)
      _ = try await second.start()
      let open = try await second.session.orders.openOrders(of: ConnectedVenue.bitcoin)

      #expect(Set(open.map(\.clientOrderID)) == Set((1...20).map { "k-\($0)" }))
      await second.stop()
    }
  }
}
