package import Units
package import Venue

/// A market of one instrument: orders match by price, then by time of arrival, at the resting
/// price.
///
/// Pure: commands in, events out, appended to an array of the caller's; the same commands always
/// give the same events. Queues are intrusive lists in slabs and numbers are found in a table of
/// our own, so that placing, filling and cancelling cost the same however long a queue is, and
/// allocate nothing once the book has been at its largest.
///
/// After each command, and after each order that it set off, those that wait unseen have their
/// turn: first an all-or-none order that can now fill whole (bids before asks, best price first,
/// the earlier first), then a stop that a trade of this command reached (those that buy, lowest
/// first, before those that sell, highest first; the earlier first), until there is none.
///
/// The rules in words: price-time priority; an iceberg whose shown part is gone shows the next part
/// behind everybody at its price; an all-or-none order yields to what is shown at its price.
package final class MatchingEngine {
  /// Most orders waiting; further ones are rejected as overloaded.
  package let ordersMax: Int
  // Unchecked, because one owner at a time uses an engine, and the checks at run time would be a
  // third of the cost of an order. The body of `forEachOrder` must not give commands.
  @exclusivity(unchecked) package internal(set) var nextTradeID: UInt64
  @exclusivity(unchecked) package internal(set) var lastTradePrice: Price?
  /// By queue; each ladder has the number of a level's slot by its key.
  let ladders: UnsafeMutablePointer<PriceLadder>
  @exclusivity(unchecked) var orders = Slab<OrderSlot>()
  @exclusivity(unchecked) var levels = Slab<LevelSlot>()
  @exclusivity(unchecked) var table = OrderTable()
  /// Stops and all-or-none orders that wait.
  @exclusivity(unchecked) var asideCount = 0
  /// The extremes of what this command traded so far; apart when it has not.
  @exclusivity(unchecked) var tradedLow = Price(.max)
  @exclusivity(unchecked) var tradedHigh = Price(.min)

  package init(ordersMax: Int, firstTradeID: UInt64 = 1) {
    precondition(ordersMax > 0 && ordersMax < Int32.max, "a market of \(ordersMax) orders")
    self.ordersMax = ordersMax
    nextTradeID = firstTradeID
    ladders = .allocate(capacity: OrderQueue.count)
    for queue in 0..<OrderQueue.count {
      (ladders + queue).initialize(to: PriceLadder(entries: queue < 2 ? 1_024 : 64))
    }
  }

  deinit {
    ladders.deinitialize(count: OrderQueue.count)
    ladders.deallocate()
  }

  /// Those that wait unseen too.
  package var orderCount: Int { table.count }

  // MARK: Commands

  package func place(_ request: OrderRequest, into events: inout [MatchEvent]) {
    if let reason = refusal(of: request) {
      events.append(.rejected(orderID: request.orderID, owner: request.owner, reason))
      return
    }
    let before = top
    events.append(.accepted(orderID: request.orderID, owner: request.owner))
    enter(request, into: &events)
    finish(since: before, into: &events)
  }

  /// Takes an owner's order out; false when it has none of this number.
  @discardableResult
  package func cancel(
    orderID: UInt64, owner: UInt32, into events: inout [MatchEvent]
  ) -> Bool {
    guard let slot = table.find(orderID), orders[slot].owner == owner else { return false }
    let before = top
    let (remaining, queue, level) = (
      orders[slot].remaining, orders[slot].queue, orders[slot].level
    )
    remove(slot)
    events.append(.cancelled(orderID: orderID, owner: owner, remaining: remaining))
    announce(queue, level, into: &events)
    finish(since: before, into: &events)
    return true
  }

  /// Cancels all that an owner has; returns how many. Best price first, bids before asks, then
  /// all-or-none orders and stops.
  @discardableResult
  package func cancelAll(owner: UInt32, into events: inout [MatchEvent]) -> Int {
    var found: [UInt64] = []
    forEachWaiting { order in
      if order.owner == owner { found.append(order.orderID) }
      return true
    }
    var count = 0
    for orderID in found where cancel(orderID: orderID, owner: owner, into: &events) { count += 1 }
    return count
  }

  /// Changes the price or the remaining quantity of an owner's order; returns why not, and then it
  /// is as it was. A smaller quantity at the same price keeps its place; anything else is as if the
  /// order had arrived now, and may trade. A stop keeps its trigger.
  package func amend(
    orderID: UInt64, owner: UInt32, price: Price? = nil, remaining: Quantity,
    into events: inout [MatchEvent]
  ) -> RejectReason? {
    guard let slot = table.find(orderID), orders[slot].owner == owner else { return .unknownOrder }
    let old = orders[slot]
    var request = self.request(of: slot)
    request.quantity = remaining
    if let price {
      guard request.price != nil else { return .invalidOrder }
      request.price = price
    }
    if let reason = defect(of: request) { return reason }
    let before = top
    guard request.limit != old.price || remaining > old.remaining else {
      if remaining < old.remaining { shrink(slot, to: remaining, into: &events) }
      finish(since: before, into: &events)
      return nil
    }
    if let reason = liquidityTaken(by: request) { return reason }
    remove(slot)
    events.append(
      .replaced(orderID: orderID, owner: owner, price: request.limit, remaining: remaining))
    announce(old.queue, old.level, into: &events)
    enter(request, into: &events)
    finish(since: before, into: &events)
    return nil
  }

  private func shrink(_ slot: Int32, to remaining: Quantity, into events: inout [MatchEvent]) {
    let order = orders[slot]
    let shown = min(order.shown, remaining)
    levels[order.level].total -= order.shown - shown
    levels[order.level].hidden -= (order.remaining - order.shown) - (remaining - shown)
    orders[slot].remaining = remaining
    orders[slot].shown = shown
    events.append(.reduced(orderID: order.orderID, owner: order.owner, remaining: remaining))
    if shown < order.shown { announce(order.queue, order.level, into: &events) }
  }

  // MARK: Refusals

  @inline(__always)
  private func refusal(of request: OrderRequest) -> RejectReason? {
    if let defect = defect(of: request) { return defect }
    guard table.find(request.orderID) == nil else { return .duplicateOrder }
    guard table.count < ordersMax else { return .overloaded }
    return liquidityTaken(by: request)
  }

  @inline(__always)
  private func defect(of request: OrderRequest) -> RejectReason? {
    if let defect = request.defect { return defect }
    // So many of so much could not be summed in one level.
    return request.quantity.raw > Int64.max / Int64(ordersMax) ? .maxSize : nil
  }

  @inline(__always)
  private func liquidityTaken(by request: OrderRequest) -> RejectReason? {
    guard request.isPostOnly,
      let best = bestLevel(.book(request.side.opposite)), request.crosses(levels[best].price)
    else { return nil }
    return .wouldTakeLiquidity
  }
}
