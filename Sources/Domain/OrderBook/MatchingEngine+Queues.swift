internal import Units
internal import Venue

extension MatchingEngine {
  @inline(__always)
  func bestLevel(_ queue: OrderQueue) -> Int32? {
    guard let best = ladders[Int(queue.rawValue)].best else { return nil }
    return Int32(truncatingIfNeeded: best.value)
  }

  @inline(__always)
  func levelSlot(_ queue: OrderQueue, _ price: Price) -> Int32? {
    guard let found = ladders[Int(queue.rawValue)].value(of: queue.key(price)) else { return nil }
    return Int32(truncatingIfNeeded: found)
  }

  /// Puts an order at the end of the queue of a price; returns the level.
  @inline(__always)
  @discardableResult
  func wait(
    _ request: OrderRequest, _ remaining: Quantity, in queue: OrderQueue, at price: Price
  ) -> Int32 {
    let level = levelSlot(queue, price) ?? openLevel(queue, price)
    let tail = levels[level].tail
    let display = request.display ?? .zero
    let shown = display.raw > 0 ? min(display, remaining) : remaining
    let slot = orders.insert(
      OrderSlot(
        orderID: request.orderID, price: request.limit, remaining: remaining, shown: shown,
        display: display, owner: request.owner, level: level, next: -1, previous: tail,
        queue: queue, side: request.side, type: request.type, timeInForce: request.timeInForce,
        selfTradePrevention: request.selfTradePrevention, isAllOrNone: request.isAllOrNone))
    if tail >= 0 { orders[tail].next = slot } else { levels[level].head = slot }
    levels[level].tail = slot
    levels[level].total += shown
    levels[level].hidden += remaining - shown
    table.insert(request.orderID, slot)
    if queue.rawValue > 1 { asideCount += 1 }
    return level
  }

  private func openLevel(_ queue: OrderQueue, _ price: Price) -> Int32 {
    let level = levels.insert(
      LevelSlot(price: price, total: .zero, hidden: .zero, head: -1, tail: -1))
    ladders[Int(queue.rawValue)].set(queue.key(price), to: Int64(level))
    return level
  }

  /// The waiting order as it would be placed now.
  func request(of slot: Int32) -> OrderRequest {
    let order = orders[slot]
    let isStop = order.queue == .buyStops || order.queue == .sellStops
    return OrderRequest(
      orderID: order.orderID, owner: order.owner, side: order.side, type: order.type,
      timeInForce: order.timeInForce, price: order.type == .market ? nil : order.price,
      quantity: order.remaining, selfTradePrevention: order.selfTradePrevention,
      trigger: isStop ? levels[order.level].price : nil,
      display: order.display.raw > 0 ? order.display : nil, isAllOrNone: order.isAllOrNone)
  }

  /// Takes shown quantity off an order. One with nothing left is gone; one that hides more shows it
  /// at the end of the queue.
  @inline(__always)
  func take(_ quantity: Quantity, from slot: Int32) {
    guard quantity.raw < orders[slot].remaining.raw else { return remove(slot) }
    let level = orders[slot].level
    orders[slot].remaining -= quantity
    orders[slot].shown -= quantity
    levels[level].total -= quantity
    if orders[slot].shown.raw == 0 { refresh(slot) }
  }

  private func refresh(_ slot: Int32) {
    let (level, remaining) = (orders[slot].level, orders[slot].remaining)
    let shown = min(orders[slot].display, remaining)
    orders[slot].shown = shown
    levels[level].total += shown
    levels[level].hidden -= shown
    guard orders[slot].next >= 0 else { return }
    unlink(slot)
    let tail = levels[level].tail
    orders[tail].next = slot
    orders[slot].previous = tail
    orders[slot].next = -1
    levels[level].tail = slot
  }

  @inline(__always)
  private func unlink(_ slot: Int32) {
    let (level, next, previous) = (orders[slot].level, orders[slot].next, orders[slot].previous)
    if previous >= 0 { orders[previous].next = next } else { levels[level].head = next }
    if next >= 0 { orders[next].previous = previous } else { levels[level].tail = previous }
  }

  /// Takes an order out of its queue; an empty queue goes with it.
  @inline(__always)
  func remove(_ slot: Int32) {
    let (level, queue) = (orders[slot].level, orders[slot].queue)
    unlink(slot)
    levels[level].total -= orders[slot].shown
    levels[level].hidden -= orders[slot].remaining - orders[slot].shown
    if levels[level].head < 0 {
      ladders[Int(queue.rawValue)].remove(queue.key(levels[level].price))
      levels.release(level)
    }
    if queue.rawValue > 1 { asideCount -= 1 }
    table.remove(orders[slot].orderID)
    orders.release(slot)
  }

  /// A level that has just gone still reads as its price and zero: nothing takes its slot before.
  /// Of those that wait unseen nobody hears.
  @inline(__always)
  func announce(_ queue: OrderQueue, _ level: Int32, into events: inout [MatchEvent]) {
    guard queue.rawValue < 2 else { return }
    let now = PriceLevel(price: levels[level].price, quantity: levels[level].total)
    events.append(.level(queue == .bids ? .buy : .sell, now))
  }

  struct Top {
    /// Quantity zero where a side is empty.
    var bid: PriceLevel
    var ask: PriceLevel

    @inline(__always)
    func isSame(as other: Top) -> Bool {
      let prices = (bid.price.raw ^ other.bid.price.raw) | (ask.price.raw ^ other.ask.price.raw)
      let sizes =
        (bid.quantity.raw ^ other.bid.quantity.raw) | (ask.quantity.raw ^ other.ask.quantity.raw)
      return prices | sizes == 0
    }
  }

  @inline(__always)
  var top: Top { Top(bid: shownBest(.bids), ask: shownBest(.asks)) }

  @inline(__always)
  private func shownBest(_ queue: OrderQueue) -> PriceLevel {
    guard let level = bestLevel(queue) else { return PriceLevel(price: Price(0), quantity: .zero) }
    return PriceLevel(price: levels[level].price, quantity: levels[level].total)
  }

  @inline(__always)
  func announceTop(since before: Top, into events: inout [MatchEvent]) {
    let now = top
    guard !now.isSame(as: before) else { return }
    events.append(
      .top(
        bid: now.bid.quantity.raw > 0 ? now.bid : nil,
        ask: now.ask.quantity.raw > 0 ? now.ask : nil))
  }

  @inline(__always)
  func forEachLevelSlot(_ queue: OrderQueue, _ body: (Int32) -> Bool) {
    ladders[Int(queue.rawValue)].forEach { body(Int32(truncatingIfNeeded: $1)) }
  }
}
