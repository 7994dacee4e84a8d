import CAllocationCount
import Chrono
import Risk
import Testing
import Units

@Suite struct `Risk gate and the heap` {
  @Test func `RSK-12 a million checks allocate nothing`() throws {
    let gate = try gate(
      limits {
        $0.account.maxGrossExposure = decimal("1000000000")
        $0.account.referenceAgeMax = .seconds(60)
        $0.standard.priceBand = decimal("0.5")
      })
    gate.setReference(btc, Price(100_00), now: at(0))
    let good = buy(2, at: 100_01)
    let bad = buy(10_001)
    var accepted = 0

    let before = allocation_count()
    // Not `for`: without optimisation a range's iterator allocates by itself.
    var time: UInt64 = 0
    while accepted < 500_000, time < 500_000 * 100_000_000 {
      time += 100_000_000
      let now = Uptime(nanoseconds: time)
      if gate.admit(good, now: now).isAccepted { accepted += 1 }
      if gate.admit(bad, now: now).isAccepted { accepted += 1 }
      gate.release(btc, .buy, Quantity(2))
      if accepted % 16 == 0 {
        gate.fill(btc, .buy, Quantity(1), at: Price(100_01), reserved: .zero)
        gate.fill(btc, .sell, Quantity(1), at: Price(100_01), reserved: .zero)
        gate.setReference(btc, Price(100_00), now: now)
      }
    }
    let allocated = allocation_count() - before

    #expect(accepted == 500_000)
    #expect(allocated == 0)
    let array = [Int](repeating: 1, count: accepted)
    if before >= 0 {
      #expect(allocation_count() > before, "the count itself works: \(array.count)")
    }
  }
}
