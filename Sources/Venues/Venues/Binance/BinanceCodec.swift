package import Chrono
package import JSON
internal import Units
package import Venue

/// A message of a public stream.
package enum BinanceFrame: Sendable, Hashable {
  case depth(BookDelta)
  case trade(Trade)
  case top(TopOfBook)
  /// The answer to a subscription, or a stream that was not asked for.
  case other
}

/// Binance's public JSON to values. Numbers go from their text to integers of the instrument's
/// scale; digits beyond it are an error, never rounded.
package struct BinanceCodec: Sendable {
  private let bySymbol: [String: Instrument]

  package init(_ instruments: [Instrument]) {
    bySymbol = Dictionary(
      instruments.map { ($0.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// A frame of a raw or a combined stream.
  package func decode(_ bytes: [UInt8], received: Instant) throws(JSONError) -> BinanceFrame {
    let root = try JSONDocument(parsing: bytes).root
    guard let stream = root["stream"] else { return try decode(root, received) }
    // A combined stream wraps what it carries with the name of the stream.
    guard stream.string != nil else { throw .unexpected("stream is not a string") }
    return try decode(root.member("data"), received)
  }

  private func decode(_ json: JSONValue, _ received: Instant) throws(JSONError) -> BinanceFrame {
    guard let symbol = json["s"]?.string, let instrument = bySymbol[symbol] else { return .other }
    guard let event = json["e"] else {
      return .top(try top(json, instrument, received))
    }
    if event.isString("depthUpdate") { return .depth(try delta(json, instrument, received)) }
    if event.isString("trade") { return .trade(try trade(json, instrument, received)) }
    return .other
  }

  /// The body of GET /api/v3/depth.
  package func snapshot(
    _ body: [UInt8], of instrument: Instrument, received: Instant
  ) throws(JSONError) -> BookSnapshot {
    let json = try JSONDocument(parsing: body).root
    return BookSnapshot(
      instrument: instrument.id, updateID: try json.uint64("lastUpdateId"),
      exchangeTime: received, receivedTime: received,
      bids: try levels(json.array("bids"), instrument),
      asks: try levels(json.array("asks"), instrument))
  }

  private func delta(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> BookDelta {
    let first = try json.uint64("U")
    let last = try json.uint64("u")
    guard first <= last else { throw .unexpected("a depth update from \(first) to \(last)") }
    return BookDelta(
      instrument: instrument.id, firstUpdateID: first, lastUpdateID: last,
      exchangeTime: Instant(milliseconds: try json.int64("E")), receivedTime: received,
      bids: try levels(json.array("b"), instrument),
      asks: try levels(json.array("a"), instrument))
  }

  private func trade(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> Trade {
    Trade(
      instrument: instrument.id, tradeID: try json.uint64("t"),
      price: try instrument.price(text: json.string("p")),
      quantity: try instrument.quantity(text: json.string("q")),
      // "m": the buyer was the maker, so the seller took.
      aggressor: try json.bool("m") ? .sell : .buy,
      exchangeTime: Instant(milliseconds: try json.int64("T")), receivedTime: received)
  }

  private func top(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> TopOfBook {
    TopOfBook(
      instrument: instrument.id, updateID: try json.uint64("u"),
      bid: PriceLevel(
        price: try instrument.price(text: json.string("b")),
        quantity: try instrument.quantity(text: json.string("B"))),
      ask: PriceLevel(
        price: try instrument.price(text: json.string("a")),
        quantity: try instrument.quantity(text: json.string("A"))),
      receivedTime: received)
  }

  private func levels(
    _ rows: JSONArray, _ instrument: Instrument
  ) throws(JSONError) -> [PriceLevel] {
    var levels: [PriceLevel] = []
    levels.reserveCapacity(rows.count)
    for row in rows {
      guard let price = row[0]?.string, let quantity = row[1]?.string else {
        throw .unexpected("a level is not a pair of strings")
      }
      levels.append(
        PriceLevel(
          price: try instrument.price(text: price),
          quantity: try instrument.quantity(text: quantity)))
    }
    return levels
  }
}

extension Instrument {
  /// A venue's number at our scale: `61737.63000000` at scale 2. Zero is allowed, as in empty
  /// levels.
  func price(text: String) throws(JSONError) -> Price {
    Price(try scaled(text, priceScale))
  }

  func quantity(text: String) throws(JSONError) -> Quantity {
    Quantity(try scaled(text, quantityScale))
  }

  private func scaled(_ text: String, _ scale: UInt8) throws(JSONError) -> Int64 {
    do throws(DecimalError) {
      guard let raw = try Decimal(parsing: text).units(atScale: scale) else {
        throw DecimalError.tooManyDigits
      }
      guard raw >= 0 else { throw DecimalError.notADecimal }
      return raw
    } catch {
      throw .unexpected("\(symbol): \(text) at scale \(scale) \(error.problem)")
    }
  }
}
