internal import Units
internal import Venue

/// What an order does from its arrival to its rest or its end.
extension MatchingEngine {
  /// What changes of an order while it matches.
  private struct Taker {
    var remaining: Quantity
    /// Self-trade prevention ended it.
    var isStopped = false
  }

  /// A stop waits for its price; everything else matches.
  @inline(__always)
  func enter(_ request: OrderRequest, into events: inout [MatchEvent]) {
    guard let trigger = request.trigger else { return run(request, into: &events) }
    if let last = lastTradePrice, OrderRequest.isReached(trigger, request.side, by: last) {
      events.append(.triggered(orderID: request.orderID, owner: request.owner))
      run(request, into: &events)
    } else {
      wait(request, request.quantity, in: .stops(request.side), at: trigger)
    }
  }

  private func run(_ request: OrderRequest, into events: inout [MatchEvent]) {
    if request.isWhole, !fillsWhole(request) {
      if request.isAllOrNone {
        wait(request, request.quantity, in: .whole(request.side), at: request.limit)
      } else {
        events.append(
          .expired(
            orderID: request.orderID, owner: request.owner, remaining: request.quantity,
            .fillOrKill))
      }
      return
    }
    var taker = Taker(remaining: request.quantity)
    match(request, &taker, into: &events)
    settle(request, taker, into: &events)
  }

  private func match(
    _ request: OrderRequest, _ taker: inout Taker, into events: inout [MatchEvent]
  ) {
    let book = OrderQueue.book(request.side.opposite)
    let whole = OrderQueue.whole(request.side.opposite)
    let meetsWhole = asideCount > 0 && !request.isPostOnly
    while taker.remaining.raw > 0, !taker.isStopped {
      let level = bestLevel(book)
      if meetsWhole, let slot = wholeMaker(whole, request, taker.remaining, before: level) {
        meet(slot, request, &taker, into: &events)
        continue
      }
      guard let level, request.crosses(levels[level].price) else { return }
      let before = levels[level].total
      // Its head is nobody's when its last order is gone.
      while levels[level].head >= 0, taker.remaining.raw > 0, !taker.isStopped {
        meet(levels[level].head, request, &taker, into: &events)
      }
      if levels[level].total.raw != before.raw { announce(book, level, into: &events) }
    }
  }

  /// The first all-or-none order that fits into the taker, of those at a better price than the level.
  private func wholeMaker(
    _ queue: OrderQueue, _ request: OrderRequest, _ left: Quantity, before level: Int32?
  ) -> Int32? {
    var found: Int32?
    forEachLevelSlot(queue) { candidate in
      let price = levels[candidate].price
      guard request.crosses(price) else { return false }
      if let level, queue.key(price) <= queue.key(levels[level].price) { return false }
      var slot = levels[candidate].head
      while slot >= 0, orders[slot].remaining > left { slot = orders[slot].next }
      if slot >= 0 { found = slot }
      return found == nil
    }
    return found
  }

  @inline(__always)
  private func meet(
    _ slot: Int32, _ request: OrderRequest, _ taker: inout Taker, into events: inout [MatchEvent]
  ) {
    if orders[slot].owner == request.owner, request.selfTradePrevention != .none {
      prevent(slot, request, &taker, into: &events)
    } else {
      trade(slot, request, &taker, into: &events)
    }
  }

  @inline(__always)
  private func trade(
    _ slot: Int32, _ request: OrderRequest, _ taker: inout Taker, into events: inout [MatchEvent]
  ) {
    let quantity = Quantity(min(orders[slot].shown.raw, taker.remaining.raw))
    let price = orders[slot].price
    taker.remaining -= quantity
    events.append(
      .trade(
        Match(
          tradeID: nextTradeID, price: price, quantity: quantity,
          aggressor: request.side, makerOrderID: orders[slot].orderID,
          makerOwner: orders[slot].owner, makerRemaining: orders[slot].remaining - quantity,
          takerOrderID: request.orderID, takerOwner: request.owner,
          takerRemaining: taker.remaining)))
    nextTradeID += 1
    lastTradePrice = price
    if price.raw < tradedLow.raw { tradedLow = price }
    if price.raw > tradedHigh.raw { tradedHigh = price }
    take(quantity, from: slot)
  }

  private func prevent(
    _ slot: Int32, _ request: OrderRequest, _ taker: inout Taker, into events: inout [MatchEvent]
  ) {
    let mode = request.selfTradePrevention
    let maker = orders[slot]
    var makerLeft = maker.remaining
    if mode == .decrement {
      let quantity = min(maker.shown, taker.remaining)
      taker.remaining -= quantity
      makerLeft -= quantity
      events.append(
        .prevented(
          makerOrderID: maker.orderID, takerOrderID: request.orderID, owner: maker.owner,
          quantity: quantity))
      take(quantity, from: slot)
      taker.isStopped = taker.remaining.raw == 0
    } else if mode != .newest {
      remove(slot)
    }
    if mode == .oldest || mode == .both || makerLeft.raw == 0 {
      events.append(
        .expired(
          orderID: maker.orderID, owner: maker.owner, remaining: makerLeft, .selfTradePrevention))
    }
    if mode == .newest || mode == .both { taker.isStopped = true }
  }

