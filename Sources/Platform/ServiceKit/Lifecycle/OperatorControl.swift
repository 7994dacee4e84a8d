private import Synchronization
internal import Telemetry

/// What an operator may do to a service that runs: keep new calls out for a while, let them in again,
/// or let go of all work for good.
///
/// Paused: NOT_SERVING, in discovery too, and new calls are UNAVAILABLE. Calls and streams that are
/// open, and work of the service's own, go on. Drained: paused for ever, and the service has let go
/// of what it holds as after SIGTERM; the process stays, for whoever wants to look at it.
final class OperatorControl: Sendable {
  enum Phase: Sendable { case running, paused, drained, ending }

  private let gate: AdmissionGate
  private let serving: ReadinessBoard.Requirement
  private let log: Log
  private let letGo: @Sendable () async -> Void
  private let state = Mutex(State())

  private struct State {
    var phase = Phase.running
    var draining: Task<Void, Never>?
  }

  /// `letGo` is called once, by the first who drains or ends.
  init(
    _ gate: AdmissionGate, _ serving: ReadinessBoard.Requirement, _ log: Log,
    letGo: @escaping @Sendable () async -> Void
  ) {
    self.gate = gate
    self.serving = serving
    self.log = log
    self.letGo = letGo
  }

  /// Whether an operator keeps new requests out.
  var keepsOut: Bool { state.withLock { $0.phase == .paused || $0.phase == .drained } }

  /// False when the service is drained or ending.
  func pause(by actor: String) -> Bool {
    state.withLock { state in
      guard state.phase == .running || state.phase == .paused else { return false }
      guard state.phase == .running else { return true }
      state.phase = .paused
      gate.pause()
      serving.fail("paused by \(actor)")
      log.warning("paused", ["by": .text(actor)])
      return true
    }
  }

  func resume(by actor: String) -> Bool {
    state.withLock { state in
      guard state.phase == .running || state.phase == .paused else { return false }
      guard state.phase == .paused else { return true }
      state.phase = .running
      gate.resume()
      serving.hold()
      log.warning("resumed", ["by": .text(actor)])
      return true
    }
  }

  /// Returns when the service has let go.
  func drain(by actor: String) async -> Bool {
    let draining = state.withLock { state -> Task<Void, Never>? in
      guard state.phase != .ending else { return nil }
      if state.phase != .drained {
        state.phase = .drained
        gate.drain()
        serving.fail("drained by \(actor)")
        log.warning("draining", ["by": .text(actor)])
      }
      return begun(&state)
    }
    await draining?.value
    return draining != nil
  }

  /// The end of the service is near: no operator can change anything after this, and whoever asks is
  /// told to go elsewhere. Who does not ask is still served.
  func turnAway() {
    state.withLock { state in
      state.phase = .ending
      serving.fail("draining")
    }
  }

  /// The end of the service.
  func end() async {
    turnAway()
    await state.withLock { begun(&$0) }.value
  }

  private func begun(_ state: inout State) -> Task<Void, Never> {
    if let draining = state.draining { return draining }
    let draining = Task { [letGo] in await letGo() }
    state.draining = draining
    return draining
  }
}
