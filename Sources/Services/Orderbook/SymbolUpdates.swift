internal import Chrono
internal import Contracts
internal import Translation
internal import Units
internal import Venue

/// A change of one venue's book, as it came; put into words only for who reads it.
struct VenueChange {
  let instrument: Instrument
  let updateID: UInt64
  /// The levels are the whole book.
  let replaces: Bool
  let bids: [MarketV1.Level]
  let asks: [MarketV1.Level]
  let isCrossed: Bool
  let staleReason: String?
  /// Bits.
  let quality: UInt32
  let exchangeTime: Instant
  let receivedTime: Instant
  /// Zero where it was not taken.
  let hash: UInt64

  var message: OrderbookV1.VenueBookUpdate {
    var message = OrderbookV1.VenueBookUpdate()
    message.venue = instrument.venue.name
    message.updateId = updateID
    message.replaces = replaces
    message.bids = bids.map(level)
    message.asks = asks.map(level)
    message.crossed = isCrossed
    message.stale = staleReason != nil
    message.staleReason = staleReason ?? ""
    message.exchangeTimeNs = UInt64(max(0, exchangeTime.nanoseconds))
    message.receivedTimeNs = UInt64(max(0, receivedTime.nanoseconds))
    message.hash = hash
    message.quality = quality
    return message
  }

  private func level(_ wire: MarketV1.Level) -> OrderbookV1.BookLevel {
    var level = OrderbookV1.BookLevel()
    level.price = instrument.wire(Price(wire.price))
    level.quantity = instrument.wire(Quantity(wire.quantity))
    return level
  }
}

/// The newest changes of a symbol, numbered without a hole; the oldest give way at the limit.
///
/// Readers take from here at their own pace, so a slow one holds no memory of its own.
struct SymbolUpdates {
  let limit: Int
  /// Of the newest change; zero before the first.
  private(set) var sequence: UInt64 = 0
  /// A ring: the change numbered n is at `(n - 1) % limit`.
  private var kept: [VenueChange] = []

  init(limit: Int) { self.limit = limit }

  mutating func append(_ change: VenueChange) {
    let place = Int(sequence % UInt64(limit))
    if place < kept.count { kept[place] = change } else { kept.append(change) }
    sequence += 1
  }

  /// At most `max` changes after `known`, oldest first; nil when some of them are kept no more, or
  /// when `known` was never given out.
  func changes(after known: UInt64, max: Int) -> [(sequence: UInt64, change: VenueChange)]? {
    guard known <= sequence, sequence - known <= UInt64(kept.count) else { return nil }
    let end = min(sequence, known + UInt64(max))
    return (known..<end).map { ($0 + 1, kept[Int($0 % UInt64(limit))]) }
  }
}
