internal import Chrono
internal import Loop
internal import ServiceKit
private import Synchronization
internal import Venue

/// The lanes of every venue, and what is remembered of the venues beside the journal.
final class VenueLanes: Sendable {
  struct Denied: Sendable {
    let childID: String
    let instrument: Instrument
    let moment: Uptime
  }

  private struct State {
    var questions: [String: VenueLane] = [:]
    var cancels: [String: VenueLane] = [:]
    var settlesAfter: [String: Duration] = [:]
    var denied: [Denied] = []
  }

  private let config: Config
  private let loop: EventLoop
  private let state = Mutex(State())

  /// A denied order is asked about again at each reconciliation for so long, and so many are.
  private static let deniedFor = Duration.seconds(3_600)
  private static let deniedMax = 1_000

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

  func remember(denied childID: String, at instrument: Instrument, now: Uptime) {
    state.withLock { state in
      state.denied.append(Denied(childID: childID, instrument: instrument, moment: now))
      if state.denied.count > Self.deniedMax { state.denied.removeFirst() }
    }
  }

  func denied(at venue: String, now: Uptime) -> [(childID: String, instrument: Instrument)] {
    state.withLock { state in
      state.denied.removeAll { now - $0.moment > Self.deniedFor }
      return state.denied.filter { $0.instrument.venue.name == venue }
        .map { ($0.childID, $0.instrument) }
    }
  }
}
