internal import OrderBook
internal import Units
internal import Venue

/// An order on its way into a market's book.
struct EngineOrder {
  let id: UInt64
  let side: Side
  /// Nil for a market order.
  let limit: Price?
  let quantity: Quantity
  let timeInForce: TimeInForce
}

struct EngineFill: Hashable {
  /// Zero when the other side is a recorded market.
  let maker: UInt64
  /// Zero when the other side is a recorded market.
  let taker: UInt64
  let aggressor: Side
  let price: Price
  let quantity: Quantity
  let makerIsDone: Bool
}

struct EngineLevel: Hashable {
  let side: Side
  let price: Price
}

struct EngineResult {
  var fills: [EngineFill] = []
  /// What waits in the book now.
  var rested = Quantity.zero
  /// Levels of the public book that changed, in order, each once.
  var changedLevels: [EngineLevel] = []
}

/// A market's book: a matching engine that background flow keeps alive, or a recorded market.
struct MarketEngine {
  private enum Book {
    case generated(MatchingEngine)
    case playback(MarketPlayback)
  }

  private let book: Book
  private var events: [MatchEvent] = []

  /// Far more than flow and clients keep open.
  private static let ordersMax = 1_000_000

  static var generated: MarketEngine {
    MarketEngine(book: .generated(MatchingEngine(ordersMax: ordersMax)))
  }

  static func playback(_ playback: MarketPlayback) -> MarketEngine {
    MarketEngine(book: .playback(playback))
  }

  private init(book: Book) { self.book = book }

  var playback: MarketPlayback? {
    if case .playback(let playback) = book { playback } else { nil }
  }

  var isPlayback: Bool { playback != nil }

  mutating func place(_ order: EngineOrder) -> EngineResult {
    let request = OrderRequest(
      orderID: order.id, owner: 0, side: order.side, type: order.limit == nil ? .market : .limit,
      timeInForce: order.timeInForce, price: order.limit, quantity: order.quantity,
      selfTradePrevention: .none)
    events.removeAll(keepingCapacity: true)
    switch book {
    case .generated(let engine): engine.place(request, into: &events)
    case .playback(let playback): playback.book.place(request, into: &events)
    }
    return Self.result(of: events, placed: order)
  }

  /// Takes an order out; the level that changed, nil when the order is not there.
  mutating func cancel(_ id: UInt64) -> EngineLevel? {
    events.removeAll(keepingCapacity: true)
    switch book {
    case .generated(let engine):
      guard let order = engine.order(id) else { return nil }
      engine.cancel(orderID: id, owner: 0, into: &events)
      return EngineLevel(side: order.side, price: order.price)
    case .playback(let playback):
      playback.book.cancel(orderID: id, owner: 0, into: &events)
      return nil
    }
  }

  /// Changes an order that waits: a smaller one keeps its place, any other arrives anew.
  mutating func amend(
    _ id: UInt64, _ side: Side, to price: Price, remaining: Quantity
  ) -> EngineResult {
    events.removeAll(keepingCapacity: true)
    let order = EngineOrder(
      id: id, side: side, limit: price, quantity: remaining, timeInForce: .gtc)
    switch book {
    case .generated(let engine):
      let refusal = engine.amend(
        orderID: id, owner: 0, price: price, remaining: remaining, into: &events)
      precondition(refusal == nil, "a checked amendment of \(id) was refused")
    case .playback(let playback):
      playback.book.cancel(orderID: id, owner: 0, into: &events)
      playback.book.place(
        OrderRequest(
          orderID: id, owner: 0, side: side, type: .limit, timeInForce: .gtc, price: price,
          quantity: remaining, selfTradePrevention: .none), into: &events)
    }
    return Self.result(of: events, placed: order)
  }

  /// What events of a recorded market did to our orders.
  static func result(of events: [MatchEvent], placed order: EngineOrder?) -> EngineResult {
    var result = EngineResult()
    var open = order?.quantity ?? .zero
    for event in events {
      switch event {
      case .trade(let match):
        result.fills.append(
          EngineFill(
            maker: match.makerOrderID, taker: match.takerOrderID, aggressor: match.aggressor,
            price: match.price, quantity: match.quantity,
            makerIsDone: match.makerRemaining == .zero))
        if match.takerOrderID == order?.id { open = match.takerRemaining }
      case .expired(let id, _, _, _) where id == order?.id: open = .zero
      case .rejected: open = .zero
      case .level(let side, let level):
        result.changedLevels.append(EngineLevel(side: side, price: level.price))
      default: break
      }
    }
    result.rested = open
    return result
  }

  // MARK: Reading

  func best(_ side: Side) -> PriceLevel? {
    switch book {
    case .generated(let engine): engine.best(side)
    case .playback(let playback): playback.book.market.best(side)
    }
  }

  func quantity(_ side: Side, _ price: Price) -> Quantity {
    switch book {
    case .generated(let engine): engine.quantity(side, at: price)
    case .playback(let playback): playback.book.market.quantity(side, at: price)
    }
  }

  /// From the touch outwards.
  func levels(_ side: Side, max: Int) -> [PriceLevel] {
    switch book {
    case .generated(let engine): engine.levels(side, max: max)
    case .playback(let playback): playback.book.market.levels(side, max: max)
    }
  }

  /// Every shown order by priority; none of a recorded market, which tells levels only.
  func orders(_ side: Side) -> [BookOrder] {
    guard case .generated(let engine) = book else { return [] }
    var orders: [BookOrder] = []
    engine.forEachOrder(side) { order in
      orders.append(
        BookOrder(
          orderID: order.orderID, side: side, price: order.price, remaining: order.shown))
      return true
    }
    return orders
  }

  /// What taking `quantity` from the levels of `side` would cost, as far as they reach.
  func cost(_ side: Side, _ quantity: Quantity) -> Notional {
    var rest = quantity
    var cost = Notional.zero
    for level in levels(side, max: .max) where rest > .zero {
      let taken = min(rest, level.quantity)
      cost += level.price * taken
      rest -= taken
    }
    return cost
  }
}