  /// What is left of an order after matching waits or expires.
  @inline(__always)
  private func settle(
    _ request: OrderRequest, _ taker: Taker, into events: inout [MatchEvent]
  ) {
    guard taker.isStopped || taker.remaining.raw > 0 else { return }
    if !taker.isStopped, request.rests {
      let queue = OrderQueue.book(request.side)
      let level = wait(request, taker.remaining, in: queue, at: request.limit)
      announce(queue, level, into: &events)
      return
    }
    events.append(
      .expired(
        orderID: request.orderID, owner: request.owner, remaining: taker.remaining,
        taker.isStopped ? .selfTradePrevention : .immediateOrCancel))
  }
}

// MARK: - Orders that wait unseen

extension MatchingEngine {
  /// Ends a command: what it set off, then the best levels if they changed.
  @inline(__always)
  func finish(since before: Top, into events: inout [MatchEvent]) {
    if asideCount > 0 { runAside(into: &events) }
    tradedLow = Price(.max)
    tradedHigh = Price(.min)
    announceTop(since: before, into: &events)
  }

  private func runAside(into events: inout [MatchEvent]) {
    while true {
      if let slot = fillableWhole(.buy) ?? fillableWhole(.sell) {
        let request = request(of: slot)
        remove(slot)
        run(request, into: &events)
      } else if let slot = reachedStop(.buy) ?? reachedStop(.sell) {
        let request = request(of: slot)
        remove(slot)
        events.append(.triggered(orderID: request.orderID, owner: request.owner))
        run(request, into: &events)
      } else {
        return
      }
    }
  }

  private func reachedStop(_ side: Side) -> Int32? {
    guard let level = bestLevel(.stops(side)),
      OrderRequest.isReached(
        levels[level].price, side, by: side == .buy ? tradedHigh : tradedLow)
    else { return nil }
    return levels[level].head
  }

  private func fillableWhole(_ side: Side) -> Int32? {
    guard !ladders[Int(OrderQueue.whole(side).rawValue)].isEmpty else { return nil }
    let facing = [OrderQueue.book(side.opposite), .whole(side.opposite)].compactMap(bestLevel)
    var found: Int32?
    forEachLevelSlot(.whole(side)) { level in
      var slot = levels[level].head
      while slot >= 0, found == nil {
        let request = request(of: slot)
        guard facing.contains(where: { request.crosses(levels[$0].price) }) else { return false }
        if fillsWhole(request) { found = slot }
        slot = orders[slot].next
      }
      return found == nil
    }
    return found
  }

  /// All of it would trade at once. An order of the same owner counts for nothing when it would
  /// expire first, and ends the search when it would end the taker.
  private func fillsWhole(_ request: OrderRequest) -> Bool {
    var search = WholeSearch(left: request.quantity)
    let whole = OrderQueue.whole(request.side.opposite)
    forEachLevelSlot(.book(request.side.opposite)) { level in
      addWhole(whole, request, before: level, to: &search)
      guard !search.isOver, request.crosses(levels[level].price) else { return false }
      addLevel(level, request, to: &search)
      return !search.isOver
    }
    if !search.isOver { addWhole(whole, request, before: nil, to: &search) }
    return search.left.raw == 0
  }

  private struct WholeSearch {
    var left: Quantity
    /// The worst key of the all-or-none orders that were looked at.
    var below = Int64.max
    /// An order of the same owner would end the taker.
    var isBlocked = false

    var isOver: Bool { isBlocked || left.raw == 0 }

    mutating func add(_ quantity: Quantity) { left = Quantity(max(0, left.raw - quantity.raw)) }
  }

  private func addLevel(_ level: Int32, _ request: OrderRequest, to search: inout WholeSearch) {
    let mode = request.selfTradePrevention
    var open = levels[level].total + levels[level].hidden
    if mode != .none {
      open = .zero
      var shown = Quantity.zero
      var slot = levels[level].head
      while slot >= 0 {
        if orders[slot].owner != request.owner {
          open += orders[slot].remaining
          shown += orders[slot].shown
        } else if mode != .oldest {
          // What icebergs hide comes after the order that ends the taker.
          search.add(shown)
          search.isBlocked = search.left.raw > 0
          return
        }
        slot = orders[slot].next
      }
    }
    search.add(open)
  }

  /// Adds the all-or-none orders that fit, of those at better prices than the level and not looked
  /// at before.
  private func addWhole(
    _ queue: OrderQueue, _ request: OrderRequest, before level: Int32?,
    to search: inout WholeSearch
  ) {
    let end = level.map { queue.key(levels[$0].price) } ?? .min
    forEachLevelSlot(queue) { candidate in
      let key = queue.key(levels[candidate].price)
      guard request.crosses(levels[candidate].price), key > end else { return false }
      guard key < search.below else { return true }
      search.below = key
      var slot = levels[candidate].head
      while slot >= 0, !search.isOver {
        let maker = orders[slot]
        slot = maker.next
        guard maker.remaining <= search.left else { continue }
        let isOwn = maker.owner == request.owner && request.selfTradePrevention != .none
        if !isOwn {
          search.add(maker.remaining)
        } else if request.selfTradePrevention != .oldest {
          search.isBlocked = true
        }
      }
      return !search.isOver
    }
  }
}
