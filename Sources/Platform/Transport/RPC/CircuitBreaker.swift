internal import Chrono

/// When a channel stops asking a service that does not answer.
package struct CircuitSettings: Sendable, Hashable {
  /// Calls in a row that ended UNAVAILABLE or DEADLINE_EXCEEDED at a server; then the circuit opens:
  /// calls fail at once with UNAVAILABLE. Zero: it never opens.
  package var failuresMax = 0
  /// How long it stays open the first time, doubled each time in a row.
  package var pause = Duration.seconds(1)
  package var pauseMax = Duration.seconds(30)
  /// Calls that are let through at a time to see whether the service is back.
  package var probesMax = 3

  package init() {}
}

package enum CircuitState: String, Sendable, CaseIterable {
  case closed
  case open
  case halfOpen
}

/// Keeps calls from a service that fails all of them. Pure: time is an argument.
///
/// closed -(failures in a row)-> open -(pause over)-> half open -(a success)-> closed,
/// or -(a failure)-> open, for longer.
struct CircuitBreaker {
  enum Admission: Equatable {
    case pass
    /// The call decides what becomes of the circuit; say how it ended.
    case probe
    case refuse(until: Uptime)
  }

  private enum Phase: Equatable {
    case closed
    case open(until: Uptime)
    /// Probes that do not end are forgotten after a pause, and others go through.
    case halfOpen(probes: Int, since: Uptime)
  }

  private let settings: CircuitSettings
  private var phase = Phase.closed
  private var failures = 0
  private var pause: Duration

  init(_ settings: CircuitSettings) {
    self.settings = settings
    pause = settings.pause
  }

  var state: CircuitState {
    switch phase {
    case .closed: .closed
    case .open: .open
    case .halfOpen: .halfOpen
    }
  }

  var isClosed: Bool { phase == .closed }

  mutating func admit(_ now: Uptime) -> Admission {
    switch phase {
    case .closed: return .pass
    case .open(let until):
      guard now >= until else { return .refuse(until: until) }
      phase = .halfOpen(probes: 1, since: now)
      return .probe
    case .halfOpen(let probes, let since):
      if probes < settings.probesMax {
        phase = .halfOpen(probes: probes + 1, since: since)
        return .probe
      }
      guard now - since >= pause else { return .refuse(until: since + pause) }
      phase = .halfOpen(probes: 1, since: now)
      return .probe
    }
  }

  /// A call was answered, with whatever the service wanted to say.
  mutating func succeeded() {
    if failures == 0, phase == .closed { return }
    // What was sent before the circuit opened says nothing about now.
    if case .open = phase { return }
    phase = .closed
    failures = 0
    pause = settings.pause
  }

  mutating func failed(_ now: Uptime) {
    guard settings.failuresMax > 0 else { return }
    switch phase {
    case .closed:
      failures += 1
      if failures >= settings.failuresMax { phase = .open(until: now + pause) }
    case .halfOpen:
      pause = min(pause * 2, settings.pauseMax)
      phase = .open(until: now + pause)
    case .open: break
    }
  }

  /// A probe ended without an answer of the service, good or bad: another one may go.
  mutating func withdrawn() {
    if case .halfOpen(let probes, let since) = phase {
      phase = .halfOpen(probes: max(0, probes - 1), since: since)
    }
  }

  /// An instance has just come up: whoever asks next finds out.
  mutating func instanceArrived(_ now: Uptime) {
    if case .open = phase { phase = .open(until: now) }
  }
}
