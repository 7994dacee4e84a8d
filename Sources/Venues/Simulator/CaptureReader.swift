internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// Reads Binance's recorded messages as the playback's own book needs them.
struct CaptureReader {
  private let instrument: Instrument

  init(_ market: SimulatedMarket) { instrument = market.instrument }

  func snapshot(_ json: JSONValue) throws(JSONError) -> BookSnapshot {
    BookSnapshot(
      instrument: instrument.id, updateID: try json.uint64("lastUpdateId"), exchangeTime: .epoch,
      receivedTime: .epoch, bids: try levels(json, "bids"), asks: try levels(json, "asks"))
  }

  func delta(_ payload: [UInt8]) throws(JSONError) -> BookDelta {
    let json = try JSONDocument(parsing: payload).root
    return BookDelta(
      instrument: instrument.id, firstUpdateID: try json.uint64("U"),
      lastUpdateID: try json.uint64("u"),
      exchangeTime: Instant(milliseconds: try json.int64("E")), receivedTime: .epoch,
      bids: try levels(json, "b"), asks: try levels(json, "a"))
  }

  func trade(_ payload: [UInt8]) throws(JSONError) -> Trade {
    let json = try JSONDocument(parsing: payload).root
    return Trade(
      instrument: instrument.id, tradeID: try json.uint64("t"),
      price: Price(try number(json.string("p"), instrument.priceScale)),
      quantity: Quantity(try number(json.string("q"), instrument.quantityScale)),
      aggressor: try json.bool("m") ? .sell : .buy,
      exchangeTime: Instant(milliseconds: try json.int64("T")), receivedTime: .epoch)
  }

  private func levels(_ json: JSONValue, _ name: String) throws(JSONError) -> [PriceLevel] {
    let rows = try json.array(name)
    var levels: [PriceLevel] = []
    levels.reserveCapacity(rows.count)
    for row in rows {
      guard let price = row[0]?.string, let quantity = row[1]?.string else {
        throw .unexpected("a level of \(name) is not a pair of strings")
      }
      levels.append(
        PriceLevel(
          price: Price(try number(price, instrument.priceScale)),
          quantity: Quantity(try number(quantity, instrument.quantityScale))))
    }
    return levels
  }

  private func number(_ text: String, _ scale: UInt8) throws(JSONError) -> Int64 {
    do throws(DecimalError) {
      guard let raw = try Decimal(parsing: text).units(atScale: scale) else {
        throw DecimalError.tooManyDigits
      }
      return raw
    } catch {
      throw .unexpected("\(text) \(error.problem)")
    }
  }
}
