internal import Bytes
internal import OrderBook
internal import Units
internal import Venue

/// OKX's checksum of a book: CRC-32 as a signed integer over `price:size` of the best 25 bids and
/// asks in turns, joined by colons; a side that has no level at a depth is left out there.
///
/// (okx.com/docs-v5, "Checksum".) It is taken over the venue's own text, which is the shortest
/// plain decimal: no zeros at the end of a fraction, no point without one. So integers and their
/// scale spell it again.
struct OKXChecksum {
  private var bids: [PriceLevel] = []
  private var asks: [PriceLevel] = []
  private var text: [UInt8] = []

  static let depth = 25

  mutating func of(_ book: PriceLevelBook, of instrument: Instrument) -> Int32 {
    Self.best(book, .buy, into: &bids)
    Self.best(book, .sell, into: &asks)
    text.removeAll(keepingCapacity: true)
    for index in 0..<Self.depth {
      if index < bids.count { append(bids[index], instrument) }
      if index < asks.count { append(asks[index], instrument) }
    }
    if !text.isEmpty { text.removeLast() }
    return Int32(bitPattern: CRC32.of(text))
  }

  private static func best(
    _ book: PriceLevelBook, _ side: Side, into levels: inout [PriceLevel]
  ) {
    levels.removeAll(keepingCapacity: true)
    book.forEachLevel(side) { level in
      levels.append(level)
      return levels.count < depth
    }
  }

  private mutating func append(_ level: PriceLevel, _ instrument: Instrument) {
    append(level.price.raw, instrument.priceScale)
    append(level.quantity.raw, instrument.quantityScale)
  }

  /// The shortest plain decimal and a colon. Digits are written from the last to the first.
  private mutating func append(_ units: Int64, _ scale: UInt8) {
    var (rest, places) = (UInt64(max(0, units)), Int(scale))
    while places > 0, rest % 10 == 0 {
      rest /= 10
      places -= 1
    }
    let start = text.count
    text.append(UInt8(ascii: ":"))
    var written = 0
    repeat {
      if written == places, places > 0 { text.append(UInt8(ascii: ".")) }
      text.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
      written += 1
    } while rest > 0 || written <= places
    text[start...].reverse()
  }
}
