import Chrono
import Seeds
import Testing
import Units
import Venue

@testable import MarketQuality

/// BTCUSDT with prices in cents.
private let instrument = Instrument(
  id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
  base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(1),
  lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000_000),
  minNotional: Notional(0))

private func level(_ price: Int64) -> PriceLevel {
  PriceLevel(price: Price(price), quantity: Quantity(1))
}

/// Milliseconds after an arbitrary start.
private func moment(_ milliseconds: Int64) -> Instant {
  Instant(milliseconds: 1_700_000_000_000 + milliseconds)
}

private func snapshot(_ received: Int64 = 0, exchange: Int64? = nil) -> MarketEvent {
  .snapshot(
    BookSnapshot(
      instrument: instrument.id, updateID: 1, exchangeTime: moment(exchange ?? received),
      receivedTime: moment(received), bids: [], asks: []))
}

private func delta(_ received: Int64, exchange: Int64? = nil) -> MarketEvent {
  .delta(
    BookDelta(
      instrument: instrument.id, firstUpdateID: 2, lastUpdateID: 2,
      exchangeTime: moment(exchange ?? received), receivedTime: moment(received), bids: [],
      asks: []))
}

private func trade(_ price: Int64, _ received: Int64, isBackfilled: Bool = false) -> MarketEvent {
  .trade(
    Trade(
      instrument: instrument.id, tradeID: 1, price: Price(price), quantity: Quantity(1),
      aggressor: .buy, exchangeTime: moment(received), receivedTime: moment(received),
      isBackfilled: isBackfilled))
}

@Suite struct `Market quality` {
  /// A monitor that has a good book.
  private func monitor(_ limits: QualityLimits = .standard) -> QualityMonitor {
    var monitor = QualityMonitor(instrument, limits)
    let verdict = monitor.take(snapshot(), bid: level(99_99), ask: level(100_00))
    #expect(verdict.flags.isEmpty && verdict.findings.isEmpty)
    return monitor
  }

  @Test func `MD-11 a crossed book is not passed on, and told once`() {
    var monitor = monitor()

    let first = monitor.take(delta(1), bid: level(100_01), ask: level(100_00))
    let second = monitor.take(delta(2), bid: level(100_02), ask: level(100_00))
    let healed = monitor.take(delta(3), bid: level(99_98), ask: level(100_00))

    #expect(first.flags == .crossed && first.isDiscarded)
    #expect(first.findings.map(\.text) == ["bid 100.01 above ask 100.00"])
    #expect(second.isDiscarded && second.findings.isEmpty)
    #expect(healed.flags.isEmpty && !healed.isDiscarded)
    #expect(monitor.counts.failures(of: .crossed) == 2 && monitor.counts.discarded == 2)
  }

  @Test func `MD-11 a bid at the ask is no cross, nor one within the tolerance`() {
    var limits = QualityLimits.standard
    limits.crossedToleranceMillionths = 100
    var monitor = monitor(limits)

    #expect(monitor.take(delta(1), bid: level(100_00), ask: level(100_00)).flags.isEmpty)
    #expect(monitor.take(delta(2), bid: level(100_01), ask: level(100_00)).flags.isEmpty)
    #expect(monitor.take(delta(3), bid: level(100_02), ask: level(100_00)).flags == .crossed)
  }

  @Test(
    arguments: [
      // milliseconds from the venue's time until received, and what that is
      (0, []), (5_000, []), (5_001, .stale), (-1_000, []), (-1_001, .skewed),
    ] as [(Int64, QualityFlags)])
  func `MD-12 MD-13 old events are stale, events from the future mean a skewed clock`(
    age: Int64, flags: QualityFlags
  ) {
    var monitor = monitor()

    let verdict = monitor.take(
      delta(10_000, exchange: 10_000 - age), bid: level(99_99), ask: level(100_00))

    #expect(verdict.flags == flags)
    #expect(monitor.counts.failures(of: .stale) == (flags == .stale ? 1 : 0))
    #expect(verdict.findings.count == (flags.isEmpty ? 0 : 1))
  }

  @Test(arguments: [(99_00, 100_00, true), (99_01, 100_00, false), (99_00, 99_99, false)])
  func `MD-13 a spread over one percent of the middle is wide`(bid: Int64, ask: Int64, isWide: Bool)
  {
    var monitor = monitor()

    let verdict = monitor.take(delta(1), bid: level(bid), ask: level(ask))

    #expect(verdict.flags.contains(.wide) == isWide)
  }

