package import Chrono
package import Units

/// The touch of a book at a moment, in 64 bytes: one cache line, one entry of a shared ring.
///
/// Integers throughout; scales are the instrument's. A side whose quantity is zero is empty. Venue and
/// instrument are numbers of the ring's directory, since an `InstrumentID` is valid in one process
/// only. The layout is the sources' TickEntry without its doubles, and its padding used.
///
/// A trade is a tick with one side: the one that was taken from, with what was paid and how much.
package struct Tick: Sendable, Hashable {
  /// Given by the ring: one more for every entry.
  package var sequence: UInt64
  package var exchangeTime: Instant
  package var receivedTime: Instant
  package var venue: UInt16
  package var instrument: UInt16
  /// What is wrong with the market: the bits of `QualityFlags`, and the marks below.
  package var flags: UInt32
  package var bid: Price
  package var ask: Price
  package var bidQuantity: Quantity
  package var askQuantity: Quantity

  package init(
    sequence: UInt64 = 0, exchangeTime: Instant, receivedTime: Instant, venue: UInt16,
    instrument: UInt16, flags: UInt32, bid: PriceLevel?, ask: PriceLevel?
  ) {
    self.sequence = sequence
    self.exchangeTime = exchangeTime
    self.receivedTime = receivedTime
    self.venue = venue
    self.instrument = instrument
    self.flags = flags
    self.bid = bid?.price ?? Price(0)
    self.ask = ask?.price ?? Price(0)
    bidQuantity = bid?.quantity ?? Quantity(0)
    askQuantity = ask?.quantity ?? Quantity(0)
  }

  /// It is a trade, and the touch is as it was.
  package static let tradeMark: UInt32 = 1 << 31
  /// The book is not to be trusted, whatever prices stand here: it lost its place, its venue is away,
  /// or what it says was refused.
  package static let distrustMark: UInt32 = 1 << 30

  /// It is a trade that was fetched after a gap, so no sign of the market now.
  package static let lateMark: UInt32 = 1 << 29

  package var isTrade: Bool { flags & Self.tradeMark != 0 }
  package var isTrusted: Bool { flags & Self.distrustMark == 0 }
  package var isLate: Bool { flags & Self.lateMark != 0 }
  /// The bits of `QualityFlags`.
  package var quality: UInt32 { flags & ~(Self.tradeMark | Self.distrustMark | Self.lateMark) }

  package var bestBid: PriceLevel? {
    bidQuantity.raw > 0 ? PriceLevel(price: bid, quantity: bidQuantity) : nil
  }

  package var bestAsk: PriceLevel? {
    askQuantity.raw > 0 ? PriceLevel(price: ask, quantity: askQuantity) : nil
  }

  // MARK: As words

  package typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  /// All but the sequence; numbers of venue and instrument and the flags share a word.
  package var words: Words {
    (
      UInt64(bitPattern: exchangeTime.nanoseconds), UInt64(bitPattern: receivedTime.nanoseconds),
      UInt64(venue) | UInt64(instrument) << 16 | UInt64(flags) << 32,
      UInt64(bitPattern: bid.raw), UInt64(bitPattern: ask.raw),
      UInt64(bitPattern: bidQuantity.raw), UInt64(bitPattern: askQuantity.raw)
    )
  }

  package init(sequence: UInt64, words: Words) {
    self.sequence = sequence
    exchangeTime = Instant(nanoseconds: Int64(bitPattern: words.0))
    receivedTime = Instant(nanoseconds: Int64(bitPattern: words.1))
    venue = UInt16(truncatingIfNeeded: words.2)
    instrument = UInt16(truncatingIfNeeded: words.2 >> 16)
    flags = UInt32(truncatingIfNeeded: words.2 >> 32)
    bid = Price(Int64(bitPattern: words.3))
    ask = Price(Int64(bitPattern: words.4))
    bidQuantity = Quantity(Int64(bitPattern: words.5))
    askQuantity = Quantity(Int64(bitPattern: words.6))
  }
}
