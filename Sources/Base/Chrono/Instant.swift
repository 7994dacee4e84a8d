/// A moment on the wall clock: nanoseconds since 1970-01-01T00:00:00Z.
package struct Instant: Sendable, Hashable, Comparable {
  package static let epoch = Instant(nanoseconds: 0)
  /// Nanoseconds since 1970; good until the year 2262.
  package let nanoseconds: Int64

  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  package init(milliseconds: Int64) { self.nanoseconds = milliseconds * 1_000_000 }

  package var milliseconds: Int64 { nanoseconds / 1_000_000 }
  package var seconds: Int64 { nanoseconds / 1_000_000_000 }

  package static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  package static func + (instant: Instant, duration: Duration) -> Instant {
    Instant(nanoseconds: instant.nanoseconds + duration.wholeNanoseconds)
  }

  package static func - (left: Instant, right: Instant) -> Duration {
    .nanoseconds(left.nanoseconds - right.nanoseconds)
  }
}

/// A moment on the monotonic clock: nanoseconds since an arbitrary start. Never goes backwards.
package struct Uptime: Sendable, Hashable, Comparable {
  package let nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  package static func < (left: Uptime, right: Uptime) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  package static func + (uptime: Uptime, duration: Duration) -> Uptime {
    Uptime(nanoseconds: uptime.nanoseconds &+ UInt64(max(0, duration.wholeNanoseconds)))
  }

  package static func - (left: Uptime, right: Uptime) -> Duration {
    .nanoseconds(Int64(bitPattern: left.nanoseconds &- right.nanoseconds))
  }
}

extension Duration {
  /// Whole nanoseconds, saturating at the ends of Int64.
  package var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return seconds < 0 ? .min : .max }
    let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return carried ? (seconds < 0 ? .min : .max) : sum
  }
}
