internal import Chrono
internal import Units
internal import Venue

/// The other traders of a market: makers who add and take away orders around a mean-reverting fair
/// price, and takers. A function of its seed alone, so that a seed is a tape.
struct BackgroundFlow {
  enum Command: Equatable {
    case place(Side, Price, Quantity)
    case cancel(UInt64)
    case take(Side, Quantity)
  }

  private struct Resting {
    let id: UInt64
    let price: Price
  }

  private let market: SimulatedMarket
  private var random: FlowRandom
  private var fair: Int64
  private var resting: [[Resting]] = [[], []]
  private var positions: [UInt64: Int] = [:]
  private var clock: ArrivalClock
  private(set) var nextTime: Instant

  /// Orders a side that the flow tends to; over half of them stand on a price of their own.
  static let ordersPerSide = 160
  /// Rungs from the fair price to the farthest maker.
  private static let rungs: Int64 = 200

  init(market: SimulatedMarket, seed: UInt64, start: Instant) {
    self.market = market
    self.random = FlowRandom(seed: seed)
    self.fair = market.anchor.raw
    self.clock = ArrivalClock(market.arrivals, eventsPerSecond: market.eventsPerSecond)
    self.nextTime = start
    scheduleNext(after: start)
  }

  /// The orders that stand before the first event.
  mutating func opening() -> [Command] {
    (0..<Self.ordersPerSide).flatMap { _ in
      [makerOrder(.buy), makerOrder(.sell)]
    }
  }

  /// The event at `nextTime`; moves `nextTime` on.
  mutating func next() -> Command {
    let now = nextTime
    scheduleNext(after: now)
    drift()
    let side: Side = random.below(2) == 0 ? .buy : .sell
    let count = resting[slot(side)].count
    let roll = random.below(100)
    if count < Self.ordersPerSide * 9 / 10 { return makerOrder(side) }
    if count > Self.ordersPerSide * 11 / 10 || (roll >= 45 && roll < 88) {
      return .cancel(victim(side))
    }
    if roll < 45 { return makerOrder(side) }
    return .take(side, quantity(times: 1 + random.below(3)))
  }

  mutating func rested(_ id: UInt64, _ side: Side, at price: Price) {
    positions[id] = resting[slot(side)].count
    resting[slot(side)].append(Resting(id: id, price: price))
  }

  /// The order no longer stands: filled or cancelled.
  mutating func gone(_ id: UInt64, _ side: Side) {
    guard let position = positions.removeValue(forKey: id) else { return }
    let moved = resting[slot(side)].removeLast()
    guard moved.id != id else { return }
    resting[slot(side)][position] = moved
    positions[moved.id] = position
  }

  private func slot(_ side: Side) -> Int { side == .buy ? 0 : 1 }

  private mutating func scheduleNext(after now: Instant) {
    nextTime = now + clock.gap(&random)
  }

  /// One rung at most, drawn back by 1/512 of the distance from the anchor.
  private mutating func drift() {
    let step = random.below(2 * market.rung.raw + 1) - market.rung.raw
    fair += step + (market.anchor.raw - fair) / 512
  }

  /// Nearer rungs are likelier: the lesser of two draws.
  private mutating func makerOrder(_ side: Side) -> Command {
    let rung = 1 + min(random.below(Self.rungs), random.below(Self.rungs))
    let distance = rung * market.rung.raw + random.below(market.rung.raw)
    let tick = market.instrument.tickSize.raw
    let price = max(tick, (fair - side.sign * distance) / tick * tick)
    return .place(side, Price(price), quantity(times: 1))
  }

  private mutating func quantity(times: Int64) -> Quantity {
    let lot = market.instrument.lotSize.raw
    let lots = max(1, market.typicalQuantity.raw / lot)
    return Quantity((1 + random.below(2 * lots)) * times * lot)
  }

  /// Of two orders of the side, the one farther from the fair price.
  private mutating func victim(_ side: Side) -> UInt64 {
    let orders = resting[slot(side)]
    let left = orders[Int(random.below(Int64(orders.count)))]
    let right = orders[Int(random.below(Int64(orders.count)))]
    return abs(left.price.raw - fair) >= abs(right.price.raw - fair) ? left.id : right.id
  }
}