  @Test func `MD-14 a print ten deviations away is flagged, the next good one is not`() {
    var limits = QualityLimits.standard
    limits.jumpWindow = 8
    var monitor = monitor(limits)
    // Median 100.03 and 100.04, deviations of 1, 1, 2, 2, 3, 3, 4: sigma is about 3 cents.
    for (index, cents) in [0, 1, 2, 3, 4, 5, 6, 7].enumerated() {
      let verdict = monitor.take(trade(100_00 + Int64(cents), Int64(index)), bid: nil, ask: nil)
      #expect(!verdict.flags.contains(.jump))
    }

    let near = monitor.take(trade(100_30, 10), bid: nil, ask: nil)
    let far = monitor.take(trade(101_00, 11), bid: nil, ask: nil)
    let good = monitor.take(trade(100_04, 12), bid: nil, ask: nil)

    #expect(!near.flags.contains(.jump))
    #expect(far.flags.contains(.jump) && far.findings.first?.check == .jump)
    #expect(!good.flags.contains(.jump))
  }

  @Test func `a market that stands still has no jumps of a few ticks, and none before its window`()
  {
    var limits = QualityLimits.standard
    limits.jumpWindow = 8
    var monitor = monitor(limits)
    #expect(!monitor.take(trade(1, 1), bid: nil, ask: nil).flags.contains(.jump))
    for time in 2...20 as ClosedRange<Int64> {
      _ = monitor.take(trade(100_00, time), bid: nil, ask: nil)
    }

    #expect(!monitor.take(trade(100_10, 21), bid: nil, ask: nil).flags.contains(.jump))
    #expect(monitor.take(trade(100_11, 22), bid: nil, ask: nil).flags.contains(.jump))
  }

  @Test func `back-filled trades are not judged`() {
    var limits = QualityLimits.standard
    limits.jumpWindow = 8
    var monitor = monitor(limits)
    for time in 1...8 as ClosedRange<Int64> {
      _ = monitor.take(trade(100_00, time), bid: nil, ask: nil)
    }

    let verdict = monitor.take(trade(1_00, 9, isBackfilled: true), bid: nil, ask: nil)

    #expect(verdict.flags.isEmpty && !verdict.isDiscarded)
  }

  @Test func `MD-03 a gap taints until the next snapshot, and nothing is judged by that book`() {
    var monitor = monitor()
    _ = monitor.take(delta(1), bid: level(90_00), ask: level(100_00))

    let gap = monitor.take(
      .stale(instrument.id, reason: "expected 7, found 9"), bid: nil, ask: nil)
    let during = monitor.take(delta(2), bid: level(200_00), ask: level(100_00))
    let after = monitor.take(snapshot(3), bid: level(99_99), ask: level(100_00))

    #expect(gap.flags == .tainted)
    #expect(gap.findings == [QualityFinding(.tainted, "expected 7, found 9")])
    #expect(during.flags == .tainted && during.findings.isEmpty)
    #expect(after.flags.isEmpty)
  }

  @Test func `a symbol that is silent is found by the clock, and heard again by anything`() {
    var monitor = monitor()

    #expect(monitor.tick(at: moment(30_000)).flags.isEmpty)
    let silent = monitor.tick(at: moment(30_001))
    let still = monitor.tick(at: moment(40_000))
    let heard = monitor.take(trade(100_00, 40_001), bid: nil, ask: nil)

    #expect(silent.flags == .silent && silent.findings.count == 1)
    #expect(still.flags == .silent && still.findings.isEmpty)
    #expect(heard.flags.isEmpty)
  }

  @Test func `an empty side is one-sided, not crossed and not wide`() {
    var monitor = monitor()

    _ = monitor.take(delta(1), bid: level(100_01), ask: level(100_00))
    #expect(monitor.take(delta(1), bid: nil, ask: level(1)).flags == .oneSided)
    #expect(monitor.take(delta(2), bid: level(99_99), ask: level(100_00)).flags.isEmpty)
  }

