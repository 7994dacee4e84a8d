package import Units
package import Venue

/// An L2 book of one instrument: price levels with absolute quantities, best bid and ask in O(1).
///
/// Bids are the `buy` side and asks the `sell` side. One writer; readers elsewhere are given values
/// (`snapshot`, `levels`). A crossed input is stored as it came: whether to trust the book is the
/// business of `SequencedBook`.
package final class PriceLevelBook {
  /// Most levels kept per side; the level farthest from the touch gives way at the limit.
  package let levelsMax: Int
  /// Room taken per side before there is any level.
  package static let levelsReserved = 64
  // Unchecked, because one owner at a time uses a book, and the check at run time costs more than
  // reading the best level does. The body of `forEachLevel` must not change the book.
  @exclusivity(unchecked) private var bids: PriceLadder
  @exclusivity(unchecked) private var asks: PriceLadder

  package init(levelsMax: Int = 20_000) {
    precondition(levelsMax > 0, "a book of \(levelsMax) levels")
    self.levelsMax = levelsMax
    // Little at first, for most of thousands of instruments are quiet; a side doubles as it grows.
    bids = PriceLadder(entries: min(levelsMax, Self.levelsReserved))
    asks = PriceLadder(entries: min(levelsMax, Self.levelsReserved))
  }

  /// Heap bytes of both sides, as grown so far.
  package var memoryBytes: Int { bids.memoryBytes + asks.memoryBytes }

  // MARK: Changing

  package func apply(_ snapshot: BookSnapshot) {
    removeAll()
    replace(snapshot.bids, in: &bids, sign: 1)
    replace(snapshot.asks, in: &asks, sign: -1)
  }

  package func apply(_ delta: BookDelta) {
    replace(delta.bids, in: &bids, sign: 1)
    replace(delta.asks, in: &asks, sign: -1)
  }

  /// Sets levels to absolute quantities; zero removes.
  package func apply(_ levels: [PriceLevel], to side: Side) {
    switch side {
    case .buy: replace(levels, in: &bids, sign: 1)
    case .sell: replace(levels, in: &asks, sign: -1)
    }
  }

  /// Sets one level to an absolute quantity, zero removes; returns the quantity before.
  @discardableResult
  package func set(_ side: Side, _ price: Price, to quantity: Quantity) -> Quantity {
    switch side {
    case .buy: Quantity(replace(price.raw, quantity.raw, in: &bids))
    case .sell: Quantity(replace(0 &- price.raw, quantity.raw, in: &asks))
    }
  }

  package func removeAll() {
    bids.removeAll()
    asks.removeAll()
  }

  /// Keeps the best levels of each side only; venues that send a fixed depth expect it after each
  /// message (Kraken's checksum holds only so).
  package func truncate(levels: Int) {
    while bids.count > levels { bids.removeWorst() }
    while asks.count > levels { asks.removeWorst() }
  }

  private func replace(_ levels: [PriceLevel], in ladder: inout PriceLadder, sign: Int64) {
    for level in levels {
      replace(level.price.raw &* sign, level.quantity.raw, in: &ladder)
    }
  }

  @inline(__always)
  @discardableResult
  private func replace(_ key: Int64, _ quantity: Int64, in ladder: inout PriceLadder) -> Int64 {
    guard quantity > 0 else { return ladder.remove(key) ?? 0 }
    let old = ladder.set(key, to: quantity)
    if ladder.count > levelsMax { ladder.removeWorst() }
    return old ?? 0
  }

  // MARK: Reading

  package var bestBid: PriceLevel? {
    guard let best = bids.best else { return nil }
    return PriceLevel(price: Price(best.key), quantity: Quantity(best.value))
  }

  package var bestAsk: PriceLevel? {
    guard let best = asks.best else { return nil }
    return PriceLevel(price: Price(0 &- best.key), quantity: Quantity(best.value))
  }

  package func best(_ side: Side) -> PriceLevel? { side == .buy ? bestBid : bestAsk }

  package func levelCount(_ side: Side) -> Int { side == .buy ? bids.count : asks.count }

  package var isEmpty: Bool { bids.isEmpty && asks.isEmpty }

  /// The best bid is at or above the best ask: no venue shows that, so the book is wrong.
  package var isCrossed: Bool {
    guard let bid = bids.best, let ask = asks.best else { return false }
    return bid.key >= 0 &- ask.key
  }

  /// Best ask minus best bid.
  package var spread: Price? {
    guard let bid = bestBid, let ask = bestAsk else { return nil }
    return Price(ask.price.raw - bid.price.raw)
  }

  package func quantity(_ side: Side, at price: Price) -> Quantity {
    let found = side == .buy ? bids.value(of: price.raw) : asks.value(of: 0 &- price.raw)
    return Quantity(found ?? 0)
  }

  /// From the touch outwards, until `body` returns false; `body` must not change the book.
  package func forEachLevel(_ side: Side, _ body: (PriceLevel) -> Bool) {
    switch side {
    case .buy:
      bids.forEach { body(PriceLevel(price: Price($0), quantity: Quantity($1))) }
    case .sell:
      asks.forEach { body(PriceLevel(price: Price(0 &- $0), quantity: Quantity($1))) }
    }
  }
}
