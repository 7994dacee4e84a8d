internal import Chrono
internal import Loop
internal import ServiceKit
private import Synchronization
internal import Venue

/// The lanes of every venue, and what is remembered of the venues beside the journal.
final class VenueLanes: Sendable {
  private struct State {
    var questions: [String: VenueLane] = [:]
    var cancels: [String: VenueLane] = [:]
    var settlesAfter: [String: Duration] = [:]
  }

  private let config: Config
  private let loop: EventLoop
  private let state = Mutex(State())

  init(_ config: Config, _ context: ServiceContext) {
    self.config = config
    loop = context.loop
  }

  /// Questions about orders.
  func questions(at venue: String) -> VenueLane {
    lane(\.questions, venue, most: config.questionsMax, slowest: config.queryIntervalMax)
  }

  /// Cancels do not wait for questions.
  func cancels(at venue: String) -> VenueLane {
    lane(\.cancels, venue, most: config.cancelsMax, slowest: config.cancelIntervalMax)
  }

  private func lane(
    _ lanes: any WritableKeyPath<State, [String: VenueLane]> & Sendable, _ venue: String, most: Int,
    slowest: Duration
  ) -> VenueLane {
    state.withLock { state in
      if let lane = state[keyPath: lanes][venue] { return lane }
      let pace = RetryPace(from: min(config.queryInterval, slowest), to: slowest)
      let lane = VenueLane(most: most, pace: pace, loop: loop)
      state[keyPath: lanes][venue] = lane
      return lane
    }
  }

  func settlesAfter(at venue: String) -> Duration? { state.withLock { $0.settlesAfter[venue] } }

  func learn(_ venue: String, settlesAfter: Duration) {
    state.withLock { $0.settlesAfter[venue] = settlesAfter }
  }
}
