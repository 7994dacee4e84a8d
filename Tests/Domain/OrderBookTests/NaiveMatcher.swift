import OrderBook
import Units
import Venue

/// The matching rules written the obvious way: arrays kept in order, searched from the front, and a
/// question about the future answered by trying it on a copy.
struct NaiveMatcher {
  struct Waiting {
    var request: OrderRequest
    var remaining: Quantity
    var shown: Quantity
  }

  enum Kind: Int, CaseIterable {
    case book, whole, stop
  }

  let ordersMax: Int
  var nextTradeID: UInt64 = 1
  /// By side, then kind: the next to trade first.
  private var lines: [[[Waiting]]] = [[[], [], []], [[], [], []]]
  private var last: Price?
  private var traded: [Price] = []
  private var events: [MatchEvent] = []

  init(ordersMax: Int) { self.ordersMax = ordersMax }

  subscript(side: Side, kind: Kind) -> [Waiting] {
    get { lines[side == .buy ? 0 : 1][kind.rawValue] }
    _modify { yield &lines[side == .buy ? 0 : 1][kind.rawValue] }
  }

  // MARK: Commands

  mutating func place(_ request: OrderRequest) -> [MatchEvent] {
    if let reason = refusal(request) {
      return [.rejected(orderID: request.orderID, owner: request.owner, reason)]
    }
    return command { naive in
      naive.events.append(.accepted(orderID: request.orderID, owner: request.owner))
      naive.enter(request)
    }
  }

  mutating func cancel(_ orderID: UInt64, owner: UInt32) -> [MatchEvent] {
    guard let found = find(orderID), found.order.request.owner == owner else { return [] }
    return command { naive in
      naive[found.order.request.side, found.kind].remove(at: found.index)
      naive.events.append(
        .cancelled(orderID: orderID, owner: owner, remaining: found.order.remaining))
      naive.tellLevel(of: found.order, found.kind)
    }
  }

  mutating func amend(
    _ orderID: UInt64, owner: UInt32, price: Price?, remaining: Quantity
  ) -> (RejectReason?, [MatchEvent]) {
    guard let found = find(orderID), found.order.request.owner == owner else {
      return (.unknownOrder, [])
    }
    var request = found.order.request
    let (oldPrice, side) = (request.price, request.side)
    if price != nil && oldPrice == nil { return (.invalidOrder, []) }
    request.price = price ?? oldPrice
    request.quantity = remaining
    if let reason = defect(request) { return (reason, []) }
    let keepsPlace = request.price == oldPrice && remaining <= found.order.remaining
    if !keepsPlace, takesLiquidity(request) { return (.wouldTakeLiquidity, []) }
    let events = command { naive in
      if keepsPlace {
        guard remaining < found.order.remaining else { return }
        let shown = min(found.order.shown, remaining)
        naive[side, found.kind][found.index].remaining = remaining
        naive[side, found.kind][found.index].shown = shown
        naive.events.append(.reduced(orderID: orderID, owner: owner, remaining: remaining))
        if shown < found.order.shown { naive.tellLevel(of: found.order, found.kind) }
      } else {
        naive[side, found.kind].remove(at: found.index)
        let limit = request.price ?? Price(side == .buy ? .max : .min)
        naive.events.append(
          .replaced(orderID: orderID, owner: owner, price: limit, remaining: remaining))
        naive.tellLevel(of: found.order, found.kind)
        naive.enter(request)
      }
    }
    return (nil, events)
  }

  private mutating func command(_ body: (inout NaiveMatcher) -> Void) -> [MatchEvent] {
    events = []
    traded = []
    let before = (best(.buy), best(.sell))
    body(&self)
    while runNextAside() {}
    let now = (best(.buy), best(.sell))
    if now != before { events.append(.top(bid: now.0, ask: now.1)) }
    return events
  }

  // MARK: Arrival

  private mutating func enter(_ request: OrderRequest) {
    guard let trigger = request.trigger else { return run(request) }
    guard let last, request.side == .buy ? last >= trigger : last <= trigger else {
      return wait(request, request.quantity, .stop)
    }
    setOff(request)
  }

  private mutating func setOff(_ stop: OrderRequest) {
    var request = stop
    request.trigger = nil
    events.append(.triggered(orderID: request.orderID, owner: request.owner))
    run(request)
  }

