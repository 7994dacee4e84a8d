package import Units
internal import Venue

/// Why a market-by-order message cannot be true of the book it is for.
package enum OrderByOrderFault: Error, Sendable, Hashable {
  case duplicateOrder(UInt64)
  case unknownOrder(UInt64)
  /// A quantity of zero or below.
  case quantity(order: UInt64, Quantity)
  /// More was executed than the order has left.
  case overExecution(order: UInt64, remaining: Quantity, executed: Quantity)
  /// The book holds as many orders as it may.
  case full(ordersMax: Int)
}

/// An order as a market-by-order feed shows it.
package struct BookOrder: Sendable, Hashable {
  package let orderID: UInt64
  package let side: Side
  package let price: Price
  package let remaining: Quantity

  package init(orderID: UInt64, side: Side, price: Price, remaining: Quantity) {
    self.orderID = orderID
    self.side = side
    self.price = price
    self.remaining = remaining
  }
}

/// Where an order stands: how many orders and how much quantity of its price trade before it.
package struct QueuePosition: Sendable, Hashable {
  package let ordersAhead: Int
  package let quantityAhead: Quantity

  package init(ordersAhead: Int, quantityAhead: Quantity) {
    self.ordersAhead = ordersAhead
    self.quantityAhead = quantityAhead
  }
}

/// An L3 book: every order of a market-by-order feed, in time priority within its price, with the
/// L2 book kept alongside.
///
/// A message that cannot be true throws and changes nothing; the owner then taints the book and
/// asks for a snapshot. An order keeps its place when only its quantity falls; a new price or more
/// quantity sends it to the back, the usual rule of exchanges (for one: Nasdaq TotalView-ITCH 5.0,
/// 1.4.5, "Order Replace"; CME MDP 3.0, order priority). One writer.
package final class OrderByOrderBook {
  package let ordersMax: Int
  /// The price levels that the orders add up to.
  package let levels: PriceLevelBook
  private var slots: [UInt64: Int32] = [:]
  private var queues: [LevelKey: Int32] = [:]
  private var orders = Slab<Entry>()
  private var levelSlots = Slab<Level>()

  /// An order, linked to its neighbours of one price; -1 is nobody.
  fileprivate struct Entry {
    var orderID: UInt64
    var price: Price
    var remaining: Quantity
    var side: Side
    var level: Int32
    var next: Int32
    var previous: Int32
  }

  /// The queue of one price.
  fileprivate struct Level {
    var price: Price
    var total: Quantity
    var head: Int32
    var tail: Int32
  }

  private struct LevelKey: Hashable {
    let side: Side
    let price: Price
  }

  package init(ordersMax: Int = 1_000_000) {
    precondition(ordersMax > 0, "a book of \(ordersMax) orders")
    self.ordersMax = ordersMax
    // There are never more levels than orders, so no level gives way.
    levels = PriceLevelBook(levelsMax: ordersMax)
  }

  package var orderCount: Int { slots.count }

  package func order(_ orderID: UInt64) -> BookOrder? {
    guard let slot = slots[orderID] else { return nil }
    return Self.value(orders[slot])
  }

  // MARK: Changing

  /// A new order, behind all others of its price.
  package func add(
    _ orderID: UInt64, _ side: Side, _ price: Price, _ quantity: Quantity
  ) throws(OrderByOrderFault) {
    guard quantity.raw > 0 else { throw .quantity(order: orderID, quantity) }
    guard slots[orderID] == nil else { throw .duplicateOrder(orderID) }
    guard slots.count < ordersMax else { throw .full(ordersMax: ordersMax) }
    slots[orderID] = orders.insert(
      Entry(
        orderID: orderID, price: price, remaining: quantity, side: side, level: -1, next: -1,
        previous: -1))
    append(slots[orderID]!)
  }

  /// A new price or quantity. Less quantity at the same price keeps the place.
  package func modify(
    _ orderID: UInt64, price: Price, quantity: Quantity
  ) throws(OrderByOrderFault) {
    let slot = try slot(of: orderID)
    guard quantity.raw > 0 else { throw .quantity(order: orderID, quantity) }
    let order = orders[slot]
    if order.price == price, quantity <= order.remaining {
      reduce(slot, by: order.remaining - quantity)
      return
    }
    unlink(slot)
    orders[slot].price = price
    orders[slot].remaining = quantity
    append(slot)
  }

  /// A trade against the order; the order leaves when nothing is left of it.
  package func execute(_ orderID: UInt64, _ quantity: Quantity) throws(OrderByOrderFault) {
    let slot = try slot(of: orderID)
    guard quantity.raw > 0 else { throw .quantity(order: orderID, quantity) }
    let remaining = orders[slot].remaining
    guard quantity <= remaining else {
      throw .overExecution(order: orderID, remaining: remaining, executed: quantity)
    }
    if quantity == remaining { drop(slot) } else { reduce(slot, by: quantity) }
  }

  package func delete(_ orderID: UInt64) throws(OrderByOrderFault) {
    drop(try slot(of: orderID))
  }

  package func removeAll() {
    slots.removeAll(keepingCapacity: true)
    queues.removeAll(keepingCapacity: true)
    orders = Slab()
    levelSlots = Slab()
    levels.removeAll()
  }

  // MARK: Reading

  /// Counted along the queue, so the cost grows with the orders ahead.
  package func queuePosition(of orderID: UInt64) -> QueuePosition? {
    guard let slot = slots[orderID] else { return nil }
    var ahead = 0
    var quantity = Quantity.zero
    var before = orders[slot].previous
    while before >= 0 {
      ahead += 1
      quantity = saturatingSum(quantity, orders[before].remaining)
      before = orders[before].previous
    }
    return QueuePosition(ordersAhead: ahead, quantityAhead: quantity)
  }

  /// The orders of a price, first to trade first.
  package func queue(_ side: Side, at price: Price) -> [BookOrder] {
    guard let level = queues[LevelKey(side: side, price: price)] else { return [] }
    var queue: [BookOrder] = []
    var slot = levelSlots[level].head
    while slot >= 0 {
      queue.append(Self.value(orders[slot]))
      slot = orders[slot].next
    }
    return queue
  }

  /// Equal exactly when, chance aside, all orders and their places are.
  package var stateHash: UInt64 {
    var hash = StateHash()
    for side in Side.allCases {
      hash.combine(UInt64(side.rawValue))
      levels.forEachLevel(side) { level in
        for order in queue(side, at: level.price) {
          hash.combine(order.orderID)
          hash.combine(order.price.raw)
          hash.combine(order.remaining.raw)
        }
        return true
      }
    }
    return hash.value
  }
}

