package import Units
package import Venue

/// A market of one instrument: orders match by price, then by time of arrival, at the resting
/// price.
///
/// Pure: commands in, events out, appended to an array of the caller's; the same commands always
/// give the same events. Queues are intrusive lists in slabs, so that placing, filling and
/// cancelling cost the same however long a queue is, and allocate nothing once the book has been at
/// its largest.
package final class MatchingEngine {
  /// Most orders waiting; further ones are rejected as overloaded.
  package let ordersMax: Int
  // Unchecked, because one owner at a time uses an engine, and the checks at run time would be a
  // third of the cost of an order. The body of `forEachOrder` must not give commands.
  @exclusivity(unchecked) package private(set) var nextTradeID: UInt64
  @exclusivity(unchecked) private var bids = PriceLadder(entries: 1_024)
  @exclusivity(unchecked) private var asks = PriceLadder(entries: 1_024)
  @exclusivity(unchecked) private var orders = Slab<OrderSlot>()
  @exclusivity(unchecked) private var levels = Slab<LevelSlot>()
  /// By slot; empty for most.
  @exclusivity(unchecked) private var clientOrderIDs: ContiguousArray<String> = []
  @exclusivity(unchecked) private var slotByID: [UInt64: Int32] = [:]
  @exclusivity(unchecked) private var slotByName: [OwnersName: Int32] = [:]

  private struct OwnersName: Hashable {
    var owner: UInt32
    var clientOrderID: String
  }

  package init(ordersMax: Int, firstTradeID: UInt64 = 1) {
    precondition(ordersMax > 0 && ordersMax < Int32.max, "a market of \(ordersMax) orders")
    self.ordersMax = ordersMax
    nextTradeID = firstTradeID
  }

  package var orderCount: Int { slotByID.count }

  // MARK: Commands

  package func place(_ request: OrderRequest, into events: inout [MatchEvent]) {
    if let reason = refusal(of: request) {
      events.append(.rejected(orderID: request.orderID, owner: request.owner, reason))
      return
    }
    let before = top
    events.append(.accepted(orderID: request.orderID, owner: request.owner))
    if request.timeInForce == .fok, !fillsWhole(request) {
      events.append(
        .expired(
          orderID: request.orderID, owner: request.owner, remaining: request.quantity, .fillOrKill))
      return
    }
    var taker = Taker(request: request)
    match(&taker, into: &events)
    settle(taker, into: &events)
    announceTop(since: before, into: &events)
  }

  /// Takes an owner's order out; false when it has none of this number.
  @discardableResult
  package func cancel(
    orderID: UInt64, owner: UInt32, into events: inout [MatchEvent]
  ) -> Bool {
    guard let slot = slotByID[orderID], orders[slot].owner == owner else { return false }
    let before = top
    let order = orders[slot]
    remove(slot)
    events.append(.cancelled(orderID: orderID, owner: owner, remaining: order.remaining))
    announce(order.side, order.level, into: &events)
    announceTop(since: before, into: &events)
    return true
  }

  /// Cancels all that an owner has, best price first, bids before asks; returns how many.
  @discardableResult
  package func cancelAll(owner: UInt32, into events: inout [MatchEvent]) -> Int {
    var found: [UInt64] = []
    for side in Side.allCases {
      forEachOrder(side) { order in
        if order.owner == owner { found.append(order.orderID) }
        return true
      }
    }
    for orderID in found { cancel(orderID: orderID, owner: owner, into: &events) }
    return found.count
  }

  /// Makes an order smaller without losing its place; false when it is not there or not larger.
  @discardableResult
  package func reduce(
    orderID: UInt64, owner: UInt32, to remaining: Quantity, into events: inout [MatchEvent]
  ) -> Bool {
    guard let slot = slotByID[orderID], orders[slot].owner == owner, remaining.raw > 0,
      remaining < orders[slot].remaining
    else { return false }
    let before = top
    let order = orders[slot]
    take(order.remaining - remaining, from: slot)
    events.append(.reduced(orderID: orderID, owner: owner, remaining: remaining))
    announce(order.side, order.level, into: &events)
    announceTop(since: before, into: &events)
    return true
  }

  // MARK: Matching

  private struct Taker {
    let request: OrderRequest
    var remaining: Quantity
    /// Self-trade prevention ended it.
    var isStopped = false

    init(request: OrderRequest) {
      self.request = request
      remaining = request.quantity
    }
  }

  private func refusal(of request: OrderRequest) -> RejectReason? {
    if let defect = request.defect { return defect }
    guard slotByID[request.orderID] == nil,
      slot(ofName: request.clientOrderID, request.owner) == nil
    else { return .duplicateOrder }
    guard slotByID.count < ordersMax else { return .overloaded }
    if request.timeInForce == .postOnly, let best = bestLevel(request.side.opposite),
      request.crosses(levels[best].price)
    {
      return .wouldTakeLiquidity
    }
    // So many of so much could not be summed in one level.
    return request.quantity.raw > Int64.max / Int64(ordersMax) ? .maxSize : nil
  }

  private func match(_ taker: inout Taker, into events: inout [MatchEvent]) {
    let side = taker.request.side.opposite
    while taker.remaining.raw > 0, !taker.isStopped, let level = bestLevel(side) {
      let before = levels[level].total
      guard taker.request.crosses(levels[level].price) else { return }
      matchLevel(level, &taker, into: &events)
      if levels[level].total != before { announce(side, level, into: &events) }
    }
  }

  /// Fills from the head of one level's queue; the level is gone when its last order is.
  private func matchLevel(_ level: Int32, _ taker: inout Taker, into events: inout [MatchEvent]) {
    var slot = levels[level].head
    while slot >= 0, taker.remaining.raw > 0, !taker.isStopped {
      let maker = orders[slot]
      let mode = taker.request.selfTradePrevention
      if mode != .none, maker.owner == taker.request.owner {
        prevent(mode, slot, &taker, into: &events)
      } else {
        trade(slot, &taker, into: &events)
      }
      slot = maker.next
    }
  }

  private func trade(_ slot: Int32, _ taker: inout Taker, into events: inout [MatchEvent]) {
    let maker = orders[slot]
    let quantity = min(maker.remaining, taker.remaining)
    taker.remaining -= quantity
    events.append(
      .trade(
        Match(
          tradeID: nextTradeID, price: maker.price, quantity: quantity,
          aggressor: taker.request.side, makerOrderID: maker.orderID, makerOwner: maker.owner,
          makerRemaining: maker.remaining - quantity, takerOrderID: taker.request.orderID,
          takerOwner: taker.request.owner, takerRemaining: taker.remaining)))
    nextTradeID += 1
    take(quantity, from: slot)
  }

  private func prevent(
    _ mode: SelfTradePrevention, _ slot: Int32, _ taker: inout Taker,
    into events: inout [MatchEvent]
  ) {
    let maker = orders[slot]
    var makerLeft = maker.remaining
    if mode == .decrement {
      let quantity = min(maker.remaining, taker.remaining)
      taker.remaining -= quantity
      makerLeft -= quantity
      events.append(
        .prevented(
          makerOrderID: maker.orderID, takerOrderID: taker.request.orderID, owner: maker.owner,
          quantity: quantity))
      take(quantity, from: slot)
      taker.isStopped = taker.remaining.raw == 0
    } else if mode != .expireTaker {
      remove(slot)
    }
    if mode == .expireMaker || mode == .expireBoth || makerLeft.raw == 0 {
      events.append(
        .expired(
          orderID: maker.orderID, owner: maker.owner, remaining: makerLeft, .selfTradePrevention))
    }
    if mode == .expireTaker || mode == .expireBoth { taker.isStopped = true }
  }

  /// What is left of an order after matching waits or expires.
  private func settle(_ taker: Taker, into events: inout [MatchEvent]) {
    let request = taker.request
    guard taker.isStopped || taker.remaining.raw > 0 else { return }
    if !taker.isStopped, request.rests {
      let level = rest(request, taker.remaining)
      announce(request.side, level, into: &events)
      return
    }
    events.append(
      .expired(
        orderID: request.orderID, owner: request.owner, remaining: taker.remaining,
        taker.isStopped ? .selfTradePrevention : .immediateOrCancel))
  }

  /// All of it would trade at once. An order of the same owner counts for nothing when it would
  /// expire first, and ends the search when it would end the taker.
  private func fillsWhole(_ request: OrderRequest) -> Bool {
    var left = request.quantity
    let mode = request.selfTradePrevention
    forEachLevelSlot(request.side.opposite) { level in
      guard request.crosses(levels[level].price) else { return false }
      if mode == .none {
        left = Quantity(max(0, left.raw - levels[level].total.raw))
        return left.raw > 0
      }
      var slot = levels[level].head
      while slot >= 0, left.raw > 0 {
        let maker = orders[slot]
        if maker.owner != request.owner {
          left = Quantity(max(0, left.raw - maker.remaining.raw))
        } else if mode != .expireMaker {
          return false
        }
        slot = maker.next
      }
      return left.raw > 0
    }
    return left.raw == 0
  }
}

