import Chrono
import Risk
import Seeds
import Testing
import Units
import Venue

@Suite struct `Rates of venues` {
  private func instrument(_ index: Int32, at venue: String = "okx") -> Instrument {
    Instrument(
      id: InstrumentID(index), venue: VenueID(venue), symbol: "S\(index)", venueSymbol: "S\(index)",
      base: "S", quote: "USDT", priceScale: 2, quantityScale: 2, tickSize: Price(1),
      lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(1_000),
      minNotional: Notional(0))
  }

  private func at(_ milliseconds: UInt64) -> Uptime {
    Uptime(nanoseconds: (1_000_000 + milliseconds) * 1_000_000)
  }

  @Test func `RSK-02 no window holds more than the venue takes, wherever it begins`() {
    let limit = OrderLimit(
      name: "o", ordersMax: 60, rule: .window(.seconds(2)), isPerInstrument: true)
    var random = SeededGenerator(seed: 7)
    var rates = VenueOrderRates()
    rates.set([limit], of: instrument(0))
    var admitted: [UInt64] = []
    var time: UInt64 = 0
    for _ in 1...5_000 {
      time += UInt64.random(in: 0..<40, using: &random)
      if let full = rates.refusal(of: instrument(0), at: at(time)) {
        let wait = UInt64(full.wait.wholeNanoseconds / 1_000_000)
        #expect(rates.refusal(of: instrument(0), at: at(time + wait)) == nil)
        #expect(rates.refusal(of: instrument(0), at: at(time + wait - 1)) != nil)
        continue
      }
      rates.record(instrument(0), at: at(time))
      admitted.append(time)
    }
    #expect(admitted.count > 1_000)
    for (index, first) in admitted.enumerated() where index + 60 < admitted.count {
      #expect(admitted[index + 60] - first >= 2_000)
    }
  }

  @Test func `RSK-02 a counter that decays takes a burst, then as many as it loses`() {
    let limit = OrderLimit(
      name: "o", ordersMax: 10, rule: .decay(hundredthsPerSecond: 200), isPerInstrument: true)
    var rates = VenueOrderRates()
    rates.set([limit], of: instrument(0))
    var admitted = 0
    for millisecond in UInt64(0)..<10_000 {
      guard rates.refusal(of: instrument(0), at: at(millisecond)) == nil else { continue }
      rates.record(instrument(0), at: at(millisecond))
      admitted += 1
    }
    #expect((29...30).contains(admitted))
  }

  @Test func `RSK-02 instruments count for themselves unless the venue counts them together`() {
    let own = OrderLimit(
      name: "own", ordersMax: 2, rule: .window(.seconds(1)), isPerInstrument: true)
    let all = OrderLimit(
      name: "all", ordersMax: 3, rule: .window(.seconds(1)), isPerInstrument: false)
    var rates = VenueOrderRates()
    for index in [Int32(0), 1] { rates.set([own, all], of: instrument(index)) }
    rates.set([own, all], of: instrument(2, at: "kraken"))
    for _ in 1...2 { rates.record(instrument(0), at: at(0)) }

    #expect(rates.refusal(of: instrument(0), at: at(1))?.limit == own)
    #expect(rates.refusal(of: instrument(1), at: at(1)) == nil)
    rates.record(instrument(1), at: at(1))
    #expect(rates.refusal(of: instrument(1), at: at(1))?.limit == all)
    #expect(rates.refusal(of: instrument(2, at: "kraken"), at: at(1)) == nil)
    // The same limits again forget nothing.
    rates.set([own, all], of: instrument(0))
    #expect(rates.refusal(of: instrument(0), at: at(1)) != nil)
    #expect(rates.refusal(of: instrument(0), at: at(1_001)) == nil)
  }
}
