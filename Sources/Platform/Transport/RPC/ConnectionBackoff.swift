internal import Chrono

/// How long to wait between attempts to connect; the defaults are those of gRPC's
/// connection-backoff.md. Neighbours of one machine come back sooner and set their own.
package struct ConnectionBackoff: Sendable, Hashable {
  package var initial = Duration.seconds(1)
  package var factor = 1.6
  /// Of a delay, either way, so that clients that lost one server do not come back as one.
  package var jitter = 0.2
  package var max = Duration.seconds(120)

  package init() {}
}

/// The attempts to connect to one address. Delays count from the start of an attempt, so one that
/// took long to fail is followed at once. Pure: time and chance are arguments.
struct ConnectionAttempts {
  private let backoff: ConnectionBackoff
  private var delay: Duration?
  private(set) var failures = 0
  /// Before this no attempt begins, if the last one failed.
  private(set) var notBefore = Uptime(nanoseconds: 0)

  init(_ backoff: ConnectionBackoff) { self.backoff = backoff }

  /// `chance` is in 0..<1.
  mutating func began(_ now: Uptime, chance: Double) {
    guard let last = delay else {
      delay = backoff.initial
      notBefore = now + backoff.initial
      return
    }
    let next = min(last * backoff.factor, backoff.max)
    delay = next
    notBefore = now + next * (1 + backoff.jitter * (2 * chance - 1))
  }

  mutating func failed() { failures += 1 }

  /// Connected, or somebody who should know says that the server is there.
  mutating func reset() {
    delay = nil
    failures = 0
    notBefore = Uptime(nanoseconds: 0)
  }
}
