import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Halts and maintenance as the venues' own status messages tell them, through simulator and adapter.
@Suite struct `Venue status` {
  private func statuses(_ venue: ConnectedVenue, _ instrument: InstrumentID) -> [TradingStatus] {
    venue.market.all.compactMap { event in
      guard case .status(let status) = event, status.instrument == instrument else { return nil }
      return status
    }
  }

  @Test(arguments: [
    (KnownVenue.kraken, "BTC/USD", "BTCUSD", "cancel_only", "online"),
    (.okx, "BTC-USDT", "BTCUSDT", "suspend", "live"),
  ])
  func `MD-03 a halt is the status of its market alone, and ends with it`(
    venue: KnownVenue, listed: String, symbol: String, halted: String, open: String
  ) async throws {
    try await withLoop { loop in
      let connected = try await ConnectedVenue(loop, venue, timeout: .seconds(30))
      let instruments = try await connected.start()
      let bitcoin = try #require(instruments.first { $0.symbol == symbol }).id
      #expect(await soon { connected.market.count > 10 })
      let before = statuses(connected, bitcoin).count
      let others = connected.market.all.count { if case .status = $0 { true } else { false } }

      try await connected.fault(.halt(symbol: listed))
      #expect(await soon { statuses(connected, bitcoin).count == before + 1 })
      try await connected.fault(.resume(symbol: listed))
      #expect(await soon { statuses(connected, bitcoin).count == before + 2 })

      let told = statuses(connected, bitcoin).suffix(2)
      #expect(told.map(\.isTrading) == [false, true])
      #expect(told.map(\.text) == [halted, open])
      let all = connected.market.all.count { if case .status = $0 { true } else { false } }
      #expect(all == others + 2)
      await connected.stop()
    }
  }

  @Test(arguments: [(KnownVenue.kraken, "online"), (.okx, "live")])
  func `MD-03 maintenance stops every market by the venue's own word, before its streams end`(
    venue: KnownVenue, open: String
  ) async throws {
    try await withLoop { loop in
      let connected = try await ConnectedVenue(loop, venue, timeout: .seconds(30))
      let instruments = try await connected.start()
      #expect(await soon { connected.market.count > 10 })

      try await connected.fault(.maintenance(.milliseconds(300)))
      #expect(
        await soon {
          instruments.allSatisfy { instrument in
            let told = statuses(connected, instrument.id).suffix(2)
            return told.map(\.isTrading) == [false, true]
              && told.map(\.text) == ["maintenance", open]
          }
        })

      // The word comes before the loss of the connection.
      let events = connected.market.all
      let stop = events.firstIndex { event in
        if case .status(let status) = event { !status.isTrading } else { false }
      }
      let loss = events.firstIndex { if case .stale = $0 { true } else { false } }
      #expect(try #require(stop) < (try #require(loss)))
      await connected.stop()
    }
  }
}
