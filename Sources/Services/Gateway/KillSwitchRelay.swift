internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Wire

/// Engaging the kill switch goes to who keeps it and to who trades, at once: it waits for neither, and
/// works while one of them is dead.
struct KillSwitchRelay: Sendable {
  private let risk: RiskV1.RiskServiceClient
  private let trading: TradingV1.TradingServiceClient
  private let loop: EventLoop

  /// How long each may take before the answer does without it, where the other has done its part.
  private static let patience = Duration.milliseconds(250)

  init(_ context: ServiceContext) {
    risk = .init(channel: context.channel(to: "risk-manager"))
    trading = .init(channel: context.channel(to: "trading-gateway"))
    loop = context.loop
  }

  static func takes(_ method: MethodDescriptor) -> Bool {
    method == RiskV1.RiskService.engageKillSwitch
  }

  /// Request and answer of `EngageKillSwitch`.
  func engage(_ bytes: [UInt8], _ options: CallOptions) async throws(RPCError) -> [UInt8] {
    let request: RiskV1.EngageKillSwitchRequest = try decodeMessage(bytes)
    var hurried = options
    let limit = loop.uptime + Self.patience
    hurried.deadline = options.deadline.map { min($0, limit) } ?? limit
    async let stopped = stop(request.reason, hurried)
    async let kept = keep(request, hurried)
    var (stop, keep) = await (stopped, kept)
    if case .failure(let error) = keep, Self.isAway(error), case .failure = stop {
      // Nobody has it yet: now the caller waits, as for any other call.
      keep = await self.keep(request, options)
      if case .failure = keep { stop = await self.stop(request.reason, options) }
    }
    switch (keep, stop) {
    case (.success(let state), _): return state.encoded()
    case (.failure(let error), .success) where Self.isAway(error):
      var state = RiskV1.KillSwitch()
      state.engaged = true
      state.reason = request.reason
      state.warning =
        "the trading-gateway has stopped and keeps it; the risk-manager is away "
        + "(\(error.message)) and is told when it is back"
      return state.encoded()
    case (.failure(let error), _): throw error
    }
  }

  private static func isAway(_ error: RPCError) -> Bool {
    error.code == .unavailable || error.code == .deadlineExceeded
  }

  private func keep(
    _ request: RiskV1.EngageKillSwitchRequest, _ options: CallOptions
  ) async -> Result<RiskV1.KillSwitch, RPCError> {
    do { return .success(try await risk.engageKillSwitch(request, options)) } catch {
      return .failure(error)
    }
  }

  private func stop(
    _ reason: String, _ options: CallOptions
  ) async -> Result<TradingV1.StopTradingResponse, RPCError> {
    var request = TradingV1.StopTradingRequest()
    request.reason = reason
    do { return .success(try await trading.stopTrading(request, options)) } catch {
      return .failure(error)
    }
  }
}
