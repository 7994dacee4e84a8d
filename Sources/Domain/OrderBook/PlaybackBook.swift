package import Units
package import Venue

/// A recorded market played back, with orders of ours matched against it.
///
/// The recording never changes: what it published is published again as it was, and our orders show
/// in no level of it. What they would have got is modelled, deterministically:
/// - A marketable order takes the recorded opposite levels. What it took stays taken until the
///   recording next changes that level.
/// - A resting order stands behind all that its recorded level showed when it was placed. Recorded
///   trades at its price first use up what is ahead, then fill it. A level that shrinks by more
///   than traded was cancelled into: of that excess, the part ahead leaves in proportion.
/// - A recorded trade through its price fills it, up to the traded quantity: no print fills more of
///   our orders than it traded.
/// - When the recorded opposite side reaches its price, it fills against what is shown there.
///
/// Our orders do not meet each other: the recording is the only counterparty, order and owner 0.
package final class PlaybackBook {
  /// Most orders of ours waiting; further ones are rejected as overloaded.
  package let ordersMax: Int
  /// The recorded book, to be read only.
  package let market: PriceLevelBook
  package private(set) var nextTradeID: UInt64
  /// The last recorded update in the market; older deltas change nothing.
  package private(set) var lastUpdateID: UInt64 = 0
  private var bids = QueuedOrders(side: .buy)
  private var asks = QueuedOrders(side: .sell)
  /// What we took from recorded levels, by side and price.
  private var takenBids: [Price: Quantity] = [:]
  private var takenAsks: [Price: Quantity] = [:]

  package init(ordersMax: Int, firstTradeID: UInt64 = 1, levelsMax: Int = 20_000) {
    precondition(ordersMax > 0, "a playback of \(ordersMax) orders")
    self.ordersMax = ordersMax
    nextTradeID = firstTradeID
    market = PriceLevelBook(levelsMax: levelsMax)
  }

  package var orderCount: Int { bids.orders.count + asks.orders.count }

  // MARK: The recording

  package func play(_ event: MarketEvent, into events: inout [MatchEvent]) {
    switch event {
    case .snapshot(let snapshot): play(snapshot, into: &events)
    case .delta(let delta): play(delta, into: &events)
    case .trade(let trade): play(trade, into: &events)
    case .top, .stale, .status: break
    }
  }

  package func play(_ snapshot: BookSnapshot, into events: inout [MatchEvent]) {
    market.apply(snapshot)
    lastUpdateID = snapshot.updateID
    takenBids.removeAll(keepingCapacity: true)
    takenAsks.removeAll(keepingCapacity: true)
    bids.shrink { market.quantity(.buy, at: $0) }
    asks.shrink { market.quantity(.sell, at: $0) }
    fillCrossed(into: &events)
  }

  package func play(_ delta: BookDelta, into events: inout [MatchEvent]) {
    guard delta.lastUpdateID > lastUpdateID else { return }
    lastUpdateID = delta.lastUpdateID
    change(delta.bids, .buy, &bids, &takenBids)
    change(delta.asks, .sell, &asks, &takenAsks)
    fillCrossed(into: &events)
  }

  /// A print: the side that waited is opposite to the aggressor.
  package func play(_ trade: Trade, into events: inout [MatchEvent]) {
    switch trade.aggressor {
    case .buy: fill(&asks, by: trade, into: &events)
    case .sell: fill(&bids, by: trade, into: &events)
    }
  }

  private func change(
    _ levels: [PriceLevel], _ side: Side, _ queue: inout QueuedOrders,
    _ taken: inout [Price: Quantity]
  ) {
    for level in levels {
      let before = market.set(side, level.price, to: level.quantity)
      if !taken.isEmpty, before != level.quantity { taken[level.price] = nil }
      if !queue.orders.isEmpty {
        queue.levelChanged(level.price, from: before, to: level.quantity)
      }
    }
  }

  private func fill(
    _ queue: inout QueuedOrders, by trade: Trade, into events: inout [MatchEvent]
  ) {
    let fills = queue.fills(for: trade.price, trade.quantity)
    for fill in fills {
      announce(fill.order, fill.quantity, at: fill.order.price, isMaker: true, into: &events)
    }
  }

  /// Fills resting orders that the recorded opposite side has reached, at their own price.
  private func fillCrossed(into events: inout [MatchEvent]) {
    while let order = bids.orders.first, fillCrossed(order, in: &bids, into: &events) {}
    while let order = asks.orders.first, fillCrossed(order, in: &asks, into: &events) {}
  }

  private func fillCrossed(
    _ order: QueuedOrder, in queue: inout QueuedOrders, into events: inout [MatchEvent]
  ) -> Bool {
    var available = Quantity.zero
    let limit = order.price
    take(order.remaining, side: queue.side, limit: limit) { _, quantity in available += quantity }
    guard available.raw > 0 else { return false }
    let filled = queue.fillFirst(available)
    announce(filled, available, at: limit, isMaker: true, into: &events)
    return filled.remaining.raw == 0
  }

  // MARK: Our orders

  package func place(_ request: OrderRequest, into events: inout [MatchEvent]) {
    if let reason = refusal(of: request) {
      events.append(.rejected(orderID: request.orderID, owner: request.owner, reason))
      return
    }
    events.append(.accepted(orderID: request.orderID, owner: request.owner))
    var order = QueuedOrder(request: request)
    if request.timeInForce == .fok, available(for: request) < request.quantity {
      events.append(
        .expired(
          orderID: order.orderID, owner: order.owner, remaining: order.remaining, .fillOrKill))
      return
    }
    var fills: [PriceLevel] = []
    take(order.remaining, side: request.side, limit: request.limit) { price, quantity in
      fills.append(PriceLevel(price: price, quantity: quantity))
    }
    for fill in fills {
      order.remaining -= fill.quantity
      announce(order, fill.quantity, at: fill.price, isMaker: false, into: &events)
    }
    guard order.remaining.raw > 0 else { return }
    if request.rests {
      order.ahead = market.quantity(order.side, at: order.price)
      switch order.side {
      case .buy: bids.insert(order)
      case .sell: asks.insert(order)
      }
    } else {
      events.append(
        .expired(
          orderID: order.orderID, owner: order.owner, remaining: order.remaining,
          .immediateOrCancel))
    }
  }

  /// Takes an owner's order out; false when it has none of this number.
  @discardableResult
  package func cancel(
    orderID: UInt64, owner: UInt32, into events: inout [MatchEvent]
  ) -> Bool {
    guard let order = bids.remove(orderID, owner) ?? asks.remove(orderID, owner) else {
      return false
    }
    events.append(.cancelled(orderID: orderID, owner: owner, remaining: order.remaining))
    return true
  }

  /// Cancels all that an owner has, best price first, bids before asks; returns how many.
  @discardableResult
  package func cancelAll(owner: UInt32, into events: inout [MatchEvent]) -> Int {
    let found = (bids.orders + asks.orders).filter { $0.owner == owner }
    for order in found { cancel(orderID: order.orderID, owner: owner, into: &events) }
    return found.count
  }

  package func order(_ orderID: UInt64) -> RestingOrder? {
    let found = bids.orders.first { $0.orderID == orderID }
    return (found ?? asks.orders.first { $0.orderID == orderID })?.resting
  }

  /// Recorded quantity that trades before this order does.
  package func quantityAhead(of orderID: UInt64) -> Quantity? {
    let found = bids.orders.first { $0.orderID == orderID }
    return (found ?? asks.orders.first { $0.orderID == orderID })?.ahead
  }

  /// Equal for two playbacks exactly when, chance aside, market, queues and counters are equal.
  package var stateHash: UInt64 {
    var hash = StateHash()
    hash.combine(market.stateHash)
    hash.combine(nextTradeID)
    for order in bids.orders + asks.orders { order.combine(into: &hash) }
    for taken in [takenBids, takenAsks] {
      for (price, quantity) in taken.sorted(by: { $0.key < $1.key }) {
        hash.combine(price.raw)
        hash.combine(quantity.raw)
      }
    }
    return hash.value
  }

  // MARK: Inside

  private func refusal(of request: OrderRequest) -> RejectReason? {
    if let defect = request.defect { return defect }
    // A recording does not say what it would have done to a stop, an iceberg or an all-or-none.
    guard request.isPlain else { return .invalidOrder }
    guard order(request.orderID) == nil else { return .duplicateOrder }
    guard orderCount < ordersMax else { return .overloaded }
    guard request.timeInForce == .postOnly else { return nil }
    var first = request
    first.quantity = Quantity(1)
    return available(for: first).raw > 0 ? .wouldTakeLiquidity : nil
  }

  private func available(for request: OrderRequest) -> Quantity {
    var sum = Quantity.zero
    forEachAvailable(request.side.opposite) { price, quantity in
      guard request.crosses(price), sum < request.quantity else { return false }
      sum = saturatingSum(sum, quantity)
      return true
    }
    return min(sum, request.quantity)
  }

  /// Takes up to `quantity` of the recorded side opposite to `side`, no worse than `limit`.
  private func take(
    _ quantity: Quantity, side: Side, limit: Price, _ each: (Price, Quantity) -> Void
  ) {
    var left = quantity
    forEachAvailable(side.opposite) { price, available in
      guard left.raw > 0, !price.isWorse(than: limit, for: side) else { return false }
      let part = min(left, available)
      left -= part
      switch side {
      case .buy: takenAsks[price, default: .zero] += part
      case .sell: takenBids[price, default: .zero] += part
      }
      each(price, part)
      return true
    }
  }

  /// Recorded levels less what we took, from the touch outwards, empty ones left out.
  private func forEachAvailable(_ side: Side, _ body: (Price, Quantity) -> Bool) {
    market.forEachLevel(side) { level in
      let taken = (side == .buy ? takenBids : takenAsks)[level.price] ?? .zero
      guard taken < level.quantity else { return true }
      return body(level.price, level.quantity - taken)
    }
  }

  /// `order.remaining` is what this fill leaves.
  private func announce(
    _ order: QueuedOrder, _ quantity: Quantity, at price: Price, isMaker: Bool,
    into events: inout [MatchEvent]
  ) {
    events.append(
      .trade(
        Match(
          tradeID: nextTradeID, price: price, quantity: quantity,
          aggressor: isMaker ? order.side.opposite : order.side,
          makerOrderID: isMaker ? order.orderID : 0, makerOwner: isMaker ? order.owner : 0,
          makerRemaining: isMaker ? order.remaining : .zero,
          takerOrderID: isMaker ? 0 : order.orderID, takerOwner: isMaker ? 0 : order.owner,
          takerRemaining: isMaker ? .zero : order.remaining)))
    nextTradeID += 1
  }
}
