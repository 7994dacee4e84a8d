internal import Calls
internal import Contracts
internal import ServiceKit
internal import Wire

struct Handlers: TradingV1.TradingServiceHandler {
  let desk: TradingDesk
  let strategies: [StrategyRunner]
  let signals: SignalLog

  func submitOrder(
    _ request: TradingV1.SubmitOrderRequest, _ context: ServerContext
  ) async throws -> OmsV1.Order {
    let caller = context.identity.user?.name ?? context.identity.service ?? "unknown"
    return try await desk.submit(
      request, strategy: "", createdBy: caller, context.downstream)
  }

  func replaceOrder(
    _ request: TradingV1.ReplaceOrderRequest, _ context: ServerContext
  ) async throws -> OmsV1.Order {
    try await desk.replace(request, context.downstream)
  }

  func checkOrder(
    _ request: TradingV1.SubmitOrderRequest, _ context: ServerContext
  ) async throws -> TradingV1.CheckOrderResponse {
    try await desk.check(request)
  }

  func stopTrading(
    _ request: TradingV1.StopTradingRequest, _ context: ServerContext
  ) async throws -> TradingV1.StopTradingResponse {
    guard request.reason.utf8.count <= 1_024 else {
      throw RPCError.invalid("reason", "is longer than 1024 bytes")
    }
    let caller = context.identity.user?.name ?? context.identity.service ?? "unknown"
    desk.kill.engage(reason: request.reason, by: caller)
    desk.killSwitchChanged()
    var response = TradingV1.StopTradingResponse()
    response.openOrders = UInt32(clamping: await desk.openCount)
    return response
  }

  func listStrategies(
    _ request: TradingV1.ListStrategiesRequest, _ context: ServerContext
  ) async throws -> TradingV1.ListStrategiesResponse {
    var response = TradingV1.ListStrategiesResponse()
    for strategy in strategies { response.strategies.append(await strategy.message) }
    return response
  }

  func startStrategy(
    _ request: TradingV1.StartStrategyRequest, _ context: ServerContext
  ) async throws -> TradingV1.Strategy {
    let strategy = try strategy(request.strategyId)
    try await strategy.start()
    return await strategy.message
  }

  func stopStrategy(
    _ request: TradingV1.StopStrategyRequest, _ context: ServerContext
  ) async throws -> TradingV1.Strategy {
    let strategy = try strategy(request.strategyId)
    try await strategy.stop()
    return await strategy.message
  }

  func listSignals(
    _ request: TradingV1.ListSignalsRequest, _ context: ServerContext
  ) async throws -> TradingV1.ListSignalsResponse {
    guard request.limit <= 1_000 else {
      throw RPCError.invalid("limit", "must be from 1 to 1000, not \(request.limit)")
    }
    var response = TradingV1.ListSignalsResponse()
    response.signals = signals.latest(request.limit == 0 ? 100 : Int(request.limit))
    return response
  }

  private func strategy(_ id: String) throws(RPCError) -> StrategyRunner {
    guard let strategy = strategies.first(where: { $0.id == id }) else {
      let known = strategies.map(\.id).joined(separator: ", ")
      throw RPCError(.notFound, "there is no strategy \(id.prefix(64)); known: \(known)")
    }
    return strategy
  }
}
