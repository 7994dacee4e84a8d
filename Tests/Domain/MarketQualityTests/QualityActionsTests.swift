import Chrono
import Testing
import Units
import Venue

@testable import MarketQuality

@Suite struct `What is done about a finding` {
  private static let instrument = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 3, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000_000),
    minNotional: Notional(0))

  private func level(_ price: Int64) -> PriceLevel {
    PriceLevel(price: Price(price), quantity: Quantity(1))
  }

  private func moment(_ milliseconds: Int64) -> Instant {
    Instant(milliseconds: 1_700_000_000_000 + milliseconds)
  }

  private func delta(_ received: Int64, exchange: Int64? = nil) -> MarketEvent {
    .delta(
      BookDelta(
        instrument: Self.instrument.id, firstUpdateID: 2, lastUpdateID: 2,
        exchangeTime: moment(exchange ?? received), receivedTime: moment(received), bids: [],
        asks: []))
  }

  private func trade(_ price: Int64, _ received: Int64) -> MarketEvent {
    .trade(
      Trade(
        instrument: Self.instrument.id, tradeID: 1, price: Price(price), quantity: Quantity(1),
        aggressor: .buy, exchangeTime: moment(received), receivedTime: moment(received)))
  }

  /// A monitor that has a good book, with an action of one check's own.
  private func monitor(_ check: QualityCheck, _ action: QualityAction) -> QualityMonitor {
    var limits = QualityLimits.standard
    limits.actions[check] = action
    var monitor = QualityMonitor(Self.instrument, limits)
    let verdict = monitor.take(
      .snapshot(
        BookSnapshot(
          instrument: Self.instrument.id, updateID: 1, exchangeTime: moment(0),
          receivedTime: moment(0), bids: [], asks: [])), bid: level(99_99), ask: level(100_00))
    #expect(verdict.flags.isEmpty && verdict.findings.isEmpty)
    return monitor
  }

  /// Makes one check fail.
  private func fail(_ check: QualityCheck, _ monitor: inout QualityMonitor) -> QualityVerdict {
    switch check {
    case .crossed: monitor.take(delta(2), bid: level(100_01), ask: level(100_00))
    case .stale: monitor.take(delta(9_000, exchange: 1), bid: level(99_99), ask: level(100_00))
    case .skewed: monitor.take(delta(2, exchange: 3_000), bid: level(99_99), ask: level(100_00))
    case .wide: monitor.take(delta(2), bid: level(90_00), ask: level(100_00))
    case .jump: monitor.take(trade(200_00, 2), bid: level(99_99), ask: level(100_00))
    default: monitor.take(delta(2), bid: level(99_99), ask: nil)
    }
  }

  @Test(arguments: [QualityCheck.crossed, .stale, .skewed, .wide, .jump, .oneSided])
  func `a check whose action is to taint does so for as long as it fails`(check: QualityCheck) {
    var monitor = monitor(check, .taint)
    if check == .jump {
      for index in 0..<64 {
        _ = monitor.take(trade(100_00 + Int64(index % 2), 1), bid: level(99_99), ask: level(100_00))
      }
    }
    let bad = fail(check, &monitor)
    #expect(bad.flags.contains(check.flag) && bad.isTainted && !bad.isDiscarded)
    #expect(bad.resync == .none)
    #expect(bad.findings.map(\.check) == [check])
    let good = monitor.take(
      check == .jump ? trade(100_00, 3) : delta(3), bid: level(99_99), ask: level(100_00))
    #expect(!good.isTainted && good.flags.isEmpty)
  }

  @Test func `silence taints where the action says so, until anything is heard`() {
    var monitor = monitor(.silent, .taint)
    #expect(!monitor.tick(at: moment(30_000)).isTainted)
    #expect(monitor.tick(at: moment(30_001)).isTainted)
    #expect(
      !monitor.take(trade(100_00, 30_002), bid: level(99_99), ask: level(100_00)).isTainted)
  }

  @Test func `snapshots that a check asks for are bounded, and go on after the window`() {
    var monitor = monitor(.wide, .requestSnapshot)
    func flap(_ time: Int64) -> QualityVerdict.Resync {
      _ = monitor.take(delta(time), bid: level(99_99), ask: level(100_00))
      let verdict = monitor.take(delta(time), bid: level(90_00), ask: level(100_00))
      #expect(verdict.isTainted)
      // It stands: nothing is asked for again.
      let still = monitor.take(delta(time), bid: level(90_01), ask: level(100_00))
      #expect(still.isTainted && still.resync == .none)
      return verdict.resync
    }
    let asked = QualityVerdict.Resync.ask(
      reason: "wide_spread: 105263 millionths, at most 10000")
    #expect((0..<3).map { flap($0 * 10) } == [asked, asked, asked])
    #expect((0..<100).map { flap(100 + $0) }.allSatisfy { $0 == .withheld })
    #expect(flap(60_001) == asked)
  }

  @Test func `MD-03 a gap's snapshot is its feed's own business, whatever the action is`() {
    var monitor = monitor(.wide, .flag)
    #expect(monitor.limits.action(of: .tainted) == .requestSnapshot)
    let verdict = monitor.take(.stale(Self.instrument.id, reason: "gap"), bid: nil, ask: nil)
    #expect(verdict.flags == .tainted && verdict.resync == .none && !verdict.isTainted)
  }
}
