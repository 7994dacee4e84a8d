package import Chrono
internal import Units
package import Venue

/// The touch of a book or a trade, as the owner of the book knows it.
package struct TickEvent: Sendable, Hashable {
  package var exchangeTime: Instant
  package var receivedTime: Instant
  /// Nil when the side is empty.
  package var bid: PriceLevel?
  package var ask: PriceLevel?
  /// The bits of `QualityFlags`, and the marks of `Tick`.
  package var flags: UInt32

  package init(
    exchangeTime: Instant, receivedTime: Instant, bid: PriceLevel?, ask: PriceLevel?,
    flags: UInt32 = 0
  ) {
    self.exchangeTime = exchangeTime
    self.receivedTime = receivedTime
    self.bid = bid
    self.ask = ask
    self.flags = flags
  }

  /// `quality`: the bits of `QualityFlags`.
  package init(_ trade: Trade, quality: UInt32) {
    let level = PriceLevel(price: trade.price, quantity: trade.quantity)
    self.init(
      exchangeTime: trade.exchangeTime, receivedTime: trade.receivedTime,
      bid: trade.aggressor == .sell ? level : nil, ask: trade.aggressor == .buy ? level : nil,
      flags: quality | Tick.tradeMark | (trade.isBackfilled ? Tick.lateMark : 0))
  }

  package var isTrade: Bool { flags & Tick.tradeMark != 0 }
}
