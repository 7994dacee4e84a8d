internal import CLinux
private import Synchronization

/// Where time comes from. Shells are given one; domain code is given `Instant` values only.
package protocol TimeSource: Sendable {
  var now: Instant { get }
  var uptime: Uptime { get }
}

/// The machine's clocks.
package struct SystemTime: TimeSource {
  package init() {}
  package var now: Instant { Instant(nanoseconds: clinux_realtime_ns()) }
  package var uptime: Uptime { Uptime(nanoseconds: clinux_monotonic_ns()) }
}

/// A clock that moves only when a test says so.
package final class SimulatedTime: TimeSource {
  private let elapsed: Mutex<Int64>
  private let start: Instant

  package init(start: Instant = Instant(nanoseconds: 1_700_000_000_000_000_000)) {
    self.start = start
    self.elapsed = Mutex(0)
  }

  package var now: Instant {
    Instant(nanoseconds: start.nanoseconds + elapsed.withLock { $0 })
  }

  package var uptime: Uptime { Uptime(nanoseconds: UInt64(elapsed.withLock { $0 })) }

  package func advance(by duration: Duration) {
    elapsed.withLock { $0 += duration.wholeNanoseconds }
  }
}
