import Bytes
import CAllocationCount
import Chrono
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Kraken's memory` {
  /// Two updates that undo each other, with levels that come, go and fall out of the depth.
  private static let updates: [[UInt8]] = {
    let rest = "999100000000" + "998250000000"
    return [
      KrakenText.book(
        "update", asks: [("100.0", "0.00000000"), ("100.2", "4.00000000")],
        checksum: CRC32.of("1001300000000" + "1002400000000" + rest)),
      KrakenText.book(
        "update", asks: [("100.2", "0.00000000"), ("100.0", "0.00500000")],
        checksum: CRC32.of("1000500000" + "1001300000000" + rest)),
    ].map { Array($0.utf8) }
  }()

  @Test func `in steady state an update of a book allocates nothing`() {
    let feed = KrakenFeed([.kraken("BTC/USD", priceScale: 1)], depth: 10)
    var output = FeedOutput()
    feed.opened(at: .epoch, &output)
    feed.receive(Array(`Kraken's feed`.snapshot.utf8), at: .epoch, &output)
    var allocations: Int64 = 0
    var applied = 0
    var number = 0
    // Not `for`: without optimisation a range's iterator allocates by itself.
    while number < 2_000 {
      output.removeAll()
      let start = allocation_count()
      feed.receive(Self.updates[number % 2], at: .epoch, &output)
      if number >= 100 { allocations += allocation_count() - start }
      if case .delta = output.events.first { applied += 1 }
      number += 1
    }
    print("\(applied) updates, \(allocations) allocations in the last 1900")
    #expect(applied == 2_000 && output.faults.isEmpty)
    #expect(allocations == 0 || allocation_count() < 0)
  }
}
