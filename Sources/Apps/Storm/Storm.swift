internal import Chrono
internal import Glibc
internal import Journal
internal import Loop
internal import Transport

/// Runs storms.
package enum Storm {
  /// One run, to its end or to the first rule that breaks. `folder` is for the few real files that
  /// services make.
  package static func run(_ settings: StormSettings, folder: String) throws -> StormResult {
    let began = SystemTime().uptime
    wipe(folder)
    let world = try StormWorld(settings, folder: folder)
    let audit = StormAudit(world)
    let traders = StormTraders(world, audit)
    let rounds = StormRounds(world: world, audit: audit, traders: traders)
    let end = Uptime(nanoseconds: UInt64(settings.duration.wholeNanoseconds))
    world.open()
    traders.loop.spawn { await rounds.run(until: end) }
    // A calm may begin late, and last.
    let last = end + .seconds(3_600)
    world.scheduler.run(until: last) { world.violation != nil || rounds.isOver }
    if let fault = world.scheduler.fault { world.broke(.alive, fault) }
    var result = StormResult(
      settings: settings, violation: world.violation,
      simulated: world.scheduler.uptime - Uptime(nanoseconds: 0),
      wall: SystemTime().uptime - began)
    result.orders = traders.orders
    result.fills = audit.fills
    result.crashes = world.crashes
    result.faults =
      world.faultsMade + world.network.faultsMet + world.venues.map(\.faultsMet).reduce(0, +)
    result.steps = world.scheduler.steps
    result.digest = world.scheduler.digest
    if let violation = result.violation { result.about = world.trace.about(violation.text) }
    result.trace = world.trace.tail(.max)
    return result
  }
}

extension Storm {
  /// Nothing of one run comes into the next: no file is left in its folders.
  static func wipe(_ folder: String) {
    for path in StormWorld.services.map({ "\(folder)/journal/\($0)" }) + [folder + "/run"] {
      do throws(JournalError) {
        for name in try SystemDisk().names(in: path) { unlink(path + "/" + name) }
      } catch {
        // A folder that nobody has made has nothing in it.
        continue
      }
    }
  }
}

/// A round is a storm and a calm.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormRounds: @unchecked Sendable {
  private let world: StormWorld
  private let audit: StormAudit
  private let traders: StormTraders
  private(set) var isOver = false

  init(world: StormWorld, audit: StormAudit, traders: StormTraders) {
    self.world = world
    self.audit = audit
    self.traders = traders
  }

  func run(until end: Uptime) async {
    let loop = traders.loop
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
      await traders.setLimits(symbol, position: 10, size: 3)
    }
    await traders.setDailyLoss(50_000_000)
    world.provoke = { [traders] in traders.provoke() }
    await loop.sleep(for: .seconds(3))
    var round = 0
    while loop.uptime < end, world.violation == nil {
      let length = min(world.settings.round, end - loop.uptime)
      world.isOpen = true
      world.unleash(StormFaultPlan.draw(world.settings, round: round, length: length))
      async let day: Void = StormMidnight(world: world, traders: traders).watch(until: length)
      await traders.trade(until: loop.uptime + length)
      await day
      world.isOpen = false
      world.heal()
      // What is being asked still ends.
      await loop.sleep(for: .seconds(50))
      let calm = StormCalm(world: world, audit: audit, traders: traders)
      await calm.hold()
      if world.settings.faults.contains(.backups), world.violation == nil {
        await StormBackup(world: world, traders: traders, calm: calm).restore()
      }
      round += 1
    }
    isOver = true
  }
}
