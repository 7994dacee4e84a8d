import Chrono
import Synchronization

/// Carries a journal's steps out when a test moves the time.
final class StepQueue: Sendable {
  typealias Body = @Sendable () -> Void

  private let time: SimulatedTime
  private let bodies = Mutex<[(due: Uptime, body: Body)]>([])

  init(_ time: SimulatedTime) { self.time = time }

  @Sendable func schedule(_ delay: Duration, _ body: @escaping Body) {
    bodies.withLock { $0.append((time.uptime + delay, body)) }
  }

  func advance(by duration: Duration) {
    time.advance(by: duration)
    while let body = next() { body() }
  }

  private func next() -> Body? {
    let now = time.uptime
    return bodies.withLock { bodies in
      guard let first = bodies.indices.min(by: { bodies[$0].due < bodies[$1].due }),
        bodies[first].due <= now
      else { return nil }
      return bodies.remove(at: first).body
    }
  }
}
