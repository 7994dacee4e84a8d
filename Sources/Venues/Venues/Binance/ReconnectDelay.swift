/// How long to wait before the next attempt: doubling from the least to the most, and from the
/// start again once a connection has proven itself.
struct ReconnectDelay {
  private let least: Duration
  private let most: Duration
  private var next: Duration

  init(_ settings: VenueSettings) {
    least = settings.reconnectMin
    most = settings.reconnectMax
    next = least
  }

  mutating func proven() { next = least }

  mutating func take() -> Duration {
    defer { next = min(most, next * 2) }
    return next
  }
}
