import Calls
import Chrono
import Contracts
import Loop
import OMSService
import ServiceKit
import Transport

/// `oms.follow`: a reader that follows the oms's stream of events from the first one: what an event costs
/// the oms, and the reader that decodes it, on one core. Network and TLS are not in it.
enum FollowedEvents {
  private static let orders = 100_000

  static func run() throws -> [Figures] {
    let workspace = try Workspace("follow")
    let path = workspace.path
    try onLoop { try await SubmitsWithHistory.write(orders, path + "/journal/oms", $0) }
    let times = try withExtendedLifetime(workspace) {
      try onLoop { try await follow(path, $0) }
    }
    var figures = Figures("oms.follow", samples: times)
    figures.operationsPerSecond = Double(times.count) * 1e9 / times.reduce(0, +)
    return [figures]
  }

  /// Nanoseconds of an event, a sample for each thousand.
  private static func follow(_ folder: String, _ loop: EventLoop) async throws -> [Double] {
    let (oms, context) = try await OMSUnderLoad.start(folder, [], AbsentStore(), [], loop)
    let client = OmsV1.OrderServiceClient(
      channel: InProcessChannel(
        methods: oms.methods, identity: Identity(service: "trading-gateway"), loop: loop))
    let events = try await client.streamEvents(.init())
    var times: [Double] = []
    var began = loop.uptime.nanoseconds
    for number in 1...(2 * orders) {
      guard try await events.next() != nil else { throw Broken("the stream of events has ended") }
      guard number.isMultiple(of: 1_000) else { continue }
      let now = loop.uptime.nanoseconds
      times.append(Double(now - began) / 1_000)
      began = now
    }
    events.cancel()
    await context.stopTasks()
    await oms.stop()
    return times
  }
}
