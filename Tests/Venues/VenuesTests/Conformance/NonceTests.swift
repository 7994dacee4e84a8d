import Chrono
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Venues that refuse a nonce not above the last: Kraken.
@Suite(.serialized) struct `Conformance of nonces` {
  private static let venues: [KnownVenue] = [.kraken]
  private static let place = "POST /0/private/AddOrder"

  @Test(arguments: venues)
  func `TST-01 nonces: none is refused, however many requests are made at once`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let outcomes = await withTaskGroup(of: VenueOutcome.self) { group in
        for number in 1...40 {
          group.addTask {
            await trading.place(trading.order(number, .buy, 100, at: trading.low))
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count { status($0) == .new } == 40, "\(outcomes)")
      #expect(await trading.connected.server.requestCounts()[Self.place] == 40)
      try await trading.expectAgreement()
      await trading.stop()
    }
  }

  @Test(arguments: venues)
  func `TST-01 nonces: after a restart with a clock set back an hour none is refused`(
    _ venue: KnownVenue
  ) async throws {
    let folder = try TemporaryFolder()
    try await withLoop { loop in
      let nonces = NonceFile(path: folder.path + "/nonces")
      let trading = try await TradingVenue(loop, venue, settings: { $0.nonces = nonces })
      await trading.place(trading.order(1, .buy, 100, at: trading.low))
      await trading.connected.session.stop()

      let again = try trading.connected.another(time: MovedTime(by: .seconds(-3_600))) {
        $0.nonces = nonces
      }
      _ = try await again.loadInstruments()
      let placed = await again.orders.place(trading.order(2, .buy, 100, at: trading.low))
      #expect(status(placed) == .new, "\(placed)")
      // At the first try.
      #expect(await trading.connected.server.requestCounts()[Self.place] == 2)

      // Without the file the venue refuses, and nothing is done.
      let forgetful = try trading.connected.another(time: MovedTime(by: .seconds(-3_600))) {
        $0.nonces = nil
      }
      _ = try await forgetful.loadInstruments()
      let refused = await forgetful.orders.place(trading.order(3, .buy, 100, at: trading.low))
      #expect(reason(refused) == .venueUnavailable, "\(refused)")
      #expect(try await trading.connected.exchangeAccount().openOrders.count == 2)
      await trading.stop()
    }
  }

  @Test(arguments: venues)
  func `TST-01 nonces: another user of the key who is a little ahead is overtaken`(
    _ venue: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue)
      let ahead = try trading.connected.another(time: MovedTime(by: .milliseconds(500)))
      _ = try await ahead.loadInstruments()
      let theirs = await ahead.orders.place(trading.order(1, .buy, 100, at: trading.low))
      let ours = await trading.place(trading.order(2, .buy, 100, at: trading.low))
      #expect(status(theirs) == .new && status(ours) == .new, "\(theirs) \(ours)")
      #expect(try await trading.connected.exchangeAccount().openOrders.count == 2)
      await trading.stop()
    }
  }
}