// MARK: - Queues

extension MatchingEngine {
  private func bestLevel(_ side: Side) -> Int32? {
    guard let best = side == .buy ? bids.best : asks.best else { return nil }
    return Int32(truncatingIfNeeded: best.value)
  }

  private func levelSlot(_ side: Side, _ price: Price) -> Int32? {
    let found = side == .buy ? bids.value(of: price.raw) : asks.value(of: 0 &- price.raw)
    guard let found else { return nil }
    return Int32(truncatingIfNeeded: found)
  }

  private func slot(ofName clientOrderID: String, _ owner: UInt32) -> Int32? {
    guard !clientOrderID.isEmpty else { return nil }
    return slotByName[OwnersName(owner: owner, clientOrderID: clientOrderID)]
  }

  /// Puts an order at the end of its level's queue; returns the level.
  private func rest(_ request: OrderRequest, _ remaining: Quantity) -> Int32 {
    let price = request.limit
    let level = levelSlot(request.side, price) ?? openLevel(request.side, price)
    let tail = levels[level].tail
    let slot = orders.insert(
      OrderSlot(
        orderID: request.orderID, price: price, remaining: remaining, owner: request.owner,
        side: request.side, level: level, next: -1, previous: tail))
    if tail >= 0 { orders[tail].next = slot } else { levels[level].head = slot }
    levels[level].tail = slot
    levels[level].total += remaining
    slotByID[request.orderID] = slot
    if Int(slot) == clientOrderIDs.count { clientOrderIDs.append("") }
    guard !request.clientOrderID.isEmpty else { return level }
    clientOrderIDs[Int(slot)] = request.clientOrderID
    slotByName[OwnersName(owner: request.owner, clientOrderID: request.clientOrderID)] = slot
    return level
  }

