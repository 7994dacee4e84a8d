import Calls
import Contracts
import Synchronization

/// A risk-manager that says what the test says, and is silent otherwise.
final class ScriptedRisk: RiskV1.RiskServiceHandler {
  private let limits = Feed<RiskV1.Limits>()
  private let reasons = Mutex<[String]>([])

  /// Of every engagement that was asked for here.
  var engagements: [String] { reasons.withLock { $0 } }

  init(_ first: RiskV1.Limits = ScriptedRisk.standard()) { limits.send(first) }

  /// 10 lots of 1 BTC, 1 000 000 USDT an order, 100 000 USDT a day.
  static func standard(
    perSecond: UInt32 = 1000, perMinute: UInt32 = 10_000, isKilled: Bool = false,
    change: UInt64? = nil,
    maxOrderSize: String = "10"
  ) -> RiskV1.Limits {
    var limits = RiskV1.Limits()
    var account = RiskV1.AccountLimits()
    account.ordersPerSecond = perSecond
    account.ordersPerMinute = perMinute
    account.maxNotional = wire("1000000")
    account.maxDailyLoss = wire("100000")
    limits.account = account
    var symbol = RiskV1.SymbolLimits()
    symbol.lot = wire("1")
    symbol.maxOrderSize = wire(maxOrderSize)
    symbol.maxLong = wire("10")
    symbol.maxShort = wire("10")
    limits.defaultSymbol = symbol
    var killSwitch = RiskV1.KillSwitch()
    killSwitch.engaged = isKilled
    killSwitch.change = change ?? (isKilled ? 1 : 0)
    limits.killSwitch = killSwitch
    return limits
  }

  func say(_ limits: RiskV1.Limits) { self.limits.send(limits) }

  func streamLimits(
    _ request: RiskV1.GetLimitsRequest, _ responses: Outgoing<RiskV1.Limits>,
    _ context: ServerContext
  ) async throws {
    for await limits in limits.read() { try await responses.send(limits) }
  }

  func getLimits(
    _ request: RiskV1.GetLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.Limits { throw RPCError(.unimplemented, "") }

  func setSymbolLimits(
    _ request: RiskV1.SetSymbolLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.SymbolLimits { throw RPCError(.unimplemented, "") }

  func setAccountLimits(
    _ request: RiskV1.SetAccountLimitsRequest, _ context: ServerContext
  ) async throws -> RiskV1.AccountLimits { throw RPCError(.unimplemented, "") }

  func getKillSwitch(
    _ request: RiskV1.GetKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch { throw RPCError(.unimplemented, "") }

  func engageKillSwitch(
    _ request: RiskV1.EngageKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch {
    reasons.withLock { $0.append(request.reason) }
    var state = RiskV1.KillSwitch()
    state.engaged = true
    state.reason = request.reason
    state.change = 100
    return state
  }

  func setTradingState(
    _ request: RiskV1.SetTradingStateRequest, _ context: ServerContext
  ) async throws -> RiskV1.TradingStatus { throw RPCError(.unimplemented, "") }

  func resetDailyLoss(
    _ request: RiskV1.ResetDailyLossRequest, _ context: ServerContext
  ) async throws -> RiskV1.DailyLossReset { throw RPCError(.unimplemented, "") }

  func releaseKillSwitch(
    _ request: RiskV1.ReleaseKillSwitchRequest, _ context: ServerContext
  ) async throws -> RiskV1.KillSwitch { throw RPCError(.unimplemented, "") }
}
