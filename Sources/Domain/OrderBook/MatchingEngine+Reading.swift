package import Units
package import Venue

extension MatchingEngine {
  package func best(_ side: Side) -> PriceLevel? {
    guard let level = bestLevel(.book(side)) else { return nil }
    return PriceLevel(price: levels[level].price, quantity: levels[level].total)
  }

  package func quantity(_ side: Side, at price: Price) -> Quantity {
    guard let level = levelSlot(.book(side), price) else { return .zero }
    return levels[level].total
  }

  /// The best `max` levels of a side, from the touch outwards.
  package func levels(_ side: Side, max: Int) -> [PriceLevel] {
    var found: [PriceLevel] = []
    guard max > 0 else { return found }
    forEachLevelSlot(.book(side)) { level in
      found.append(PriceLevel(price: levels[level].price, quantity: levels[level].total))
      return found.count < max
    }
    return found
  }

  package func order(_ orderID: UInt64) -> RestingOrder? {
    guard let slot = table.find(orderID) else { return nil }
    return resting(slot)
  }

  /// Every shown order of a side by priority (the book by order, L3), until `body` returns false.
  package func forEachOrder(_ side: Side, _ body: (RestingOrder) -> Bool) {
    forEachOrder(in: .book(side), body)
  }

  /// Every all-or-none order of a side by priority, until `body` returns false.
  package func forEachAllOrNone(_ side: Side, _ body: (RestingOrder) -> Bool) {
    forEachOrder(in: .whole(side), body)
  }

  /// Every waiting stop of a side, in the order in which they would be set off, until `body`
  /// returns false.
  package func forEachStop(_ side: Side, _ body: (RestingOrder) -> Bool) {
    forEachOrder(in: .stops(side), body)
  }

  func forEachWaiting(_ body: (RestingOrder) -> Bool) {
    for queue in [OrderQueue.bids, .asks, .wholeBids, .wholeAsks, .buyStops, .sellStops] {
      forEachOrder(in: queue, body)
    }
  }

  /// Equal for two engines exactly when, chance aside, their queues and counters are equal.
  package var stateHash: UInt64 {
    var hash = StateHash()
    hash.combine(nextTradeID)
    hash.combine(lastTradePrice?.raw ?? 0)
    for queue in 0..<OrderQueue.count {
      hash.combine(UInt64(queue))
      forEachOrder(in: OrderQueue(rawValue: UInt8(queue))!) { order in
        hash.combine(order.orderID)
        hash.combine(UInt64(order.owner))
        hash.combine(order.price.raw)
        hash.combine(order.remaining.raw)
        hash.combine(order.shown.raw)
        hash.combine(order.trigger?.raw ?? 0)
        return true
      }
    }
    return hash.value
  }

  private func forEachOrder(in queue: OrderQueue, _ body: (RestingOrder) -> Bool) {
    forEachLevelSlot(queue) { level in
      var slot = levels[level].head
      while slot >= 0 {
        guard body(resting(slot)) else { return false }
        slot = orders[slot].next
      }
      return true
    }
  }

  private func resting(_ slot: Int32) -> RestingOrder {
    let order = orders[slot]
    let isStop = order.queue == .buyStops || order.queue == .sellStops
    return RestingOrder(
      orderID: order.orderID, owner: order.owner, side: order.side, price: order.price,
      remaining: order.remaining, shown: order.queue.rawValue < 2 ? order.shown : .zero,
      trigger: isStop ? levels[order.level].price : nil)
  }
}
