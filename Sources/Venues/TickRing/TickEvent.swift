package import Chrono
package import Venue

/// The touch of a book, as its owner knows it.
package struct TickEvent: Sendable, Hashable {
  package var exchangeTime: Instant
  package var receivedTime: Instant
  /// Nil when the side is empty.
  package var bid: PriceLevel?
  package var ask: PriceLevel?
  /// The bits of `QualityFlags`.
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
}
