import Bytes
import Chrono
import Recording
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `OKX recordings` {
  /// Decimal places of prices and sizes, as they stand in the recording: instruments of that day
  /// were not recorded.
  private static let tickScales: [(String, UInt8, UInt8)] = [
    ("FUN-BTC", 9, 8), ("BTC-USD-210924-66000-C", 4, 0), ("XMR-USDT-SWAP", 2, 0),
    ("AUCTION-USDT", 2, 6), ("OKT-BTC", 6, 8), ("PAY-BTC", 8, 8), ("BTC-USD-210924-42000-P", 4, 0),
    ("ONT-USDT", 4, 6), ("DHT-USDT", 3, 6), ("TRX-USDT-210924", 5, 0),
  ]
  /// What a feed said of a recording, and what its book was worth.
  private struct Outcome {
    var messages = 0
    var checksums = 0
    var deltas = 0
    var snapshots: [String: Int] = [:]
    var trades: [String: Int] = [:]
    var tops = 0
    var stale = 0
    var faults: [FeedFault] = []
    /// Where the first stale event was: the number of the book message.
    var firstStale: Int?
  }

  private func instruments(_ scales: [(String, UInt8, UInt8)]) -> [Instrument] {
    scales.enumerated().map { OKXFixture.instrument($1.0, Int32($0), $1.1, $1.2) }
  }

  /// Those that the venue listed on the day of the recording.
  private func listed(_ names: [String]) throws -> [Instrument] {
    var listed: [String: Instrument] = [:]
    for frame in try frames(OKXFixture.instruments) {
      guard case .answered = frame.kind else { continue }
      for instrument in try OKXSymbols.instruments(frame.bytes, venue: VenueID("okx")) {
        listed[instrument.venueSymbol] = instrument
      }
    }
    return try names.enumerated().map { index, name in
      var instrument = try #require(listed[name])
      instrument.id = InstrumentID(Int32(index))
      return instrument
    }
  }

  private static let bookNames = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"]

  private func frames(_ name: String) throws -> [RecordedFrame] {
    return try Recording(try RecordedData.read(name)).frames
  }

  private func follow(
    _ frames: [RecordedFrame], _ instruments: [Instrument],
    _ book: OKXChannels.Book
  ) -> Outcome {
    let feed = OKXFeed(instruments, channels: OKXChannels(book: book))
    var outcome = Outcome()
    var output = FeedOutput()
    feed.opened(at: frames.first?.time ?? .epoch, &output)
    for frame in frames where frame.kind == .received {
      output.removeAll()
      feed.receive(frame.bytes, at: frame.time, &output)
      outcome.messages += 1
      outcome.faults += output.faults
      for event in output.events {
        switch event {
        case .delta: outcome.deltas += 1
        case .snapshot(let snapshot):
          outcome.snapshots[instruments[Int(snapshot.instrument.index)].venueSymbol, default: 0] +=
            1
        case .trade(let trade):
          outcome.trades[instruments[Int(trade.instrument.index)].venueSymbol, default: 0] += 1
        case .top: outcome.tops += 1
        case .stale:
          outcome.stale += 1
          if outcome.firstStale == nil { outcome.firstStale = outcome.messages }
        case .status: break
        }
      }
    }
    outcome.checksums = feed.checksumCount
    return outcome
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.tick), "recorded data is absent"))
  func `MD-05 MD-07 1,504 of 1,504 checksums of ten instruments, tick by tick`() throws {
    let outcome = follow(try frames(OKXFixture.tick), instruments(Self.tickScales), .booksTick)

    print(
      "OKX 2021-07-22: \(outcome.checksums) of 1504 checksums compared, \(outcome.faults.count) differ"
    )
    #expect(outcome.checksums == 1_504)
    #expect(outcome.deltas == 1_494 && outcome.snapshots.values.reduce(0, +) == 10)
    #expect(outcome.snapshots.count == 10)
    #expect(outcome.trades.values.reduce(0, +) == 36)
    #expect(outcome.tops == 46)
    #expect(outcome.faults.isEmpty && outcome.stale == 0)
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.books), "recorded data is absent"))
  func `MD-05 MD-07 290 of 290 checksums of spot, swap and future`() throws {
    let outcome = follow(try frames(OKXFixture.books), try listed(Self.bookNames), .books)

    print(
      "OKX 2022-05-13: \(outcome.checksums) of 290 checksums compared, \(outcome.faults.count) differ"
    )
    #expect(outcome.checksums == 290)
    #expect(outcome.deltas == 287 && outcome.snapshots.values.reduce(0, +) == 3)
    #expect(outcome.trades == ["BTC-USDT": 69, "BTC-USD-220527": 4, "UNI-USD-SWAP": 1])
    #expect(outcome.tops == 28)
    #expect(outcome.faults.isEmpty && outcome.stale == 0)
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.numbered), "recorded data is absent"))
  func `MD-03 MD-07 6 of 6 numbered updates follow one another, a checksum of zero is none`() throws
  {
    let frames = try frames(OKXFixture.numbered)
    let outcome = follow(frames, [OKXFixture.instrument("BTC-USDT", 0, 1, 8)], .books)

    print("OKX 2026-08-24: \(outcome.deltas) of 6 updates chain")
    #expect(outcome.checksums == 0)
    #expect(outcome.deltas == 6 && outcome.snapshots == ["BTC-USDT": 1])
    #expect(outcome.faults.isEmpty && outcome.stale == 0)
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.numbered), "recorded data is absent"))
  func `MD-03 every single update that is left out is found at the next`() throws {
    let all = try frames(OKXFixture.numbered).filter { $0.kind == .received }
    let updates = all.indices.filter {
      String(decoding: all[$0].bytes, as: UTF8.self).contains("update")
    }
    #expect(updates.count == 6)
    for missing in updates.dropLast() {
      var frames = all
      frames.remove(at: missing)
      let outcome = follow(frames, [OKXFixture.instrument("BTC-USDT", 0, 1, 8)], .books)
      #expect(outcome.firstStale == missing + 1)
      #expect(outcome.deltas == missing - updates[0])
      #expect(outcome.faults.count == 1)
    }
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.books), "recorded data is absent"))
  func `MD-05 one flipped digit is caught at that very message`() throws {
    let frames = try frames(OKXFixture.books).filter { $0.kind == .received }
    let instruments = try listed(Self.bookNames)
    var tried = 0
    for index in stride(from: 0, to: frames.count, by: 7) {
      let text = String(decoding: frames[index].bytes, as: UTF8.self)
      guard text.contains(#""action":"update""#), let damaged = OKXFixture.flipped(text) else {
        continue
      }
      var changed = frames
      changed[index].bytes = Array(damaged.utf8)
      let outcome = follow(Array(changed[...index]), instruments, .books)
      // A level beyond the best 25 is not in the checksum.
      guard OKXFixture.touchesBest(text, frames, before: index, instruments) else { continue }
      tried += 1
      #expect(outcome.firstStale == index + 1, "message \(index)")
      #expect(outcome.stale == 1)
    }
    print("OKX: \(tried) flipped digits caught at their message")
    #expect(tried >= 20)
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.instruments), "recorded data is absent"))
  func `MD-07 all instruments of a day are read`() throws {
    var counts: [Int] = []
    var all: [Instrument] = []
    for frame in try frames(OKXFixture.instruments) {
      guard case .answered = frame.kind else { continue }
      let found = try OKXSymbols.instruments(frame.bytes, venue: VenueID("okx"))
      counts.append(found.count)
      if counts.count <= 5 { all += found }
    }

    print("OKX instruments: \(counts.prefix(5)), \(counts.count) answers")
    #expect(counts == Array(repeating: [513, 166, 104, 346, 350], count: 5).flatMap { $0 })
    // Names of ours stay apart.
    #expect(Set(all.map(\.symbol)).count == all.count)
    let bitcoin = try #require(all.first { $0.symbol == "BTCUSDT" })
    #expect(bitcoin.venueSymbol == "BTC-USDT" && bitcoin.base == "BTC" && bitcoin.quote == "USDT")
    #expect(bitcoin.priceScale == 1 && bitcoin.quantityScale == 8)
    #expect(bitcoin.minQuantity == Quantity(1_000) && bitcoin.isTrading)
    let swap = try #require(all.first { $0.symbol == "ETHUSD-PERP" })
    #expect(swap.kind == .perpetual && swap.contractSize == Decimal(units: 10, scale: 0))
    let future = try #require(all.first { $0.symbol == "BTCUSD-220527" })
    #expect(future.kind == .future && future.contractSize == Decimal(units: 100, scale: 0))
    let option = try #require(all.first { $0.symbol == "BTCUSD-220514-22000-P" })
    #expect(option.kind == .option && option.contractSize == Decimal(units: 1, scale: 1))
    #expect(!option.features.contains(.market))
  }
}
