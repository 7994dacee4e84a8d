internal import Chrono
internal import Loop
internal import ServiceKit

/// Journals are put back from a copy of some time ago, all from one moment, and PostgreSQL and whoever
/// has read further stay as they are: what is recorded from then on must be whole again.
///
/// Between the copy and its use nothing fills, for what did would be lost as it is from any copy.
///
/// Then the execution-router's alone, in the middle of trading: the oms knows what the router was given
/// since, and the venues what came of it.
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
    guard world.violation == nil else { return }
    await restoreRouter()
  }

  private func restoreRouter() async {
    let loop = traders.loop
    let image = world.backUp(["execution-router"])
    // The next child of an order that nobody here knows any more fills unheard while nobody is there.
    traders.mayReplace = false
    await traders.trade(until: loop.uptime + .seconds(15))
    traders.mayReplace = true
    world.restore(image)
    await calm.waitForAll()
    guard world.violation == nil else { return }
    await loop.sleep(for: .seconds(10))
    await calm.compareOpen()
    await traders.trade(until: loop.uptime + .seconds(10))
    await loop.sleep(for: .seconds(10))
    await calm.hold()
  }
}
