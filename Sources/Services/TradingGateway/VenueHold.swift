internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Risk
internal import ServiceKit
internal import Telemetry

/// What has passed the gate and is not on the wire yet stays off it while the kill switch is engaged.
///
/// Orders wait behind the gate: in the oms and the execution-router for their turn, in the
/// market-connector for a limit or a connection, as long as a venue is slow. So the market-connector's
/// door is closed as well, for a while at a time: a hold that nobody says again ends by itself.
final class VenueHold: Sendable {
  private let killSwitch: KillSwitch
  private let context: ServiceContext
  private let venues: MarketV1.VenueOrderServiceClient
  private let bell: Bell

  private static let lease = Duration.seconds(5)
  private static let interval = Duration.seconds(1)
  private static let pauseMin = Duration.milliseconds(50)

  init(_ killSwitch: KillSwitch, _ context: ServiceContext) {
    self.killSwitch = killSwitch
    self.context = context
    venues = .init(channel: context.channel(to: "market-connector"))
    bell = Bell(context.loop)
  }

  /// The switch has turned.
  func ring() { bell.ring() }

  func run() async {
    // Another process of this service may have left one.
    var mayBeHeld = true
    while !Task.isCancelled {
      let isEngaged = killSwitch.isEngaged
      guard isEngaged || mayBeHeld else {
        await bell.wait(Self.interval)
        continue
      }
      mayBeHeld = true
      do throws(RPCError) {
        try await tell(isEngaged ? Self.lease : .zero)
        mayBeHeld = isEngaged
        await bell.wait(Self.interval)
      } catch {
        context.log.debug(
          "the market-connector does not hear of the kill switch", ["error": .text(error.message)])
        await bell.wait(Self.pauseMin)
      }
    }
  }

  private func tell(_ hold: Duration) async throws(RPCError) {
    var request = MarketV1.HoldOrdersRequest()
    request.forMs = UInt32(hold.wholeNanoseconds / 1_000_000)
    _ = try await venues.holdOrders(
      request, CallOptions(deadline: context.loop.uptime + Self.interval))
  }
}
