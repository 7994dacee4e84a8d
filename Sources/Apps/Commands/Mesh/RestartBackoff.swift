internal import Chrono

/// Pauses before a restart: 100 ms, doubled up to 10 s, forgiven after 30 s of life.
struct RestartBackoff: Sendable {
  private var wait = Self.first
  private var began: Uptime?

  private static let first = Duration.milliseconds(100)
  private static let longest = Duration.seconds(10)
  private static let forgivenAfter = Duration.seconds(30)

  mutating func began(at now: Uptime) { began = now }

  mutating func next(endedAt now: Uptime) -> Duration {
    if let began, now - began >= Self.forgivenAfter { wait = Self.first }
    defer { wait = min(wait * 2, Self.longest) }
    return wait
  }
}
