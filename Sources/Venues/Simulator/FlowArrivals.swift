internal import Chrono

/// How the events of a market's background flow follow each other. All have the same mean rate.
package enum FlowArrivals: Sendable, Hashable {
  /// Gaps uniform from nothing to twice the mean.
  case uniform
  /// Independent of each other: exponential gaps.
  case poisson
  /// Each event makes others likelier for a while (Hawkes 1971): of `excitation` in 1,000 events
  /// another one is the cause, and its influence falls by e in 1/`decay` seconds.
  case hawkes(excitation: Int64, decay: Int64)

  /// Calm and bursts as on a liquid pair.
  package static let bursts = FlowArrivals.hawkes(excitation: 600, decay: 20)
}

/// Draws the gaps between events. Its Doubles are made of sums, products and quotients alone, which
/// IEEE 754 rounds alike everywhere, so a seed is the same tape on every machine.
struct ArrivalClock {
  private let arrivals: FlowArrivals
  private let rate: Double
  /// What past events add to the intensity at the last event, per second.
  private var excited = 0.0

  init(_ arrivals: FlowArrivals, eventsPerSecond: Int64) {
    self.arrivals = arrivals
    rate = Double(eventsPerSecond)
    if case .hawkes(let excitation, let decay) = arrivals {
      precondition((0..<1_000).contains(excitation) && decay > 0, "\(arrivals) is not stationary")
    }
  }

  /// A market of no events stands still: its next one is so far away.
  private static let never = Duration.seconds(1_000_000_000)

  /// From the last event to the next, at least a microsecond.
  mutating func gap(_ random: inout FlowRandom) -> Duration {
    guard rate > 0 else { return Self.never }
    switch arrivals {
    case .uniform:
      return .microseconds(1 + random.below(2 * Int64(1_000_000 / rate)))
    case .poisson:
      return Self.duration(Self.exponential(&random) / rate)
    case .hawkes(let excitation, let decay):
      return Self.duration(hawkes(Double(excitation) / 1_000, Double(decay), &random))
    }
  }

  /// Ogata's thinning (1981): between events the intensity only falls, so that what it is now bounds
  /// what it will be.
  private mutating func hawkes(
    _ share: Double, _ decay: Double, _ random: inout FlowRandom
  ) -> Double {
    let base = rate * (1 - share)
    var time = 0.0
    while true {
      let bound = base + excited
      let step = Self.exponential(&random) / bound
      time += step
      excited *= Self.fall(step * decay)
      if Self.unit(&random) * bound <= base + excited { break }
    }
    excited += share * decay
    return time
  }

  private static func duration(_ seconds: Double) -> Duration {
    .microseconds(1 + Int64(min(seconds, 3_600) * 1_000_000))
  }

  /// In (0, 1].
  private static func unit(_ random: inout FlowRandom) -> Double {
    Double((random.next() >> 11) + 1) / 9_007_199_254_740_992
  }

  /// Of mean one.
  private static func exponential(_ random: inout FlowRandom) -> Double {
    0 - logarithm(unit(&random))
  }

  /// ln of a number in (0, 1]: its exponent, and the series of the area hyperbolic tangent over the
  /// rest, which is in [1, 2).
  static func logarithm(_ value: Double) -> Double {
    let ratio = (value.significand - 1) / (value.significand + 1)
    let square = ratio * ratio
    var (term, sum) = (ratio, 0.0)
    for odd in stride(from: 1.0, through: 39, by: 2) {
      sum += term / odd
      term *= square
    }
    return Double(value.exponent) * 0.693_147_180_559_945_3 + 2 * sum
  }

  /// e^-x for x of zero or more: the series over x/1,024, squared ten times.
  static func fall(_ value: Double) -> Double {
    guard value < 700 else { return 0 }
    let part = value / 1_024
    var (term, sum) = (1.0, 1.0)
    for index in 1...12 {
      term *= part / Double(index)
      sum += term
    }
    var power = 1 / sum
    for _ in 0..<10 { power *= power }
    return power
  }
}
