internal import Units

/// An order of ours in a recorded market, and what the recording showed before it in the queue.
struct QueuedOrder {
  let orderID: UInt64
  let owner: UInt32
  let side: Side
  let price: Price
  var remaining: Quantity
  /// Recorded quantity at this price that trades before this order.
  var ahead = Quantity.zero

  init(request: OrderRequest) {
    orderID = request.orderID
    owner = request.owner
    side = request.side
    price = request.limit
    remaining = request.quantity
  }

  var resting: RestingOrder {
    RestingOrder(
      orderID: orderID, owner: owner, side: side, price: price, remaining: remaining)
  }

  func combine(into hash: inout StateHash) {
    hash.combine(orderID)
    hash.combine(UInt64(owner))
    hash.combine(price.raw)
    hash.combine(remaining.raw)
    hash.combine(ahead.raw)
  }
}

/// Our resting orders of one side, best price first, at one price the earlier first. They are few,
/// so an array serves; it is empty most of the time, and then the recording plays at full speed.
struct QueuedOrders {
  let side: Side
  private(set) var orders: [QueuedOrder] = []
  /// Traded at a price of ours since the recording last changed that level; those trades are in the
  /// change to come and must not count as cancels.
  private var traded: [Price: Quantity] = [:]

  init(side: Side) { self.side = side }

  mutating func insert(_ order: QueuedOrder) {
    let index = orders.firstIndex { order.price.isBetter(than: $0.price, on: side) }
    orders.insert(order, at: index ?? orders.endIndex)
  }

  mutating func remove(_ orderID: UInt64, _ owner: UInt32) -> QueuedOrder? {
    guard let index = orders.firstIndex(where: { $0.orderID == orderID && $0.owner == owner })
    else { return nil }
    let order = orders.remove(at: index)
    forgetTrades(at: order.price)
    return order
  }

  /// Fills the first order by at most its remainder; returns it as it is after.
  mutating func fillFirst(_ quantity: Quantity) -> QueuedOrder {
    orders[0].remaining -= quantity
    // Its price was reached by the other side: nothing of the recorded queue is left before it.
    orders[0].ahead = .zero
    let order = orders[0]
    if order.remaining.raw == 0 {
      orders.removeFirst()
      forgetTrades(at: order.price)
    }
    return order
  }

  /// A recorded level went from one quantity to another: what vanished beyond the trades was
  /// cancelled, and our part of the queue ahead shrinks in proportion; additions go behind us.
  mutating func levelChanged(_ price: Price, from before: Quantity, to now: Quantity) {
    guard orders.contains(where: { $0.price == price }) else { return }
    let trades = traded.removeValue(forKey: price) ?? .zero
    let waiting = max(0, before.raw - trades.raw)
    let cancelled = max(0, waiting - now.raw)
    for index in orders.indices where orders[index].price == price {
      let ahead = orders[index].ahead.raw
      let gone =
        waiting > 0 ? Int64(Int128(cancelled) * Int128(min(ahead, waiting)) / Int128(waiting)) : 0
      orders[index].ahead = Quantity(min(ahead - gone, now.raw))
    }
  }

  /// A new snapshot: nobody has more ahead than its level shows.
  mutating func shrink(to shown: (Price) -> Quantity) {
    traded.removeAll(keepingCapacity: true)
    for index in orders.indices {
      orders[index].ahead = min(orders[index].ahead, shown(orders[index].price))
    }
  }

  /// What a recorded print fills: orders it went through, then those at its price by their place in
  /// the queue. The orders are as they are after.
  mutating func fills(
    for price: Price, _ quantity: Quantity
  ) -> [(order: QueuedOrder, quantity: Quantity)] {
    guard let first = orders.first, !price.isBetter(than: first.price, on: side) else { return [] }
    var left = quantity
    /// Recorded quantity at `price` that the print used up so far.
    var used = Quantity.zero
    var fills: [(order: QueuedOrder, quantity: Quantity)] = []
    for index in orders.indices {
      let order = orders[index]
      if price.isBetter(than: order.price, on: side) { break }
      if order.price == price {
        let before = min(left, Quantity(max(0, order.ahead.raw - used.raw)))
        left -= before
        used += before
        orders[index].ahead = Quantity(max(0, order.ahead.raw - used.raw))
      } else {
        orders[index].ahead = .zero
      }
      let filled = min(left, order.remaining)
      guard filled.raw > 0 else { continue }
      left -= filled
      orders[index].remaining -= filled
      fills.append((orders[index], filled))
    }
    if orders.contains(where: { $0.price == price && $0.remaining.raw > 0 }) {
      traded[price] = saturatingSum(traded[price] ?? .zero, quantity)
    }
    orders.removeAll { $0.remaining.raw == 0 }
    for fill in fills where fill.order.remaining.raw == 0 { forgetTrades(at: fill.order.price) }
    return fills
  }

  private mutating func forgetTrades(at price: Price) {
    if !orders.contains(where: { $0.price == price }) { traded[price] = nil }
  }
}

extension Price {
  /// Nearer to trading when waiting on this side: a higher bid, a lower ask.
  func isBetter(than other: Price, on side: Side) -> Bool {
    side == .buy ? self > other : self < other
  }
}