extension OrderByOrderBook {
  private func slot(of orderID: UInt64) throws(OrderByOrderFault) -> Int32 {
    guard let slot = slots[orderID] else { throw .unknownOrder(orderID) }
    return slot
  }

  private static func value(_ order: Entry) -> BookOrder {
    BookOrder(
      orderID: order.orderID, side: order.side, price: order.price, remaining: order.remaining)
  }

  private func append(_ slot: Int32) {
    let order = orders[slot]
    let key = LevelKey(side: order.side, price: order.price)
    guard let level = queues[key] else {
      let level = levelSlots.insert(
        Level(price: order.price, total: order.remaining, head: slot, tail: slot))
      queues[key] = level
      link(slot, level: level, after: -1)
      levels.set(order.side, order.price, to: order.remaining)
      return
    }
    let tail = levelSlots[level].tail
    orders[tail].next = slot
    link(slot, level: level, after: tail)
    levelSlots[level].tail = slot
    setTotal(saturatingSum(levelSlots[level].total, order.remaining), of: level, order.side)
  }

  private func link(_ slot: Int32, level: Int32, after previous: Int32) {
    orders[slot].level = level
    orders[slot].previous = previous
    orders[slot].next = -1
  }

  private func setTotal(_ total: Quantity, of level: Int32, _ side: Side) {
    levelSlots[level].total = total
    levels.set(side, levelSlots[level].price, to: total)
  }

  private func reduce(_ slot: Int32, by quantity: Quantity) {
    orders[slot].remaining -= quantity
    let order = orders[slot]
    setTotal(levelSlots[order.level].total - quantity, of: order.level, order.side)
  }

  private func drop(_ slot: Int32) {
    unlink(slot)
    slots[orders[slot].orderID] = nil
    orders.release(slot)
  }

  /// Takes the order out of its queue, and the queue out of the book when it was the last.
  private func unlink(_ slot: Int32) {
    let order = orders[slot]
    if order.previous >= 0 { orders[order.previous].next = order.next }
    if order.next >= 0 { orders[order.next].previous = order.previous }
    if levelSlots[order.level].head == slot { levelSlots[order.level].head = order.next }
    if levelSlots[order.level].tail == slot { levelSlots[order.level].tail = order.previous }
    guard levelSlots[order.level].head >= 0 else {
      queues[LevelKey(side: order.side, price: order.price)] = nil
      levelSlots.release(order.level)
      levels.set(order.side, order.price, to: .zero)
      return
    }
    setTotal(levelSlots[order.level].total - order.remaining, of: order.level, order.side)
  }
}