  private mutating func run(_ request: OrderRequest) {
    if (request.isAllOrNone || request.timeInForce == .fok) && !wouldFillWhole(request) {
      if request.isAllOrNone { return wait(request, request.quantity, .whole) }
      events.append(
        .expired(
          orderID: request.orderID, owner: request.owner, remaining: request.quantity, .fillOrKill))
      return
    }
    let (left, isStopped) = match(request)
    guard left.raw > 0 || isStopped else { return }
    let rests = request.timeInForce == .gtc || request.timeInForce == .postOnly
    if !isStopped && rests && request.type == .limit {
      wait(request, left, .book)
      tellLevel(request.side, request.price!)
    } else {
      let reason: Expiry = isStopped ? .selfTradePrevention : .immediateOrCancel
      events.append(
        .expired(orderID: request.orderID, owner: request.owner, remaining: left, reason))
    }
  }

  private mutating func match(_ request: OrderRequest) -> (left: Quantity, isStopped: Bool) {
    let side = request.side.opposite
    var left = request.quantity
    var isStopped = false
    var level: (price: Price, quantity: Quantity)?
    func crosses(_ price: Price?) -> Bool {
      guard let limit = request.price, let price else { return true }
      return request.side == .buy ? price <= limit : price >= limit
    }
    while left.raw > 0 && !isStopped {
      let head = self[side, .book].first?.request.price
      if let open = level, head != open.price {
        tellIfChanged(side, open)
        level = nil
      }
      let whole =
        request.timeInForce == .postOnly
        ? nil
        : self[side, .whole].firstIndex {
          crosses($0.request.price) && $0.remaining <= left
            && (head == nil || isBetter($0.request.price!, head!, side))
        }
      if let whole {
        meet(.whole, whole, request, &left, &isStopped)
        continue
      }
      guard let head, crosses(head) else { break }
      if level == nil { level = (head, quantity(side, head)) }
      meet(.book, 0, request, &left, &isStopped)
    }
    if let level { tellIfChanged(side, level) }
    return (left, isStopped)
  }

  private mutating func meet(
    _ kind: Kind, _ index: Int, _ request: OrderRequest, _ left: inout Quantity,
    _ isStopped: inout Bool
  ) {
    let side = request.side.opposite
    let maker = self[side, kind][index]
    let isOwn = maker.request.owner == request.owner
    let mode = isOwn ? request.selfTradePrevention : .none
    let quantity = min(left, maker.shown)
    var makerLeft = maker.remaining
    if mode == .none || mode == .decrement {
      left -= quantity
      makerLeft -= quantity
      if mode == .none {
        tellTrade(maker.request, makerLeft, request, left, quantity)
      } else {
        events.append(
          .prevented(
            makerOrderID: maker.request.orderID, takerOrderID: request.orderID,
            owner: request.owner, quantity: quantity))
        isStopped = left.raw == 0
      }
      self[side, kind].remove(at: index)
      if makerLeft.raw > 0 {
        var rest = maker
        rest.remaining = makerLeft
        rest.shown -= quantity
        if rest.shown.raw > 0 {
          self[side, kind].insert(rest, at: index)
        } else {
          wait(maker.request, makerLeft, kind)
        }
      }
    } else if mode != .newest {
      self[side, kind].remove(at: index)
    }
    if mode == .oldest || mode == .both || (mode == .decrement && makerLeft.raw == 0) {
      events.append(
        .expired(
          orderID: maker.request.orderID, owner: maker.request.owner, remaining: makerLeft,
          .selfTradePrevention))
    }
    if mode == .newest || mode == .both { isStopped = true }
  }

  private mutating func tellTrade(
    _ maker: OrderRequest, _ makerLeft: Quantity, _ taker: OrderRequest, _ left: Quantity,
    _ quantity: Quantity
  ) {
    events.append(
      .trade(
        Match(
          tradeID: nextTradeID, price: maker.price!, quantity: quantity, aggressor: taker.side,
          makerOrderID: maker.orderID, makerOwner: maker.owner, makerRemaining: makerLeft,
          takerOrderID: taker.orderID, takerOwner: taker.owner, takerRemaining: left)))
    nextTradeID += 1
    last = maker.price
    traded.append(maker.price!)
  }

  /// Tries it on a copy and counts.
  private func wouldFillWhole(_ request: OrderRequest) -> Bool {
    var copy = self
    copy.events = []
    _ = copy.match(request)
    var filled = Quantity.zero
    for case .trade(let match) in copy.events { filled += match.quantity }
    return filled == request.quantity
  }

  // MARK: Those that wait unseen

  private mutating func runNextAside() -> Bool {
    for side in [Side.buy, .sell] {
      for (index, order) in self[side, .whole].enumerated() {
        var request = order.request
        request.quantity = order.remaining
        guard wouldFillWhole(request) else { continue }
        self[side, .whole].remove(at: index)
        run(request)
        return true
      }
    }
    for side in [Side.buy, .sell] {
      guard let stop = self[side, .stop].first, let trigger = stop.request.trigger,
        traded.contains(where: { side == .buy ? $0 >= trigger : $0 <= trigger })
      else { continue }
      self[side, .stop].removeFirst()
      var request = stop.request
      request.quantity = stop.remaining
      setOff(request)
      return true
    }
    return false
  }
}

