internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Telemetry
internal import Wire

/// Engaging the kill switch goes to who keeps it, to who trades and to the last door before the venues,
/// at once: it waits for none of them, and works while some of them are dead.
struct KillSwitchRelay: Sendable {
  private let risk: RiskV1.RiskServiceClient
  private let trading: TradingV1.TradingServiceClient
  private let venues: MarketV1.VenueOrderServiceClient
  private let loop: EventLoop
  private let log: Log
  private let held: HoldMark

  /// How long each may take before the answer does without it, where the other has done its part.
  private static let patience = Duration.milliseconds(250)

  /// Bytes of a reason, as the risk-manager takes it.
  private static let reasonMax = 1_024

  init(_ context: ServiceContext) {
    risk = .init(channel: context.channel(to: "risk-manager"))
    trading = .init(channel: context.channel(to: "trading-gateway"))
    venues = .init(channel: context.channel(to: "market-connector"))
    loop = context.loop
    log = context.log
    held = HoldMark(context.state)
  }

  static func takes(_ method: MethodDescriptor) -> Bool {
    method == RiskV1.RiskService.engageKillSwitch
  }

  /// Request and answer of `EngageKillSwitch`.
  func engage(_ bytes: [UInt8], _ options: CallOptions) async throws(RPCError) -> [UInt8] {
    let request: RiskV1.EngageKillSwitchRequest = try decodeMessage(bytes)
    // What nobody would take holds nothing.
    guard request.reason.utf8.count <= Self.reasonMax else {
      return try await risk.engageKillSwitch(request, options).encoded()
    }
    // Before anything has to be called: what is on its way to a venue stays here.
    do { try held.touch() } catch {
      log.warning("orders are held by calls alone", ["error": .text("\(error)")])
    }
    var hurried = options
    let limit = loop.uptime + Self.patience
    hurried.deadline = options.deadline.map { min($0, limit) } ?? limit
    async let stopped = stop(request.reason, hurried)
    async let kept = keep(request, hurried)
    async let held: Void = hold(hurried)
    var (stop, keep, _) = await (stopped, kept, held)
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

  /// For a while: the trading-gateway says it again for as long as the switch is engaged, and takes it
  /// back when it is not. Who does not answer sends nothing either, or hears of it from there.
  private func hold(_ options: CallOptions) async {
    var request = MarketV1.HoldOrdersRequest()
    request.forMs = UInt32(HoldMark.time.wholeNanoseconds / 1_000_000)
    do { _ = try await venues.holdOrders(request, options) } catch {
      log.warning("the market-connector does not hold orders yet", ["error": .text(error.message)])
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
