internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Units
internal import Venue

/// The day's loss limit is reached before midnight, and a new day begins after it, although nothing was
/// admitted meanwhile that could have told anybody the time.
struct StormMidnight {
  let world: StormWorld
  let traders: StormTraders

  private static let day = Int64(86_400_000_000_000)

  private static let margin = Duration.seconds(5)

  func watch(until length: Duration) async {
    let loop = traders.loop
    let start = StormSettings.start.nanoseconds + Int64(loop.uptime.nanoseconds)
    let midnight = Duration.nanoseconds((start / Self.day + 1) * Self.day - start)
    let before = Duration.seconds(40)
    guard midnight > before, midnight + Self.margin + .seconds(30) < length else { return }
    let day = start / Self.day + 1
    await loop.sleep(for: midnight - before)
    await traders.setDailyLoss(1)
    await loop.sleep(for: before + Self.margin)
    // A clock that has jumped back has its midnight later.
    while world.violation == nil, !hasRolled(day) { await loop.sleep(for: .seconds(1)) }
    guard world.violation == nil else { return }
    await traders.setDailyLoss(5_000)
    await loop.sleep(for: .seconds(10))
    guard await isRefused() else { return await traders.setDailyLoss(50_000_000) }
    // The day is new, and its loss was small a moment ago: only yesterday's is so large.
    world.broke(.rolled, "a loss limit that was reached before midnight still refuses after it")
  }

  private func hasRolled(_ day: Int64) -> Bool {
    guard let clock = world.clock(of: "trading-gateway") else { return false }
    return clock.now.nanoseconds - Self.margin.wholeNanoseconds > day * Self.day
  }

  private func isRefused() async -> Bool {
    var refusals = 0
    for venue in world.venues {
      guard let instrument = venue.instruments.first, let touch = venue.touch(instrument.id) else {
        continue
      }
      let ticket = StormTicket(
        act: 0, clientID: "day", venue: venue, instrument: instrument, side: .buy, type: .limit,
        timeInForce: .gtc, price: touch.bid.price, quantity: Quantity(1_000_000))
      do throws(RPCError) {
        let answer = try await traders.gate.checkOrder(
          ticket.request(), CallOptions(deadline: traders.loop.uptime + .seconds(4)))
        if !answer.admitted, answer.reason == .dailyLoss { refusals += 1 }
      } catch {
        continue
      }
    }
    return refusals == world.venues.count
  }
}
