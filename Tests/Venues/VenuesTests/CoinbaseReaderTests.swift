import Chrono
import Recording
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Coinbase recordings` {
  private var instruments: [Instrument] {
    ["BTC-USD", "ETH-USD"].enumerated().map { OKXFixture.instrument($1, Int32($0), 2, 8) }
  }

  private func frames() throws -> [RecordedFrame] {
    return try Recording(try RecordedData.read(OKXFixture.coinbase)).frames
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.coinbase), "recorded data is absent"))
  func `775 book messages with 74,193 levels, no hole in the count, never crossed`() throws {
    let reader = CoinbaseReader(instruments)
    var events: [MarketEvent] = []
    var heard = (snapshots: 0, deltas: 0, stale: 0, tops: 0)
    for frame in try frames() where frame.kind == .received {
      events.removeAll(keepingCapacity: true)
      reader.receive(frame.bytes, at: frame.time, &events)
      for event in events {
        switch event {
        case .snapshot: heard.snapshots += 1
        case .delta: heard.deltas += 1
        case .stale: heard.stale += 1
        case .top: heard.tops += 1
        case .trade, .status: break
        }
      }
    }

    print("Coinbase 2026-08-09: \(reader.counts)")
    #expect(reader.counts.bookMessages == 775 && reader.counts.levels == 74_193)
    #expect(reader.counts.tradeMessages == 59 && reader.counts.tickers == 160)
    #expect(reader.counts.gaps == 0 && reader.counts.crossings == 0)
    #expect(reader.counts.malformed == 0)
    #expect(heard.snapshots == 2 && heard.stale == 0)
    #expect(reader.isWhole(InstrumentID(0)) && reader.isWhole(InstrumentID(1)))
  }

  @Test(.enabled(if: RecordedData.isPresent(OKXFixture.coinbase), "recorded data is absent"))
  func `MD-03 a message that is left out makes both books stale at the next`() throws {
    var frames = try frames().filter { $0.kind == .received }
    frames.remove(at: 500)
    let reader = CoinbaseReader(instruments)
    var stale: [Int] = []
    var events: [MarketEvent] = []
    for (index, frame) in frames.enumerated() {
      events.removeAll(keepingCapacity: true)
      reader.receive(frame.bytes, at: frame.time, &events)
      for case .stale in events { stale.append(index) }
    }

    #expect(stale == [500, 500])
    #expect(reader.counts.gaps == 1)
  }
}
