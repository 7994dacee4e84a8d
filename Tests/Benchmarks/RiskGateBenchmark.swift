import Chrono
import Risk
import Units
import Venue

/// What does one check of the risk gate cost, with the standard limits or with the band and the
/// gross exposure limited too?
struct RiskGateBenchmark {
  private let gate: RiskGate
  private let instrument = InstrumentID(0)
  private let time = SystemTime()
  /// 1000 orders a minute: the fastest that the standard rate limits admit without end.
  private static let gapNanoseconds: UInt64 = 60_000_000

  init(isEveryRuleOn: Bool) throws {
    var limits = RiskLimits.standard
    limits.account.referenceAgeMax = .seconds(1_000_000_000)
    if isEveryRuleOn {
      limits.account.maxGrossExposure = Decimal(units: 10_000_000, scale: 0)
      limits.standard.priceBand = Decimal(units: 5, scale: 2)
    }
    gate = try RiskGate(
      account: "main",
      instruments: [
        Instrument(
          id: instrument, venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
          base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 5, tickSize: Price(1),
          lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
          minNotional: .zero)
      ], limits: limits, killSwitch: KillSwitch(), counters: RiskCounters())
    gate.setReference(instrument, Price(50_000_00), now: Uptime(nanoseconds: 0))
  }

  private func order(_ number: Int) -> GateOrder {
    GateOrder(
      instrument: instrument, side: number % 2 == 0 ? .buy : .sell, type: .limit,
      price: Price(50_000_00 + Int64(number % 64)), quantity: Quantity(1_000))
  }

  /// Sorted nanoseconds per admitted order, each call timed alone: a clock read, 20 to 30 ns, is in
  /// every sample. Call once: the gate's time does not go back.
  func samples(count: Int) -> [UInt64] {
    var samples = [UInt64](repeating: 0, count: count)
    for number in 0..<count {
      let order = order(number)
      let now = Uptime(nanoseconds: UInt64(number) * Self.gapNanoseconds)
      let start = time.uptime.nanoseconds
      let verdict = gate.admit(order, now: now)
      samples[number] = time.uptime.nanoseconds &- start
      precondition(verdict.isAccepted, "\(verdict)")
      gate.release(instrument, order.side, order.quantity)
    }
    return samples.sorted()
  }

  /// Mean nanoseconds of an admission and its release, back to back, no clock in between. May
  /// follow `samples`.
  func backToBackNanoseconds(count: Int) -> Double {
    var accepted = 0
    let start = time.uptime.nanoseconds
    for number in 0..<count {
      let order = order(number)
      let now = Uptime(nanoseconds: (1 << 58) + UInt64(number) * Self.gapNanoseconds)
      let verdict = gate.admit(order, now: now)
      if verdict.isAccepted { accepted += 1 }
      gate.release(instrument, order.side, order.quantity)
    }
    precondition(accepted == count, "\(count - accepted) were refused")
    return Double(time.uptime.nanoseconds &- start) / Double(count)
  }
}
