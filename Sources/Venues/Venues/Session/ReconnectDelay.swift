/// How long to wait before the next attempt: doubling from the least to the most, and from the
/// start again once a connection has proven itself.
///
/// Each wait is cut by up to a half, by a sequence that the seed decides, so that a thousand clients
/// that lost one venue together do not come back together.
package struct ReconnectDelay: Sendable {
  private let least: Duration
  private let most: Duration
  private var next: Duration
  private var random: UInt64

  package init(from least: Duration, to most: Duration, seed: UInt64) {
    precondition(least > .zero && least <= most, "a delay from \(least) to \(most)")
    self.least = least
    self.most = most
    next = least
    random = seed
  }

  init(_ settings: VenueSettings, seed: UInt64) {
    self.init(from: settings.reconnectMin, to: settings.reconnectMax, seed: seed)
  }

  package mutating func proven() { next = least }

  package mutating func take() -> Duration {
    defer { next = min(most, next * 2) }
    return next - next * Int(share()) / 2_000
  }

  /// 0 to 999 (SplitMix64).
  private mutating func share() -> UInt64 {
    random &+= 0x9e37_79b9_7f4a_7c15
    var mixed = random
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return (mixed ^ (mixed >> 31)) % 1_000
  }
}
