internal import Chrono
internal import Units
internal import Venue

/// What a market tells of its book: update ids, changes gathered for the depth streams, the top.
struct MarketFeed {
  private(set) var lastUpdateID: UInt64
  private var fast = DepthWindow()
  private var slow = DepthWindow()
  private var bid: PriceLevel?
  private var ask: PriceLevel?

  init(firstUpdateID: UInt64) { lastUpdateID = firstUpdateID }

  /// A level has a new total; zero when it is gone.
  mutating func changed(_ side: Side, _ price: Price, to quantity: Quantity) {
    lastUpdateID += 1
    fast.note(side, price, quantity, lastUpdateID)
    slow.note(side, price, quantity, lastUpdateID)
  }

  /// True when the best bid or ask differs from the last call's.
  mutating func topChanged(bid: PriceLevel?, ask: PriceLevel?) -> Bool {
    guard bid != self.bid || ask != self.ask else { return false }
    self.bid = bid
    self.ask = ask
    return true
  }

  /// The changes of the last 100 ms, nil when there were none.
  mutating func takeFast() -> DepthWindow? { fast.take() }

  /// The changes of the last second, nil when there were none.
  mutating func takeSlow() -> DepthWindow? { slow.take() }
}

/// The last total of every level that changed, and the update ids that it covers.
struct DepthWindow {
  private(set) var first: UInt64 = 0
  private(set) var last: UInt64 = 0
  private var bidTotals: [Price: Quantity] = [:]
  private var askTotals: [Price: Quantity] = [:]

  mutating func note(_ side: Side, _ price: Price, _ quantity: Quantity, _ updateID: UInt64) {
    if last == 0 { first = updateID }
    last = updateID
    switch side {
    case .buy: bidTotals[price] = quantity
    case .sell: askTotals[price] = quantity
    }
  }

  /// Adds a bid that is not there, above an ask: a fault.
  mutating func cross(above ask: PriceLevel) {
    bidTotals[Price(ask.price.raw + 1)] = ask.quantity
  }

  mutating func take() -> DepthWindow? {
    guard last != 0 else { return nil }
    defer { self = DepthWindow() }
    return self
  }

  /// Best first.
  var bids: [PriceLevel] {
    bidTotals.sorted { $0.key > $1.key }.map { PriceLevel(price: $0.key, quantity: $0.value) }
  }

  /// Best first.
  var asks: [PriceLevel] {
    askTotals.sorted { $0.key < $1.key }.map { PriceLevel(price: $0.key, quantity: $0.value) }
  }
}
