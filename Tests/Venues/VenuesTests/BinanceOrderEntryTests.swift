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
      let open = try await second.session.orders.openOrders(of: ConnectedVenue.bitcoin).rows

      #expect(Set(open.map(\.clientOrderID)) == Set((1...20).map { "k-\($0)" }))
      await second.stop()
    }
  }
}