  private func openLevel(_ side: Side, _ price: Price) -> Int32 {
    let level = levels.insert(LevelSlot(price: price, total: .zero, head: -1, tail: -1))
    switch side {
    case .buy: bids.set(price.raw, to: Int64(level))
    case .sell: asks.set(0 &- price.raw, to: Int64(level))
    }
    return level
  }

  /// Takes quantity off an order; at zero the order is gone.
  private func take(_ quantity: Quantity, from slot: Int32) {
    guard quantity < orders[slot].remaining else { return remove(slot) }
    orders[slot].remaining -= quantity
    levels[orders[slot].level].total -= quantity
  }

  /// Unlinks an order from its queue; an empty queue goes with it.
  private func remove(_ slot: Int32) {
    let order = orders[slot]
    if order.previous >= 0 {
      orders[order.previous].next = order.next
    } else {
      levels[order.level].head = order.next
    }
    if order.next >= 0 {
      orders[order.next].previous = order.previous
    } else {
      levels[order.level].tail = order.previous
    }
    levels[order.level].total -= order.remaining
    if levels[order.level].head < 0 {
      switch order.side {
      case .buy: bids.remove(order.price.raw)
      case .sell: asks.remove(0 &- order.price.raw)
      }
      levels.release(order.level)
    }
    slotByID[order.orderID] = nil
    let name = clientOrderIDs[Int(slot)]
    if !name.isEmpty {
      slotByName[OwnersName(owner: order.owner, clientOrderID: name)] = nil
      clientOrderIDs[Int(slot)] = ""
    }
    orders.release(slot)
  }

