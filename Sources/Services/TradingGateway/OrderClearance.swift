internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Mutants
internal import Risk
internal import ServiceKit
internal import Telemetry

/// Nothing stays open while the kill switch is engaged.
///
/// Not one call but an intent: it asks the oms again until no order is open there, slower each time,
/// and goes on looking, for an order may have been on its way when the switch was thrown, a venue may
/// have refused a cancel, and the oms may be away.
final class OrderClearance: Sendable {
  private let killSwitch: KillSwitch
  private let context: ServiceContext
  private let oms: OmsV1.OrderServiceClient
  private let requests: Counter
  private let bell: Bell

  private static let pauseMin = Duration.milliseconds(50)
  private static let pauseMax = Duration.seconds(1)
  private static let callTimeMax = Duration.seconds(5)

  init(_ killSwitch: KillSwitch, _ context: ServiceContext) {
    self.killSwitch = killSwitch
    self.context = context
    oms = .init(channel: context.channel(to: "oms"))
    bell = Bell(context.loop)
    requests = context.metrics.counter(
      "trading_gateway_kill_cancels_total",
      help: "Cancels that the oms was made to ask for by the kill switch.")
  }

  /// Look now: the switch was thrown, or an order has appeared meanwhile.
  func ring() { bell.ring() }

  func run() async {
    var pause = Self.pauseMin
    while !Task.isCancelled {
      guard killSwitch.isEngaged else {
        pause = Self.pauseMin
        await bell.wait(Self.pauseMax)
        continue
      }
      do throws(RPCError) {
        if try await clear() { pause = Self.pauseMax }
        if Mutant.isOn(.cancelGivesUp) { await waitForRelease() }
      } catch {
        context.log.warning(
          "open orders could not be cancelled", ["error": .text(error.message)])
      }
      if await bell.wait(pause) {
        pause = Self.pauseMin
      } else {
        pause = min(pause * 2, Self.pauseMax)
      }
    }
  }

  private func waitForRelease() async {
    while killSwitch.isEngaged, !Task.isCancelled { await bell.wait(Self.pauseMax) }
  }

  /// True when no order is open.
  private func clear() async throws(RPCError) -> Bool {
    if Mutant.isOn(.killClearsNothing) { return true }
    var request = OmsV1.CancelAllOrdersRequest()
    request.reason = "kill switch"
    let asked = try await oms.cancelAllOrders(request, options)
    if asked.requested > 0 {
      requests.increment(by: UInt64(asked.requested))
      context.log.warning(
        "kill switch: open orders are cancelled", ["orders": LogValue(Int64(asked.requested))])
    }
    var list = OmsV1.ListOrdersRequest()
    list.openOnly = true
    list.pageSize = 1
    return try await oms.listOrders(list, options).orders.isEmpty
  }

  private var options: CallOptions {
    var options = CallOptions(deadline: context.loop.uptime + Self.callTimeMax)
    options.waitsForReady = true
    return options
  }
}
