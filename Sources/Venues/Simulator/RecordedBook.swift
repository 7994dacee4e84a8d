internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// A recorded snapshot or update of a book, in the market's own units.
struct RecordedBook {
  let isSnapshot: Bool
  let bids: [PriceLevel]
  let asks: [PriceLevel]
  /// The venue's, of the book behind this message; nil where it gives none.
  let checksum: Int64?
  let sequence: Int64?
  let previous: Int64?
  /// By the venue's clock; nil where it does not say.
  let time: Instant?

  init(_ text: RecordedBookText, _ market: SimulatedMarket) throws(JSONError) {
    isSnapshot = text.isSnapshot
    checksum = text.checksum
    sequence = text.sequence
    previous = text.previous
    time = text.time
    bids = try Self.levels(text.bids, market.instrument)
    asks = try Self.levels(text.asks, market.instrument)
  }

  private static func levels(
    _ texts: [RecordedBookText.Level], _ instrument: Instrument
  ) throws(JSONError) -> [PriceLevel] {
    var levels: [PriceLevel] = []
    levels.reserveCapacity(texts.count)
    for text in texts {
      levels.append(
        PriceLevel(
          price: Price(try recordedNumber(text.price, instrument.priceScale)),
          quantity: Quantity(try recordedNumber(text.quantity, instrument.quantityScale))))
    }
    return levels
  }
}

struct RecordedTrade {
  /// Nil where the venue gives none.
  let id: UInt64?
  let price: Price
  let quantity: Quantity
  let aggressor: Side
  let time: Instant?

  init(_ text: RecordedTradeText, _ market: SimulatedMarket) throws(JSONError) {
    id = text.id
    price = Price(try recordedNumber(text.price, market.instrument.priceScale))
    quantity = Quantity(try recordedNumber(text.quantity, market.instrument.quantityScale))
    aggressor = text.isSell ? .sell : .buy
    time = text.time
  }
}

private func recordedNumber(_ text: String, _ scale: UInt8) throws(JSONError) -> Int64 {
  do throws(DecimalError) {
    guard let raw = try Decimal(parsing: text).units(atScale: scale) else {
      throw DecimalError.tooManyDigits
    }
    return raw
  } catch {
    throw .unexpected("the number \(text)")
  }
}