  /// A level that has just gone still reads as its price and zero: nothing takes its slot before.
  private func announce(_ side: Side, _ level: Int32, into events: inout [MatchEvent]) {
    let now = PriceLevel(price: levels[level].price, quantity: levels[level].total)
    events.append(.level(side, now))
  }

  private struct Top: Equatable {
    var bid: PriceLevel?
    var ask: PriceLevel?
  }

  private var top: Top { Top(bid: best(.buy), ask: best(.sell)) }

  private func announceTop(since before: Top, into events: inout [MatchEvent]) {
    let now = top
    if now != before { events.append(.top(bid: now.bid, ask: now.ask)) }
  }
}

// MARK: - Reading

extension MatchingEngine {
  package func best(_ side: Side) -> PriceLevel? {
    guard let level = bestLevel(side) else { return nil }
    return PriceLevel(price: levels[level].price, quantity: levels[level].total)
  }

  package func quantity(_ side: Side, at price: Price) -> Quantity {
    guard let level = levelSlot(side, price) else { return .zero }
    return levels[level].total
  }

  /// The best `max` levels of a side, from the touch outwards.
  package func levels(_ side: Side, max: Int) -> [PriceLevel] {
    var found: [PriceLevel] = []
    guard max > 0 else { return found }
    forEachLevelSlot(side) { level in
      found.append(PriceLevel(price: levels[level].price, quantity: levels[level].total))
      return found.count < max
    }
    return found
  }

  package func order(_ orderID: UInt64) -> RestingOrder? {
    guard let slot = slotByID[orderID] else { return nil }
    return resting(slot)
  }

  /// An owner's waiting order by its own name for it.
  package func order(clientOrderID: String, owner: UInt32) -> RestingOrder? {
    guard let slot = slot(ofName: clientOrderID, owner) else { return nil }
    return resting(slot)
  }

  /// Every waiting order of a side by priority (the book by order, L3), until `body` returns false.
  package func forEachOrder(_ side: Side, _ body: (RestingOrder) -> Bool) {
    forEachLevelSlot(side) { level in
      var slot = levels[level].head
      while slot >= 0 {
        guard body(resting(slot)) else { return false }
        slot = orders[slot].next
      }
      return true
    }
  }

  /// Equal for two engines exactly when, chance aside, their queues and counters are equal.
  package var stateHash: UInt64 {
    var hash = StateHash()
    hash.combine(nextTradeID)
    for side in Side.allCases {
      hash.combine(UInt64(side.rawValue))
      forEachOrder(side) { order in
        hash.combine(order.orderID)
        hash.combine(UInt64(order.owner))
        hash.combine(order.price.raw)
        hash.combine(order.remaining.raw)
        return true
      }
    }
    return hash.value
  }

  private func resting(_ slot: Int32) -> RestingOrder {
    let order = orders[slot]
    return RestingOrder(
      orderID: order.orderID, owner: order.owner, clientOrderID: clientOrderIDs[Int(slot)],
      side: order.side, price: order.price, remaining: order.remaining)
  }

  private func forEachLevelSlot(_ side: Side, _ body: (Int32) -> Bool) {
    switch side {
    case .buy: bids.forEach { body(Int32(truncatingIfNeeded: $1)) }
    case .sell: asks.forEach { body(Int32(truncatingIfNeeded: $1)) }
    }
  }
}
