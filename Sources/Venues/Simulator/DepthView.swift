internal import OrderBook
internal import Units
internal import Venue

/// The best levels of a book as a subscriber of one depth holds them, who cuts its own book to that
/// depth after each message.
struct DepthView {
  private let depth: Int
  private(set) var bids: [PriceLevel] = []
  private(set) var asks: [PriceLevel] = []

  init(depth: Int, _ book: PriceLevelBook) {
    self.depth = depth
    (bids, asks) = (Self.best(.buy, depth, book), Self.best(.sell, depth, book))
  }

  /// What the subscriber must be told to hold the book as it is now: levels that are new or changed
  /// within the depth, zero for those that are gone.
  mutating func update(_ book: PriceLevelBook) -> (bids: [PriceLevel], asks: [PriceLevel]) {
    let (newBids, newAsks) = (Self.best(.buy, depth, book), Self.best(.sell, depth, book))
    defer { (bids, asks) = (newBids, newAsks) }
    return (
      Self.changes(.buy, from: bids, to: newBids, book),
      Self.changes(.sell, from: asks, to: newAsks, book)
    )
  }

  /// What a subscriber has who held this and takes a message's changes.
  func applying(_ bids: [PriceLevel], _ asks: [PriceLevel]) -> DepthView {
    var view = self
    view.bids = Self.changed(self.bids, by: bids, depth) { $0 > $1 }
    view.asks = Self.changed(self.asks, by: asks, depth) { $0 < $1 }
    return view
  }

  private static func changed(
    _ old: [PriceLevel], by changes: [PriceLevel], _ depth: Int, _ isBetter: (Price, Price) -> Bool
  ) -> [PriceLevel] {
    var totals = Dictionary(uniqueKeysWithValues: old.map { ($0.price, $0.quantity) })
    for change in changes { totals[change.price] = change.quantity }
    let levels = totals.filter { $0.value > .zero }.sorted { isBetter($0.key, $1.key) }
    return levels.prefix(depth).map { PriceLevel(price: $0.key, quantity: $0.value) }
  }

  private static func best(_ side: Side, _ depth: Int, _ book: PriceLevelBook) -> [PriceLevel] {
    var levels: [PriceLevel] = []
    book.forEachLevel(side) { level in
      levels.append(level)
      return levels.count < depth
    }
    return levels
  }

  private static func changes(
    _ side: Side, from old: [PriceLevel], to new: [PriceLevel], _ book: PriceLevelBook
  ) -> [PriceLevel] {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0.price, $0.quantity) })
    let gone = old.filter { book.quantity(side, at: $0.price) == .zero }
    return gone.map { PriceLevel(price: $0.price, quantity: .zero) }
      + new.filter { before[$0.price] != $0.quantity }
  }
}

/// A market's book as its windows tell it: the mirror that streams are made from, so that they depend
/// on exchange time alone.
struct MirroredBook {
  let book = PriceLevelBook(levelsMax: 1_000_000)

  init(_ market: ExchangeMarket) {
    for side in Side.allCases {
      for level in market.engine.levels(side, max: .max) {
        book.set(side, level.price, to: level.quantity)
      }
    }
  }

  func apply(_ window: DepthWindow) {
    for level in window.bids { book.set(.buy, level.price, to: level.quantity) }
    for level in window.asks { book.set(.sell, level.price, to: level.quantity) }
  }
}
