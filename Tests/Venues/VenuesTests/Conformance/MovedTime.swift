import Chrono

/// The machine's clock, moved.
struct MovedTime: TimeSource {
  let by: Duration
  var now: Instant { SystemTime().now + by }
  var uptime: Uptime { SystemTime().uptime }
}
