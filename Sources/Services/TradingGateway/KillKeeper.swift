internal import Calls
internal import Chrono
internal import Contracts
internal import JSON
internal import Loop
internal import Risk
internal import ServiceKit
private import Synchronization
internal import Telemetry

/// The kill switch as this process knows it, whoever said so: the risk-manager's stream, the gateway
/// or an operator directly, or a mark on the machine.
///
/// Engaged by anybody it stays engaged until the risk-manager tells of a *later* release: one that it
/// made before, or makes for want of knowing, lifts nothing, and the risk-manager is told what it does
/// not know. What is known is kept in a file of this service's own and outlives both processes.
final class KillKeeper: Sendable {
  let killSwitch: KillSwitch
  private let mark: KillMark
  private let path: String
  private let context: ServiceContext
  private let state: Mutex<State>

  /// What is kept.
  struct Known: Sendable, Hashable {
    /// The number of the risk-manager's change that this follows from, or came after.
    var change: UInt64 = 0
    var isEngaged = false
    var reason = ""
    var actor = ""
    /// The risk-manager has not told of it: it was engaged here.
    var isOurs = false
  }

  private struct State {
    var known: Known
    var isSaved = true
    /// Since when the risk-manager says another thing than is known here.
    var oursSince: Uptime?
  }

  init(_ killSwitch: KillSwitch, _ context: ServiceContext) throws {
    self.killSwitch = killSwitch
    self.context = context
    mark = KillMark(context.state)
    path = try context.journalDirectory() + "/kill-switch.json"
    var known = Known()
    if fileExists(path) { known = try Known(json: try readFile(path)) }
    state = Mutex(State(known: known))
    if known.isEngaged { killSwitch.engage() }
    lookForMark()
    context.metrics.gauge(
      "trading_gateway_kill_switch_engaged", help: "1 while the kill switch is engaged here."
    ) { killSwitch.isEngaged ? 1 : 0 }
  }

  private static let patience = Duration.milliseconds(250)

  var known: Known { state.withLock { $0.known } }

  /// From the risk-manager's stream.
  func hear(_ wire: RiskV1.KillSwitch) {
    let isMarked = !wire.engaged && mark.isThere
    let now = context.loop.uptime
    let changed = state.withLock { state -> Known? in
      let known = state.known
      if wire.engaged {
        killSwitch.engage()
        state.known = Known(
          change: wire.change, isEngaged: true, reason: wire.reason, actor: wire.actor)
      } else if known.isEngaged, isMarked || known.isOurs || wire.change <= known.change {
        // An older word, or one that does not know what was said here, whatever its number: only who
        // has confirmed the engagement can have released it.
        state.known.isOurs = true
        state.oursSince = state.oursSince ?? now
      } else {
        killSwitch.release()
        state.known = Known(change: wire.change)
      }
      if !state.known.isOurs { state.oursSince = nil }
      return state.known == known ? nil : state.known
    }
    if changed != nil { save() }
  }

  /// Here and now; the risk-manager is told afterwards.
  func engage(reason: String, by actor: String) {
    killSwitch.engage()
    let now = context.loop.uptime
    let changed = state.withLock { state in
      guard !state.known.isEngaged else { return false }
      state.oursSince = now
      state.known.isEngaged = true
      state.known.isOurs = true
      state.known.reason = reason
      state.known.actor = actor
      return true
    }
    guard changed else { return }
    context.log.warning(
      "kill switch engaged here", ["by": .text(actor), "reason": .text(reason)])
    save()
  }

  /// The mark counts while it is there; the risk-manager takes it away once it has it.
  func lookForMark() {
    guard !killSwitch.isEngaged, let content = mark.read() else { return }
    engage(reason: content.reason, by: content.actor)
  }

  /// Tells the risk-manager what it has not told us, once it has had time to.
  func reassert(_ risk: RiskV1.RiskServiceClient) async throws {
    let (known, since) = state.withLock { ($0.known, $0.oursSince) }
    guard known.isEngaged, known.isOurs else { return }
    // Whoever told us has told it as well, as a rule: its word is on its way. A mark it finds itself.
    if mark.isThere { return }
    if let since, context.loop.uptime - since < Self.patience { return }
    var request = RiskV1.EngageKillSwitchRequest()
    request.reason = known.reason.isEmpty ? "engaged at the trading-gateway" : known.reason
    if !known.actor.isEmpty { request.reason += " (by \(known.actor))" }
    if request.reason.utf8.count > 1_024 { request.reason = "engaged by \(known.actor)" }
    let answer = try await risk.engageKillSwitch(
      request, CallOptions(deadline: context.loop.uptime + .seconds(2)))
    hear(answer)
  }

  /// Whether the file has what is known; tried again while it has not.
  func save() {
    let known = known
    do {
      try writeFile(path, known.json, mode: 0o600)
      state.withLock { $0.isSaved = $0.known == known }
    } catch {
      state.withLock { $0.isSaved = false }
      context.log.error(
        "the kill switch's state is not kept", ["error": LogValue(describing: error)])
    }
  }

  func saveIfNeeded() { if state.withLock({ !$0.isSaved }) { save() } }
}

extension KillKeeper.Known {
  init(json: [UInt8]) throws {
    let root = try JSONDocument(parsing: json).root
    let change = try root.string("change")
    guard let number = UInt64(change), let isEngaged = root["engaged"]?.bool else {
      throw RPCError(.dataLoss, "the kept state of the kill switch is damaged")
    }
    self.init(
      change: number, isEngaged: isEngaged, reason: try root.string("reason"),
      actor: try root.string("actor"), isOurs: root["isOurs"]?.bool ?? true)
  }

  var json: String {
    var json = JSONWriter()
    json.beginObject()
    json.member("change", "\(change)")
    json.member("engaged", isEngaged)
    json.member("reason", reason)
    json.member("actor", actor)
    json.member("isOurs", isOurs)
    json.endObject()
    return json.text + "\n"
  }
}
