import Chrono
import Loop
import MarketQuality
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Every fault of market data, at every venue: found at that very message, told at once, healed by one
/// snapshot, counted once; afterwards our book is the exchange's.
@Suite(.serialized) struct BookFaultTests {
  /// What must be seen of one fault of a book.
  struct Case: Sendable, CustomTestStringConvertible {
    let venue: KnownVenue
    let fault: BookFault
    /// By the venue's checksum; else by its sequence or by the book itself.
    let isByChecksum: Bool
    var testDescription: String { "\(venue) \(fault)" }
  }

  /// Kraken has no sequence: what is lost or late shows in the next checksum. A crossed book shows in
  /// itself everywhere. Binance has no checksum.
  static let cases: [Case] = ConnectedVenue.simulated.flatMap { venue in
    [BookFault.gap, .reorder, .crossed, .badChecksum].compactMap { fault in
      if venue == .binance, fault == .badChecksum { return nil }
      let isByChecksum = fault == .badChecksum || venue == .kraken && fault != .crossed
      return Case(venue: venue, fault: fault, isByChecksum: isByChecksum)
    }
  }

  @Test(arguments: cases)
  func `MD-03 MD-04 MD-05 a fault taints at that message and one snapshot heals it`(
    _ expected: Case
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, expected.venue)
      try await venue.begin()
      let before = venue.book
      let requests = await venue.snapshotRequests()

      try await venue.inject(expected.fault)
      var windows = 0
      while venue.book.staleReasons.isEmpty, windows < 30 {
        try await venue.step()
        #expect(try await venue.settles())
        windows += 1
      }

      // What comes wrong is found in itself, what is missing in the message after it; at Kraken in the
      // first one that touches the ten best levels.
      let isSeenItself = expected.fault == .crossed || expected.fault == .badChecksum
      #expect(isSeenItself ? windows == 1 : expected.venue == .kraken ? windows >= 2 : windows == 2)
      #expect(try await venue.agreesSoon())
      let healed = venue.book
      #expect(healed.staleReasons.count == 1 && healed.mergedOntoStale == 0)
      // Nothing of the faulty message was told.
      #expect(healed.deltas == before.deltas && healed.snapshots == before.snapshots + 1)
      #expect(await venue.snapshotRequests() == requests + 1)
      #expect(venue.counters.checksums.value == (expected.isByChecksum ? 1 : 0))
      #expect(venue.counters.gaps.value == (expected.isByChecksum ? 0 : 1))
      for _ in 0..<10 { try await venue.step() }
      #expect(try await venue.agreesSoon())
      #expect(venue.book.staleReasons.count == 1 && venue.book.deltas > healed.deltas)
      #expect(venue.etherBook.staleReasons.isEmpty)
      #expect(venue.counters.reconnections.value == 0 && venue.counters.malformed.value == 0)
      await venue.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-03 a message that comes twice changes nothing and taints nothing`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      let requests = await venue.snapshotRequests()
      try await venue.inject(.duplicate, count: 5)
      for _ in 0..<8 {
        try await venue.step()
        #expect(try await venue.settles())
      }
      #expect(try await venue.agreesSoon())
      #expect(venue.book.staleReasons.isEmpty && venue.book.mergedOntoStale == 0)
      #expect(await venue.snapshotRequests() == requests)
      #expect(venue.counters.gaps.value == 0 && venue.counters.checksums.value == 0)
      await venue.stop()
    }
  }

  @Test func `MD-05 a venue without checksums cannot have a wrong one`() async throws {
    try await withLoop { loop in
      let binance = try await SteppedVenue(loop, .binance)
      await #expect(throws: FaultError.self) { try await binance.inject(.badChecksum) }
      await binance.stop()
      let okx = try await SteppedVenue(loop, .okx, exchange: { $0.hasOKXChecksums = false })
      await #expect(throws: FaultError.self) { try await okx.inject(.badChecksum) }
      // Without checksums its sequence alone finds what is missing.
      try await okx.begin()
      try await okx.inject(.gap)
      try await okx.step()
      try await okx.step()
      #expect(await soon { okx.counters.gaps.value == 1 })
      #expect(try await okx.agreesSoon())
      await okx.stop()
    }
  }

  @Test(arguments: ConnectedVenue.simulated)
  func `MD-04 fault upon fault asks once each, later each time, and never endlessly`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(loop, known)
      try await venue.begin()
      let requests = await venue.snapshotRequests()
      let faults = 4
      for fault in 1...faults {
        try await venue.inject(.crossed)
        try await venue.step()
        #expect(await soon { venue.book.staleReasons.count == fault })
        if fault > 1, known != .binance {
          // In the pause, by the stopped clock, whatever comes asks for nothing.
          let pause = (known == .kraken ? 10 : 1) << (fault - 2)
          for _ in 1..<min(pause, 4) {
            try await venue.inject(.crossed)
            try await venue.step()
            #expect(try await venue.settles())
          }
          #expect(await venue.snapshotRequests() == requests + fault - 1)
          try await venue.step(.seconds(5))
        }
        #expect(try await venue.agreesSoon())
        #expect(await venue.snapshotRequests() == requests + fault)
      }
      #expect(venue.book.staleReasons.count == faults && venue.book.mergedOntoStale == 0)
      #expect(venue.counters.gaps.value == UInt64(faults))
      #expect(venue.counters.reconnections.value == 0)
      await venue.stop()
    }
  }

  @Test func `MD-04 updates that come before the snapshot are kept, and bridged`() async throws {
    try await withLoop { loop in
      let relay = try await VenueRelay(loop)
      let venue = try await SteppedVenue(
        loop, .binance, settings: { $0.restURL = relay.standFor($0.restURL) })
      try await venue.begin()
      let before = venue.book
      relay.holds { $0.contains("/depth") }
      try await venue.inject(.gap)
      try await venue.step()
      try await venue.step()
      #expect(await soon { venue.book.isStale && relay.heldCount == 1 })
      // The snapshot is of now; what follows comes before it.
      for _ in 0..<4 {
        try await venue.step()
        #expect(try await venue.settles())
      }
      #expect(venue.book.deltas == before.deltas && venue.book.isStale)
      relay.release()
      #expect(try await venue.agreesSoon())
      #expect(venue.book.deltas == before.deltas + 4 && venue.book.mergedOntoStale == 0)
      #expect(venue.counters.gaps.value == 1)
      await venue.stop()
      await relay.stop()
    }
  }
}
