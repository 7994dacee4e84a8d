/// Pauses between tries of what has to succeed in the end: each is twice as long as the one before.
struct RetryPace: Sendable, Hashable {
  private let shortest: Duration
  private let longest: Duration
  private var next: Duration

  init(from shortest: Duration, to longest: Duration) {
    self.shortest = shortest
    self.longest = max(shortest, longest)
    next = shortest
  }

  /// The pause after another try that led to nothing.
  mutating func take() -> Duration {
    defer { next = min(next * 2, longest) }
    return next
  }

  /// It has led to something.
  mutating func reset() { next = shortest }
}
