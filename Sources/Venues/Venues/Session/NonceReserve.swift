package import Chrono

/// Where a watermark of nonces survives a restart.
package protocol NonceStore: Sendable {
  /// The watermark, or nil when there never was one.
  func load() throws(NonceStoreError) -> UInt64?
  /// Returns when the watermark would survive a loss of power.
  func save(_ watermark: UInt64) throws(NonceStoreError)
}

package struct NonceStoreError: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Numbers that only grow, over restarts and with a clock that is set back, for venues that refuse
/// a nonce not above the last.
///
/// They follow the clock in microseconds where it runs ahead of them. None at or above the
/// watermark is handed out: first a higher watermark is saved, so a restart, which begins at the
/// saved one, is above all that was ever used. Pure: the clock and the saving are the owner's.
package struct NonceReserve: Sendable, Hashable {
  /// How far ahead a watermark is saved: so many microseconds of the clock.
  package let span: UInt64
  private var next: UInt64
  private var watermark: UInt64

  package static let spanStandard: UInt64 = 60_000_000

  /// `saved`: the watermark of an earlier run.
  package init(saved: UInt64?, span: UInt64 = NonceReserve.spanStandard) {
    precondition(span > 0, "a span of no nonces")
    self.span = span
    next = saved ?? 0
    watermark = saved ?? 0
  }

  /// A nonce, or the watermark that must be saved, and told to `saved`, before there is one.
  package enum Step: Sendable, Hashable {
    case nonce(UInt64)
    case save(UInt64)
  }

  package mutating func take(at now: Instant) -> Step {
    let clock = UInt64(max(0, now.nanoseconds / 1_000))
    let candidate = max(next, clock)
    guard candidate < watermark else { return .save(candidate + span) }
    next = candidate + 1
    return .nonce(candidate)
  }

  package mutating func saved(_ watermark: UInt64) {
    self.watermark = max(self.watermark, watermark)
  }

  /// Another user of the key is ahead of us: nothing below `nonce` is handed out.
  package mutating func skip(to nonce: UInt64) { next = max(next, nonce) }
}
