import Chrono
import Loop
import Telemetry
import TestKit
import Testing
import Venue

@testable import VenueSimulator
@testable import Venues

/// Trades that a stream left out are fetched: each is told once, and says that it comes late.
@Suite(.serialized) struct BookTradeTests {
  @Test(arguments: ConnectedVenue.simulated)
  func `MD-04 trades of a stall are back-filled, each once`(_ known: KnownVenue) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      try await untilTrades(venue)
      let start = venue.time.now
      try await venue.connected.fault(.stall(.seconds(5)))
      try await venue.step(.seconds(4))
      let end = venue.time.now
      #expect(try await venue.recovers(by: .seconds(1)))
      try await untilTrades(venue)
      try await check(venue, lateBetween: start, and: end, atLeast: 20)
      #expect(venue.counters.missedTrades.value == 2)
      #expect(venue.counters.reconnections.value == 0)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-04 trades while there was no connection are back-filled, each once`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      try await untilTrades(venue)
      let start = venue.time.now
      // Longer than one page of OKX's history and than Kraken's snapshot of trades.
      try await venue.connected.fault(.maintenance(.seconds(8)))
      #expect(await soon { venue.book.isStale && venue.etherBook.isStale })
      try await venue.step(.seconds(7))
      let end = venue.time.now
      try await venue.step(.seconds(1))
      #expect(await soon { venue.counters.reconnections.value == 1 })
      #expect(try await venue.recovers())
      try await untilTrades(venue)
      try await check(venue, lateBetween: start, and: end, atLeast: 101)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-04 of more missed trades than are fetched the last ones come, each once`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      try await untilTrades(venue)
      try await venue.connected.fault(.stall(.seconds(61)))
      try await venue.step(.seconds(60))
      let end = venue.time.now
      #expect(try await venue.recovers(by: .seconds(1)))
      try await untilTrades(venue)
      let trades = { venue.etherBook.trades }
      // One hole is left, before the oldest that was fetched; a thousand at most, and nearly that.
      #expect(
        await soon {
          trades().count(where: \.isBackfilled) > 800 && holes(trades()).count == 1
        }, "\(trades().count(where: \.isBackfilled)) \(holes(trades()))")
      #expect(trades().count(where: \.isBackfilled) <= 1_000)
      #expect(trades().contains { $0.isBackfilled && $0.exchangeTime + .seconds(1) > end })
      #expect(Set(trades().map(\.tradeID)).count == trades().count)
      await venue.stop()
    }
  }

  /// Lets time pass until both instruments have traded, and the streams told it.
  private func untilTrades(_ venue: SteppedVenue) async throws {
    func live(_ book: BookFollower) -> Int { book.trades.count { !$0.isBackfilled } }
    let (bitcoin, ether) = (live(venue.book), live(venue.etherBook))
    for _ in 0..<300 {
      try await venue.step()
      #expect(try await venue.settles())
      if live(venue.book) > bitcoin, live(venue.etherBook) > ether { return }
    }
    Issue.record("no trades in 30 s")
  }

  /// Ids that were not told, by the one before them.
  private func holes(_ trades: [Trade]) -> [String] {
    let ids = trades.map(\.tradeID).sorted()
    return zip(ids, ids.dropFirst()).filter { $1 != $0 + 1 }.map { "\($0) to \($1)" }
  }

  private func check(
    _ venue: SteppedVenue, lateBetween start: Instant, and end: Instant, atLeast most: Int
  ) async throws {
    for instrument in [SteppedVenue.bitcoin, SteppedVenue.ether] {
      let trades = { venue.follower(of: instrument).trades }
      // A trade's id follows the one before it: no hole is all of them, none twice is each once.
      #expect(
        await soon {
          let ids = trades().map(\.tradeID).sorted()
          return ids.last.map { Int($0 - ids[0]) + 1 } == ids.count
        }, "\(holes(trades()))")
      #expect(Set(trades().map(\.tradeID)).count == trades().count)
      let missed = trades().filter { $0.exchangeTime > start && $0.exchangeTime <= end }
      #expect(missed.allSatisfy { $0.isBackfilled })
      #expect(trades().allSatisfy { $0.exchangeTime > start || !$0.isBackfilled })
      #expect(trades().contains { $0.exchangeTime > end && !$0.isBackfilled })
      if instrument == SteppedVenue.ether { #expect(missed.count >= most) }
    }
  }
}