// MARK: - Questions

extension NaiveMatcher {
  var count: Int { lines.joined().map(\.count).reduce(0, +) }

  func best(_ side: Side) -> PriceLevel? {
    guard let price = self[side, .book].first?.request.price else { return nil }
    return PriceLevel(price: price, quantity: quantity(side, price))
  }

  func quantity(_ side: Side, _ price: Price) -> Quantity {
    var sum = Quantity.zero
    for order in self[side, .book] where order.request.price == price { sum += order.shown }
    return sum
  }

  private func find(_ orderID: UInt64) -> (kind: Kind, index: Int, order: Waiting)? {
    for side in Side.allCases {
      for kind in Kind.allCases {
        if let index = self[side, kind].firstIndex(where: { $0.request.orderID == orderID }) {
          return (kind, index, self[side, kind][index])
        }
      }
    }
    return nil
  }

  private func defect(_ request: OrderRequest) -> RejectReason? {
    if request.quantity.raw <= 0 { return .invalidOrder }
    if request.trigger?.raw ?? 1 <= 0 { return .pricePrecision }
    let rests =
      request.type == .limit && (request.timeInForce == .gtc || request.timeInForce == .postOnly)
    if request.trigger != nil && request.timeInForce == .postOnly { return .invalidOrder }
    if let display = request.display, display.raw <= 0 || !rests || request.isAllOrNone {
      return .invalidOrder
    }
    if request.isAllOrNone && (request.type != .limit || request.timeInForce != .gtc) {
      return .invalidOrder
    }
    if request.type == .market && (request.price != nil || request.timeInForce == .postOnly) {
      return .invalidOrder
    }
    guard request.type == .limit else { return nil }
    guard let price = request.price else { return .invalidOrder }
    return price.raw <= 0 ? .pricePrecision : nil
  }

  private func refusal(_ request: OrderRequest) -> RejectReason? {
    if let defect = defect(request) { return defect }
    if find(request.orderID) != nil { return .duplicateOrder }
    if count >= ordersMax { return .overloaded }
    return takesLiquidity(request) ? .wouldTakeLiquidity : nil
  }

  private func takesLiquidity(_ request: OrderRequest) -> Bool {
    guard request.timeInForce == .postOnly, let best = best(request.side.opposite) else {
      return false
    }
    return request.side == .buy ? best.price <= request.price! : best.price >= request.price!
  }

  private func isBetter(_ price: Price, _ other: Price, _ side: Side) -> Bool {
    side == .buy ? price > other : price < other
  }

  /// In front of the first that is worse: behind everybody at its price.
  private mutating func wait(_ request: OrderRequest, _ remaining: Quantity, _ kind: Kind) {
    let shown = min(request.display ?? remaining, remaining)
    let side = request.side
    // Stops that buy are set off from the lowest up, like asks.
    let order: Side = kind == .stop ? side.opposite : side
    func price(_ request: OrderRequest) -> Price {
      kind == .stop ? request.trigger! : request.price!
    }
    let own = price(request)
    let index = self[side, kind].firstIndex { isBetter(own, price($0.request), order) }
    self[side, kind].insert(
      Waiting(request: request, remaining: remaining, shown: shown),
      at: index ?? self[side, kind].count)
  }

  private mutating func tellLevel(of order: Waiting, _ kind: Kind) {
    if kind == .book { tellLevel(order.request.side, order.request.price!) }
  }

  private mutating func tellLevel(_ side: Side, _ price: Price) {
    events.append(.level(side, PriceLevel(price: price, quantity: quantity(side, price))))
  }

  private mutating func tellIfChanged(_ side: Side, _ level: (price: Price, quantity: Quantity)) {
    if quantity(side, level.price) != level.quantity { tellLevel(side, level.price) }
  }
}

extension NaiveMatcher {
  /// Shown orders, all-or-none orders and stops of a side, each in the order of its turn.
  func resting(_ side: Side) -> [RestingOrder] {
    Kind.allCases.flatMap { kind in
      self[side, kind].map { order in
        RestingOrder(
          orderID: order.request.orderID, owner: order.request.owner, side: side,
          price: order.request.price ?? Price(side == .buy ? .max : .min),
          remaining: order.remaining, shown: kind == .book ? order.shown : .zero,
          trigger: kind == .stop ? order.request.trigger : nil)
      }
    }
  }
}
