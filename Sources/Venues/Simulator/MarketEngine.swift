internal import OrderBook
internal import Units
internal import Venue

/// An order on its way into a market's book.
struct EngineOrder {
  let id: UInt64
  /// Whose it is: 0 for the background, which trades with itself.
  let owner: UInt32
  let side: Side
  /// Nil for a market order.
  let limit: Price?
  let quantity: Quantity
  let timeInForce: TimeInForce
  var terms = OrderTerms()

  var request: OrderRequest {
    OrderRequest(
      orderID: id, owner: owner, side: side, type: limit == nil ? .market : .limit,
      timeInForce: timeInForce, price: limit, quantity: quantity,
      selfTradePrevention: terms.selfTradePrevention, trigger: terms.trigger,
      display: terms.display)
  }
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

/// Something that befell an order.
enum EngineChange: Hashable {
  case fill(EngineFill)
  /// Both lose this quantity instead of trading with themselves.
  case prevented(maker: UInt64, taker: UInt64, Quantity)
  /// What is left of it ends; in a match with an order of its own account, or not.
  case expired(UInt64, inMatch: Bool)
  /// A stop is in the market.
  case triggered(UInt64)
}

struct EngineResult {
  /// In the order in which it happened.
  var changes: [EngineChange] = []
  /// What of the order that came waits in the book now.
  var rested = Quantity.zero
  /// Levels of the public book that changed, in order, each once.
  var changedLevels: [EngineLevel] = []

  var fillCount: Int { changes.count { if case .fill = $0 { true } else { false } } }
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
    events.removeAll(keepingCapacity: true)
    switch book {
    case .generated(let engine): engine.place(order.request, into: &events)
    case .playback(let playback): playback.book.place(order.request, into: &events)
    }
    return Self.result(of: events, placed: order)
  }

  /// Takes an order out; the level that changed, nil when the order is not there or was not seen.
  mutating func cancel(_ id: UInt64) -> EngineLevel? {
    events.removeAll(keepingCapacity: true)
    switch book {
    case .generated(let engine):
      guard let order = engine.order(id) else { return nil }
      engine.cancel(orderID: id, owner: order.owner, into: &events)
      return order.trigger == nil ? EngineLevel(side: order.side, price: order.price) : nil
    case .playback(let playback):
      guard let order = playback.book.order(id) else { return nil }
      playback.book.cancel(orderID: id, owner: order.owner, into: &events)
      return nil
    }
  }

  /// Changes an order that waits: a smaller one of the same terms keeps its place, any other arrives
  /// anew.
  mutating func amend(_ order: EngineOrder, keepsTerms: Bool) -> EngineResult {
    events.removeAll(keepingCapacity: true)
    switch book {
    case .generated(let engine):
      guard keepsTerms else {
        engine.cancel(orderID: order.id, owner: order.owner, into: &events)
        engine.place(order.request, into: &events)
        break
      }
      let refusal = engine.amend(
        orderID: order.id, owner: order.owner, price: order.limit, remaining: order.quantity,
        into: &events)
      precondition(refusal == nil, "a checked amendment of \(order.id) was refused")
    case .playback(let playback):
      playback.book.cancel(orderID: order.id, owner: order.owner, into: &events)
      playback.book.place(order.request, into: &events)
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
        result.changes.append(
          .fill(
            EngineFill(
              maker: match.makerOrderID, taker: match.takerOrderID, aggressor: match.aggressor,
              price: match.price, quantity: match.quantity,
              makerIsDone: match.makerRemaining == .zero)))
        if match.takerOrderID == order?.id { open = match.takerRemaining }
        // A stop that this order set off may take from it.
        if match.makerOrderID == order?.id { open = match.makerRemaining }
      case .prevented(let maker, let taker, _, let quantity):
        result.changes.append(.prevented(maker: maker, taker: taker, quantity))
      case .expired(let id, _, _, let cause):
        result.changes.append(.expired(id, inMatch: cause == .selfTradePrevention))
        if id == order?.id { open = .zero }
      case .rejected(let id, _, _):
        result.changes.append(.expired(id, inMatch: false))
        open = .zero
      case .triggered(let id, _): result.changes.append(.triggered(id))
      case .level(let side, let level):
        result.changedLevels.append(EngineLevel(side: side, price: level.price))
      case .accepted, .cancelled, .reduced, .replaced, .top: break
      }
    }
    result.rested = open
    return result
  }
}

/// Reading.
extension MarketEngine {
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

  /// Nil before the first trade, and in a recorded market.
  var lastTradePrice: Price? {
    if case .generated(let engine) = book { engine.lastTradePrice } else { nil }
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
