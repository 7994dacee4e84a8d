/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same numbers on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Uniform in `0..<bound`. Written out, as the standard library may change how it draws.
  package mutating func below(_ bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// True so many times in a million.
  package mutating func happens(_ perMillion: Int) -> Bool { below(1_000_000) < perMillion }

  /// Uniform from `lower` up to `upper`.
  package mutating func duration(_ lower: Duration, _ upper: Duration) -> Duration {
    let span = (upper - lower) / .nanoseconds(1)
    return lower + .nanoseconds(below(max(1, Int(span))))
  }

  /// A generator of its own whose numbers are this one's.
  package mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }
}
