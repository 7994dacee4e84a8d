internal import Chrono
internal import Loop
internal import ServiceKit

/// Journals are put back from a copy of some time ago, all from one moment, and PostgreSQL and whoever
/// has read further stay as they are: what is recorded from then on must be whole again.
///
/// Between the copy and its use nothing fills, for what did would be lost as it is from any copy.
struct StormBackup {
  let world: StormWorld
  let traders: StormTraders
  let calm: StormCalm

  private static let names: [ServiceName] = ["oms", "execution-router"]

  func restore() async {
    let loop = traders.loop
    let images = world.backUp(Self.names)
    await traders.tradeNothing(12)
    await loop.sleep(for: .seconds(5))
    world.restore(images)
    await calm.waitForAll()
    guard world.violation == nil else { return }
    // What comes now has sequences that were told of before, with other events.
    await traders.trade(until: loop.uptime + .seconds(10))
    await loop.sleep(for: .seconds(10))
    await calm.hold()
  }
}
