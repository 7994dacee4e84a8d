internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Telemetry
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
    let limits = try await book.setSymbol(request)
    service.log.info(
      "limits of a symbol changed", ["symbol": .text(limits.symbol), "by": .text(actor(context))])
    return limits
  }

  func setAccountLimits(
    _ request: RiskV1.SetAccountLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.AccountLimits {
    let limits = try await book.setAccount(request)
    service.log.info("limits of the account changed", ["by": .text(actor(context))])
    return limits
  }

  func streamLimits(
    _ request: RiskV1.GetLimitsRequest, _ responses: Outgoing<RiskV1.Limits>,
    _ context: ServerContext
  ) async throws {
    try await book.subscribe()
    do {
      try await tell(responses)
    } catch {
      await book.unsubscribe()
      throw error
    }
  }

  private func tell(_ responses: Outgoing<RiskV1.Limits>) async throws {
    var known: UInt64 = 0
    while !Task.isCancelled {
      let limits = try await book.message()
      try await responses.send(limits)
      known = limits.version
      await book.change(after: known) { [service, config, book] id in
        service.loop.spawn {
          await service.loop.sleep(for: config.heartbeat)
          await book.wake(id)
        }
      }
    }
    throw RPCError(.cancelled, "the reader is gone")
  }

  func getKillSwitch(
    _ request: RiskV1.GetKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    try await book.message().killSwitch ?? .init()
  }

  func engageKillSwitch(
    _ request: RiskV1.EngageKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    try await turn(engaged: true, request.reason, context)
  }

  func releaseKillSwitch(
    _ request: RiskV1.ReleaseKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    try await turn(engaged: false, request.reason, context)
  }

  private func turn(
    engaged: Bool, _ reason: String, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    let state = try await book.setKillSwitch(
      engaged: engaged, reason: reason, actor: actor(context), now: service.time.now)
    killSwitchChanges.with(engaged ? "engaged" : "released").increment()
    service.log.warning(
      engaged ? "kill switch engaged" : "kill switch released",
      ["by": .text(state.actor), "reason": .text(reason)])
    return state
  }

  private func actor(_ context: ServerContext) -> String {
    context.identity.user?.name ?? context.identity.service ?? "unknown"
  }
}
