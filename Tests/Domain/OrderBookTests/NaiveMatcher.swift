import OrderBook
import Units
import Venue

/// The matching rules written the obvious way: one array, sorted at every step.
struct NaiveMatcher {
  struct Waiting {
    var request: OrderRequest
    var remaining: Quantity
    var arrival: Int
  }

  var ordersMax: Int
  var waiting: [Waiting] = []
  var arrivals = 0
  var nextTradeID: UInt64 = 1

  init(ordersMax: Int) { self.ordersMax = ordersMax }

  func queue(_ side: Side) -> [Waiting] {
    waiting.filter { $0.request.side == side }.sorted { left, right in
      let prices = (left.request.price!.raw * -side.sign, right.request.price!.raw * -side.sign)
      return prices.0 == prices.1 ? left.arrival < right.arrival : prices.0 < prices.1
    }
  }

  func quantity(_ side: Side, _ price: Price) -> Quantity {
    var sum = Quantity.zero
    for order in waiting where order.request.side == side && order.request.price == price {
      sum += order.remaining
    }
    return sum
  }

  func best(_ side: Side) -> PriceLevel? {
    guard let price = queue(side).first?.request.price else { return nil }
    return PriceLevel(price: price, quantity: quantity(side, price))
  }

  func levelEvent(_ side: Side, _ price: Price) -> MatchEvent {
    .level(side, PriceLevel(price: price, quantity: quantity(side, price)))
  }

  func crosses(_ request: OrderRequest, _ price: Price) -> Bool {
    guard let limit = request.price else { return true }
    return request.side == .buy ? price <= limit : price >= limit
  }

  mutating func place(_ request: OrderRequest) -> [MatchEvent] {
    let named = waiting.contains {
      $0.request.owner == request.owner && !request.clientOrderID.isEmpty
        && $0.request.clientOrderID == request.clientOrderID
    }
    if let reason = refusal(request, isNamed: named) {
      return [.rejected(orderID: request.orderID, owner: request.owner, reason)]
    }
    var events: [MatchEvent] = [.accepted(orderID: request.orderID, owner: request.owner)]
    let id = request.orderID
    if request.timeInForce == .fok, !fillsWhole(request) {
      return events + [
        .expired(orderID: id, owner: request.owner, remaining: request.quantity, .fillOrKill)
      ]
    }
    let before = (best(.buy), best(.sell))
    var left = request.quantity
    var isStopped = false
    let opposite = request.side.opposite
    let prices = queue(opposite).map { $0.request.price! }.filter { crosses(request, $0) }
    for price in firstOfEach(prices) where left.raw > 0 && !isStopped {
      let total = quantity(opposite, price)
      for maker in queue(opposite) where maker.request.price == price {
        if left.raw == 0 || isStopped { break }
        events += meet(maker, request, &left, &isStopped)
      }
      if quantity(opposite, price) != total { events.append(levelEvent(opposite, price)) }
    }
    if left.raw > 0 || isStopped {
      if !isStopped, request.type == .limit,
        request.timeInForce == .gtc || request.timeInForce == .postOnly
      {
        waiting.append(Waiting(request: request, remaining: left, arrival: arrivals))
        arrivals += 1
        events.append(levelEvent(request.side, request.price!))
      } else {
        let reason: Expiry = isStopped ? .selfTradePrevention : .immediateOrCancel
        events.append(.expired(orderID: id, owner: request.owner, remaining: left, reason))
      }
    }
    return events + topEvent(since: before)
  }

  private func refusal(_ request: OrderRequest, isNamed: Bool) -> RejectReason? {
    if request.quantity.raw <= 0 { return .invalidOrder }
    if request.type == .market && (request.price != nil || request.timeInForce == .postOnly) {
      return .invalidOrder
    }
    if request.type == .limit {
      guard let price = request.price else { return .invalidOrder }
      if price.raw <= 0 { return .pricePrecision }
    }
    if isNamed || waiting.contains(where: { $0.request.orderID == request.orderID }) {
      return .duplicateOrder
    }
    if waiting.count >= ordersMax { return .overloaded }
    if request.timeInForce == .postOnly, let best = best(request.side.opposite),
      crosses(request, best.price)
    {
      return .wouldTakeLiquidity
    }
    return nil
  }

  private func fillsWhole(_ request: OrderRequest) -> Bool {
    var sum: Int64 = 0
    for maker in queue(request.side.opposite) {
      if !crosses(request, maker.request.price!) || sum >= request.quantity.raw { break }
      let isOwn = maker.request.owner == request.owner && request.selfTradePrevention != .none
      if isOwn && request.selfTradePrevention != .expireMaker { break }
      if !isOwn { sum += maker.remaining.raw }
    }
    return sum >= request.quantity.raw
  }

  private mutating func meet(
    _ maker: Waiting, _ request: OrderRequest, _ left: inout Quantity, _ isStopped: inout Bool
  ) -> [MatchEvent] {
    let index = waiting.firstIndex { $0.request.orderID == maker.request.orderID }!
    let quantity = min(left, maker.remaining)
    let makerID = maker.request.orderID
    let isOwn = maker.request.owner == request.owner
    func expired(_ remaining: Quantity) -> MatchEvent {
      .expired(
        orderID: makerID, owner: maker.request.owner, remaining: remaining, .selfTradePrevention)
    }
    switch isOwn ? request.selfTradePrevention : .none {
    case .none:
      left -= quantity
      let rest = maker.remaining - quantity
      waiting[index].remaining = rest
      if rest.raw == 0 { waiting.remove(at: index) }
      let match = Match(
        tradeID: nextTradeID, price: maker.request.price!, quantity: quantity,
        aggressor: request.side, makerOrderID: makerID, makerOwner: maker.request.owner,
        makerRemaining: rest, takerOrderID: request.orderID, takerOwner: request.owner,
        takerRemaining: left)
      nextTradeID += 1
      return [.trade(match)]
    case .expireTaker:
      isStopped = true
      return []
    case .expireMaker:
      waiting.remove(at: index)
      return [expired(maker.remaining)]
    case .expireBoth:
      waiting.remove(at: index)
      isStopped = true
      return [expired(maker.remaining)]
    case .decrement:
      left -= quantity
      let rest = maker.remaining - quantity
      waiting[index].remaining = rest
      if rest.raw == 0 { waiting.remove(at: index) }
      isStopped = left.raw == 0
      let prevented = MatchEvent.prevented(
        makerOrderID: makerID, takerOrderID: request.orderID, owner: request.owner,
        quantity: quantity)
      return [prevented] + (rest.raw == 0 ? [expired(.zero)] : [])
    }
  }

  mutating func cancel(_ orderID: UInt64, owner: UInt32) -> [MatchEvent] {
    guard
      let index = waiting.firstIndex(where: {
        $0.request.orderID == orderID && $0.request.owner == owner
      })
    else { return [] }
    let before = (best(.buy), best(.sell))
    let order = waiting.remove(at: index)
    return [
      .cancelled(orderID: orderID, owner: owner, remaining: order.remaining),
      levelEvent(order.request.side, order.request.price!),
    ] + topEvent(since: before)
  }

  private func topEvent(since before: (PriceLevel?, PriceLevel?)) -> [MatchEvent] {
    let now = (best(.buy), best(.sell))
    return now == before ? [] : [.top(bid: now.0, ask: now.1)]
  }
}

/// The first of each value, in order.
private func firstOfEach(_ prices: [Price]) -> [Price] {
  var seen: Set<Price> = []
  return prices.filter { seen.insert($0).inserted }
}
