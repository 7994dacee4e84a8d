import Chrono
import SimulatorKit
import Testing

@testable import VenueSimulator

@Suite struct `Background flow` {
  /// Events in each of so many seconds.
  private func counts(_ arrivals: FlowArrivals, seed: UInt64, seconds: Int) -> [Double] {
    var clock = ArrivalClock(arrivals, eventsPerSecond: 50)
    var random = FlowRandom(seed: seed)
    var counts = [Double](repeating: 0, count: seconds)
    var time = Duration.zero
    while true {
      time += clock.gap(&random)
      guard time < .seconds(seconds) else { return counts }
      counts[Int(time.components.seconds)] += 1
    }
  }

  @Test(arguments: [
    (FlowArrivals.uniform, 0.2, 0.5), (.poisson, 0.85, 1.15), (.bursts, 4.0, 8.5),
  ])
  func `MD-22 every flow has its mean rate, and the clustering of its kind`(
    arrivals: FlowArrivals, low: Double, high: Double
  ) {
    let counts = counts(arrivals, seed: 9, seconds: 4_000)
    let mean = counts.reduce(0, +) / Double(counts.count)
    let variance =
      counts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(counts.count)

    #expect(abs(mean - 50) < 2, "seed 9")
    // Poisson's is one; that of a Hawkes process tends to 1/(1 - 0.6)^2 (Hawkes 1971).
    #expect(variance / mean > low && variance / mean < high, "seed 9: \(variance / mean)")
  }

  @Test func `logarithm and fall are those of mathematics`() {
    for (value, expected) in [
      (1.0, 0.0), (0.5, -0.693_147_180_559_945_3), (0.1, -2.302_585_092_994_046),
    ] {
      #expect(abs(ArrivalClock.logarithm(value) - expected) < 1e-14)
    }
    for (value, expected) in [
      (0.0, 1.0), (1.0, 0.367_879_441_171_442_33), (10.0, 4.539_992_976_248_485e-5),
    ] {
      #expect(abs(ArrivalClock.fall(value) / expected - 1) < 1e-12)
    }
  }

  @Test(arguments: [FlowArrivals.uniform, .poisson, .bursts])
  func `MD-22 a seed is a tape whatever the flow, and the book stays alive`(
    arrivals: FlowArrivals
  ) {
    func tape(seed: UInt64) -> [UInt8] {
      var settings = DialectClient.settings(seed: seed)
      for index in settings.markets.indices { settings.markets[index].arrivals = arrivals }
      var bytes: [UInt8] = []
      SimulatedTape.write(settings, start: DialectClient.start, duration: .seconds(10)) {
        bytes += $0
      }
      return bytes
    }
    let first = tape(seed: 1)
    #expect(first == tape(seed: 1))
    #expect(first != tape(seed: 2))
    #expect(first.count > 50_000)
  }
}