  @Test func `MD-25 the rates are those of a known tape`() {
    var limits = QualityLimits.standard
    limits.actions[.crossed] = .flag
    var monitor = monitor(limits)
    // With the first snapshot: 1,000 timed events, 4 stale; 1,000 books, 2 crossed; 1,001 events, 1 gap.
    for index in 1...999 as ClosedRange<Int64> {
      let isOld = index % 250 == 0 || index == 999
      let isCrossed = index == 100 || index == 200
      _ = monitor.take(
        delta(index + 10_000, exchange: isOld ? index : nil),
        bid: level(isCrossed ? 100_01 : 99_99), ask: level(100_00))
    }
    _ = monitor.take(.stale(instrument.id, reason: "gap"), bid: nil, ask: nil)

    #expect(monitor.counts.staleMillionths == 4_000)
    #expect(monitor.counts.crossedMillionths == 2_000)
    #expect(monitor.counts.gapMillionths == 1_000_000 / 1_001)
  }

  @Test func `MD-15 every check has its own flag and name`() {
    let flags = QualityCheck.allCases.map(\.flag)
    #expect(Set(flags.map(\.rawValue)).count == flags.count)
    #expect(Set(QualityCheck.allCases.map(\.name)).count == flags.count)
    #expect(QualityFlags([.crossed, .silent]).names == ["crossed", "silent"])
  }

  @Test func `the flags are those of a judge without memory, whatever the order of events`() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    var monitor = QualityMonitor(instrument, .standard)
    var naive = NaiveFlags()
    for step in 0..<20_000 {
      let received = Int64(step) * 100
      let bid =
        Bool.random(using: &random) ? level(.random(in: 98_00...101_00, using: &random)) : nil
      let ask =
        Bool.random(using: &random) ? level(.random(in: 99_00...102_00, using: &random)) : nil
      let exchange = received - .random(in: -2_000...7_000, using: &random)
      let event: MarketEvent =
        switch Int.random(in: 0..<10, using: &random) {
        case 0: snapshot(received, exchange: exchange)
        case 1: .stale(instrument.id, reason: "gap")
        default: delta(received, exchange: exchange)
        }

      let verdict = monitor.take(event, bid: bid, ask: ask)

      naive.take(event, bid, ask)
      #expect(verdict.flags == naive.flags, "step \(step) of seed \(seed)")
      #expect(
        verdict.isDiscarded == naive.flags.contains(.crossed), "step \(step) of seed \(seed)")
      if verdict.flags != naive.flags { return }
    }
  }
}

/// The rules, said again as plainly as they can be.
private struct NaiveFlags {
  var flags: QualityFlags = [.tainted]

  mutating func take(_ event: MarketEvent, _ bid: PriceLevel?, _ ask: PriceLevel?) {
    var age: Duration?
    switch event {
    case .stale:
      flags.subtract([.crossed, .wide, .oneSided])
      flags.insert(.tainted)
      return
    case .snapshot(let snapshot):
      flags.remove(.tainted)
      age = snapshot.receivedTime - snapshot.exchangeTime
    case .delta(let delta): age = delta.receivedTime - delta.exchangeTime
    case .trade, .top, .status: break
    }
    if let age {
      flags.subtract([.stale, .skewed])
      if age > .milliseconds(5_000) { flags.insert(.stale) }
      if age < .milliseconds(-1_000) { flags.insert(.skewed) }
    }
    guard !flags.contains(.tainted) else { return }
    flags.subtract([.crossed, .wide, .oneSided])
    guard let bid, let ask else {
      flags.insert(.oneSided)
      return
    }
    let (low, high) = (Double(bid.price.raw), Double(ask.price.raw))
    if low > high { flags.insert(.crossed) }
    if (high - low) / ((high + low) / 2) > 0.01 { flags.insert(.wide) }
  }
}

@Suite struct `A window of prices` {
  @Test func `scores as sorting would`() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    for size in [8, 9, 64] {
      var window = PriceWindow(size: size)
      var kept: [Int64] = []
      for step in 0..<2_000 {
        let price = Int64.random(in: 1...200, using: &random)
        #expect(
          window.score(of: price, tick: 3) == naive(price, kept, size), "\(step), seed \(seed)")
        window.add(price)
        kept = (kept + [price]).suffix(size)
      }
    }
  }

  private func naive(_ price: Int64, _ kept: [Int64], _ size: Int) -> Double? {
    guard kept.count == size else { return nil }
    func median(_ values: [Double]) -> Double {
      let sorted = values.sorted()
      let middle = sorted.count / 2
      return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    let center = median(kept.map(Double.init))
    let deviation = median(kept.map { abs(Double($0) - center) })
    return abs(Double(price) - center) / max(3, 1.4826 * deviation)
  }
}
