internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Risk
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Wire

struct Handlers: RiskV1.RiskServiceHandler {
  let book: LimitBook
  let config: Config
  let service: ServiceContext
  let killSwitchChanges: CounterFamily

  func getLimits(
    _ request: RiskV1.GetLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.Limits {
    try await book.message()
  }

  func setSymbolLimits(
    _ request: RiskV1.SetSymbolLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.SymbolLimits {
    let limits = try await book.setSymbol(request, by: actor(context))
    service.log.info(
      "limits of a symbol changed", ["symbol": .text(limits.symbol), "by": .text(actor(context))])
    return limits
  }

  func setAccountLimits(
    _ request: RiskV1.SetAccountLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.AccountLimits {
    let limits = try await book.setAccount(request, by: actor(context))
    service.log.info("limits of the account changed", ["by": .text(actor(context))])
    return limits
  }

  func setTradingState(
    _ request: RiskV1.SetTradingStateRequest, _ context: ServerContext
  ) async throws -> RiskV1.TradingStatus {
    guard let state = TradingState(request.state) else {
      throw RPCError.invalid("state", "must be ACTIVE, REDUCING or HALTED")
    }
    try Self.check(reason: request.reason)
    let status = try await book.setTrading(state, reason: request.reason, by: actor(context))
    service.log.warning(
      "trading state changed",
      [
        "state": .text(status.state.name), "by": .text(status.actor),
        "reason": .text(request.reason),
      ])
    return status
  }

  func resetDailyLoss(
    _ request: RiskV1.ResetDailyLossRequest, _ context: ServerContext
  ) async throws -> RiskV1.DailyLossReset {
    try Self.check(reason: request.reason)
    let reset = try await book.resetLoss(reason: request.reason, by: actor(context))
    service.log.warning(
      "daily loss reset", ["by": .text(reset.actor), "reason": .text(request.reason)])
    return reset
  }

  func streamLimits(
    _ request: RiskV1.GetLimitsRequest, _ responses: Outgoing<RiskV1.Limits>,
    _ context: ServerContext
  ) async throws {
    try await book.changes.subscribed(limitedBy: "readers_max") { try await tell(responses) }
  }

  private func tell(_ responses: Outgoing<RiskV1.Limits>) async throws {
    while !Task.isCancelled {
      let version = await book.version
      // Before the limits are known there is nothing to tell, unless the kill switch is engaged.
      if let limits = await book.told { try await responses.send(limits) }
      await book.change(after: version, within: config.heartbeat)
    }
    throw RPCError(.cancelled, "the reader is gone")
  }

  func getKillSwitch(
    _ request: RiskV1.GetKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    await book.killSwitchWithHistory
  }

  func engageKillSwitch(
    _ request: RiskV1.EngageKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    try Self.check(reason: request.reason)
    let state = await book.engage(reason: request.reason, by: actor(context))
    note("engaged", request.reason, context)
    return state
  }

  func releaseKillSwitch(
    _ request: RiskV1.ReleaseKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    try Self.check(reason: request.reason)
    let state = try await book.release(reason: request.reason, by: actor(context))
    note("released", request.reason, context)
    return state
  }

  private func note(_ change: String, _ reason: String, _ context: ServerContext) {
    killSwitchChanges.with(change).increment()
    service.log.warning(
      "kill switch \(change)", ["by": .text(actor(context)), "reason": .text(reason)])
  }

  private static func check(reason: String) throws(RPCError) {
    guard reason.utf8.count <= 1_024 else {
      throw RPCError.invalid("reason", "is longer than 1024 bytes")
    }
  }

  private func actor(_ context: ServerContext) -> String {
    context.identity.user?.name ?? context.identity.service ?? "unknown"
  }
}
