internal import Bytes
package import Chrono
package import OrderBook
package import Units
package import Venue

/// One instrument's book as Kraken defines it: cut to the subscribed depth after each message, with
/// a checksum over the digits of its best ten levels a side.
///
/// The checksum is the CRC-32 of the ten best asks and then the ten best bids, each the digits of
/// its price and of its quantity without the point and without leading zeros
/// (docs.kraken.com/api/docs/guides/spot-ws-book-v2). What counts are the digits that were sent:
/// the book knows how many places the venue writes in it, and remembers each level that was written
/// otherwise.
///
/// A change becomes a delta of `BookDelta`, with a removal for each level that fell out of the
/// depth: a hearer of the deltas has the venue's book without knowing the depth.
package final class KrakenBook {
  package let instrument: Instrument
  package let depth: Int
  package let levels: PriceLevelBook
  /// False before the first snapshot, and from a mismatch to the next one.
  package private(set) var isWhole = false
  /// Messages taken since the beginning: Kraken's books have no update numbers.
  package private(set) var updates: UInt64 = 0
  /// Checksums that matched.
  package private(set) var verified = 0
  /// The message being read, or the last one.
  package private(set) var delta: BookDelta

  /// Digits after the point of a price and of a quantity.
  private struct Places: Hashable {
    var price: Int
    var quantity: Int
  }

  private var usual: Places?
  private var oddBids: [Int64: Places] = [:]
  private var oddAsks: [Int64: Places] = [:]
  /// What the checksum is over; as long as two numbers of all digits are for every level.
  private let text = UnsafeMutablePointer<UInt8>.allocate(
    capacity: 2 * KrakenBook.checkedLevels * 2 * (19 + KrakenNumber.placesMax))
  private var textCount = 0
  private static let checkedLevels = 10

  /// `depth`: levels a side that are kept; nil keeps all of them, and is for venues without
  /// truncation.
  package init(_ instrument: Instrument, depth: Int?) {
    self.instrument = instrument
    self.depth = depth ?? .max
    // One message can add levels before it removes others.
    levels = PriceLevelBook(levelsMax: depth.map { 2 * $0 + 1_000 } ?? 20_000)
    delta = BookDelta(
      instrument: instrument.id, firstUpdateID: 0, lastUpdateID: 0, exchangeTime: .epoch,
      receivedTime: .epoch, bids: [], asks: [])
  }

  deinit { text.deallocate() }

  /// Not to be trusted any more.
  package func invalidate() { isWhole = false }

  // MARK: A message

  package func beginSnapshot(received: Instant) {
    levels.removeAll()
    oddBids.removeAll(keepingCapacity: true)
    oddAsks.removeAll(keepingCapacity: true)
    usual = nil
    isWhole = true
    begin(received: received)
  }

  package func begin(received: Instant) {
    updates += 1
    delta.firstUpdateID = updates
    delta.lastUpdateID = updates
    delta.exchangeTime = received
    delta.receivedTime = received
    delta.bids.removeAll(keepingCapacity: true)
    delta.asks.removeAll(keepingCapacity: true)
  }

  package func happened(at exchangeTime: Instant) { delta.exchangeTime = exchangeTime }

  /// One level, in the order of the message: it may touch a price twice, and the last word counts.
  /// False when the digits do not fit the instrument's scales.
  package func set(_ side: Side, _ price: KrakenNumber, _ quantity: KrakenNumber) -> Bool {
    guard let rawPrice = price.raw(scale: instrument.priceScale), rawPrice > 0,
      let rawQuantity = quantity.raw(scale: instrument.quantityScale)
    else { return false }
    let level = PriceLevel(price: Price(rawPrice), quantity: Quantity(rawQuantity))
    levels.set(side, level.price, to: level.quantity)
    if rawQuantity > 0 {
      remember(side, rawPrice, Places(price: price.places, quantity: quantity.places))
    }
    if side == .buy { delta.bids.append(level) } else { delta.asks.append(level) }
    return true
  }

  /// The message is whole: cuts the book to its depth, and says so in the delta.
  package func end() {
    cut(.buy)
    cut(.sell)
    levels.truncate(levels: depth)
    prune()
  }

  private func cut(_ side: Side) {
    guard levels.levelCount(side) > depth else { return }
    var place = 0
    levels.forEachLevel(side) { level in
      if place >= depth {
        let removal = PriceLevel(price: level.price, quantity: .zero)
        if side == .buy { delta.bids.append(removal) } else { delta.asks.append(removal) }
      }
      place += 1
      return true
    }
  }

  private func remember(_ side: Side, _ price: Int64, _ places: Places) {
    if usual == nil { usual = places }
    if places != usual {
      if side == .buy { oddBids[price] = places } else { oddAsks[price] = places }
    } else if side == .buy {
      if !oddBids.isEmpty { oddBids[price] = nil }
    } else if !oddAsks.isEmpty {
      oddAsks[price] = nil
    }
  }

  /// Levels that are gone need no memory; only done when there is much of it.
  private func prune() {
    func isGone(_ side: Side, _ price: Int64) -> Bool {
      levels.quantity(side, at: Price(price)) == .zero
    }
    if oddBids.count > 2 * max(levels.levelCount(.buy), 64) {
      oddBids = oddBids.filter { !isGone(.buy, $0.key) }
    }
    if oddAsks.count > 2 * max(levels.levelCount(.sell), 64) {
      oddAsks = oddAsks.filter { !isGone(.sell, $0.key) }
    }
  }

  /// The whole book as of the last message.
  package func snapshot() -> BookSnapshot {
    levels.snapshot(
      instrument: instrument.id, updateID: updates, exchangeTime: delta.exchangeTime,
      receivedTime: delta.receivedTime)
  }

  // MARK: Checksum

  /// Compares with the venue's; a mismatch makes the book one that is not whole.
  package func verify(_ expected: UInt32) -> Bool {
    guard checksum == expected else {
      isWhole = false
      return false
    }
    verified += 1
    return true
  }

  package var checksum: UInt32 {
    textCount = 0
    write(.sell)
    write(.buy)
    var checksum = CRC32()
    checksum.update(UnsafeRawBufferPointer(start: text, count: textCount).bytes)
    return checksum.value
  }

  private func write(_ side: Side) {
    guard let usual else { return }
    var left = Self.checkedLevels
    levels.forEachLevel(side) { level in
      let odd = side == .buy ? oddBids : oddAsks
      let places = odd.isEmpty ? usual : odd[level.price.raw] ?? usual
      write(level.price.raw, scale: Int(instrument.priceScale), places: places.price)
      write(level.quantity.raw, scale: Int(instrument.quantityScale), places: places.quantity)
      left -= 1
      return left > 0
    }
  }

  /// The digits that the venue wrote, without leading zeros.
  private func write(_ raw: Int64, scale: Int, places: Int) {
    var value = raw / KrakenNumber.powers[min(max(0, scale - places), 18)]
    var rest = value
    let start = textCount
    while rest > 0 {
      textCount += 1
      rest /= 10
    }
    guard textCount > start else { return }
    var at = textCount
    while value > 0 {
      at -= 1
      text[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
      value /= 10
    }
    var zeros = places - scale
    while zeros > 0 {
      text[textCount] = UInt8(ascii: "0")
      textCount += 1
      zeros -= 1
    }
  }
}
