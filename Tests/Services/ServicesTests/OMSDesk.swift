import Calls
import Contracts
import Loop
import OMSService
import ServiceKit
import TestKit
import Testing

/// An oms with a scripted router before it.
struct OMSDesk: Sendable {
  let world: ServiceWorld
  let router: ScriptedRouter
  let running: RunningService<OMS>

  var oms: OmsV1.OrderServiceClient { .init(channel: running.channel) }

  static let settings = [
    "oms.journal_segment_bytes=4194304", "oms.cancel_wait=0s", "oms.record_interval=1ms",
  ]

  static func open(
    _ world: ServiceWorld, _ router: ScriptedRouter = ScriptedRouter(), _ settings: [String] = [],
    databaseURL: String = "postgresql://127.0.0.1:1/none", market: ScriptedMarket = ScriptedMarket()
  ) async throws -> OMSDesk {
    world.serve("market-connector", market.methods)
    world.serve("execution-router", router.methods)
    let running = try await world.start(
      OMS.self, Self.settings + settings, databaseURL: databaseURL)
    try #require(await running.ready())
    return OMSDesk(world: world, router: router, running: running)
  }

  /// What a restart after a loss of power finds; this desk is closed.
  func reopened() async throws -> OMSDesk {
    let world = try world.afterPowerLoss()
    await running.drop()
    return try await Self.open(world, router)
  }

  static func order(
    _ clientOrderID: String, _ quantity: String = "1", at price: String? = "50000"
  ) -> OmsV1.Order {
    var order = OmsV1.Order()
    order.clientOrderId = clientOrderID
    order.account = "main"
    order.venue = "binance"
    order.symbol = "BTCUSDT"
    order.side = .buy
    order.type = price == nil ? .market : .limit
    order.timeInForce = price == nil ? .ioc : .gtc
    order.price = price.map { wire($0) }
    order.quantity = wire(quantity)
    order.createdBy = "ada"
    return order
  }

  func accept(_ order: OmsV1.Order) async throws -> OmsV1.AcceptOrderResponse {
    var request = OmsV1.AcceptOrderRequest()
    request.order = order
    return try await oms.acceptOrder(request)
  }

  /// A new order's id.
  func place(
    _ clientOrderID: String, _ quantity: String = "1", at price: String? = "50000"
  ) async throws -> String {
    let order = try await accept(Self.order(clientOrderID, quantity, at: price)).order
    return try #require(order).orderId
  }

  func order(_ id: String) async throws -> OmsV1.Order {
    var request = OmsV1.GetOrderRequest()
    request.orderId = id
    return try await oms.getOrder(request)
  }

  func cancel(_ id: String) async throws -> OmsV1.Order {
    var request = OmsV1.CancelOrderRequest()
    request.orderId = id
    return try await oms.cancelOrder(request)
  }

  /// Waits until the order is as `condition` says; the order then, or as it was when time was up.
  func order(
    _ id: String, when condition: (OmsV1.Order) -> Bool
  ) async throws -> OmsV1.Order {
    var found = OmsV1.Order()
    let came = await eventually {
      do { found = try await order(id) } catch { return false }
      return condition(found)
    }
    #expect(came, "order is \(found.status), filled \(text(found.filledQuantity) ?? "-")")
    return found
  }

  func all() async throws -> [OmsV1.Order] {
    try await oms.listOrders(.init()).orders
  }

  func executions() async throws -> [OmsV1.Execution] {
    try await oms.listExecutions(.init()).executions
  }
}

/// Runs `body` with an oms of its own and closes it.
func withOMS(_ body: @escaping @Sendable (OMSDesk) async throws -> Void) async throws {
  try await withLoop { loop in
    let desk = try await OMSDesk.open(ServiceWorld(loop))
    do { try await body(desk) } catch {
      await desk.running.drop()
      throw error
    }
    await desk.running.drop()
  }
}
