package import Chrono
package import JSON
internal import Units
package import Venue

/// A message of a public stream.
package enum BinanceFrame: Sendable, Hashable {
  /// It is in the codec's `delta`.
  case depth
  /// One that cannot be read, with the reason: the instrument's book has lost an update.
  case unreadableDepth(InstrumentID, String)
  case trade(Trade)
  /// An id that was given to no trade: futures tell of the insurance fund and the like.
  case untraded(InstrumentID, tradeID: UInt64)
  case top(TopOfBook)
  /// To a request over the socket; with the venue's words when it was refused.
  case answer(id: Int?, refusal: String?)
  /// A stream that is not followed, or an instrument of somebody else.
  case other
}

/// Binance's public JSON to values. Numbers go from their text to integers of the instrument's
/// scale; digits beyond it are an error, never rounded.
///
/// Levels are read into `delta`, whose memory is used again for the next message once nobody keeps
/// the last one.
package struct BinanceCodec: ~Copyable {
  private let market: BinanceMarket
  private let bySymbol: [String: Instrument]
  private let scalesBySymbol: [SymbolKey: Scales]
  private var reader = JSONReader()
  private var pairs = JSONScaledPairs()
  package private(set) var delta: BookDelta

  package init(_ market: BinanceMarket, _ instruments: [Instrument]) {
    precondition(
      MemoryLayout<PriceLevel>.size == 16 && MemoryLayout<PriceLevel>.offset(of: \.quantity) == 8,
      "a level is its price and its quantity")
    self.market = market
    bySymbol = Dictionary(
      instruments.map { ($0.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first })
    scalesBySymbol = Dictionary(
      instruments.compactMap { instrument in
        SymbolKey(instrument.venueSymbol.utf8).map { ($0, Scales(instrument)) }
      }, uniquingKeysWith: { first, _ in first })
    delta = BookDelta(
      instrument: InstrumentID(0), firstUpdateID: 0, lastUpdateID: 0, exchangeTime: .epoch,
      receivedTime: .epoch, bids: [], asks: [])
  }

  /// A frame of a raw or a combined stream.
  package mutating func decode(
    _ bytes: [UInt8], received: Instant
  ) throws(JSONError) -> BinanceFrame {
    try readsAsUsual(bytes, received) ? .depth : decodeAny(bytes, received: received)
  }

  /// The same for any order of members, white space and kind of message; the reader of depth
  /// updates as they usually are written must agree with it on every text.
  package mutating func decodeAny(
    _ bytes: [UInt8], received: Instant
  ) throws(JSONError) -> BinanceFrame {
    let root = try reader.parse(bytes)
    guard let stream = root["stream"] else { return try decode(root, received) }
    // A combined stream wraps what it carries with the name of the stream.
    guard stream.kind == .string else { throw .unexpected("stream is not a string") }
    return try decode(root.member("data"), received)
  }

  private mutating func decode(
    _ json: JSONValue, _ received: Instant
  ) throws(JSONError) -> BinanceFrame {
    guard let symbol = json["s"]?.string else { return try answer(json) }
    guard let instrument = bySymbol[symbol] else { return .other }
    guard let event = json["e"] else { return .top(try top(json, instrument, received)) }
    if event.isString("depthUpdate") {
      do throws(JSONError) {
        try readDelta(json, instrument, received)
        return .depth
      } catch {
        return .unreadableDepth(instrument.id, error.description)
      }
    }
    if event.isString("bookTicker") { return .top(try top(json, instrument, received)) }
    if event.isString("trade") {
      // Its price is zero.
      if let kind = json["X"], kind.isString("NA") {
        return .untraded(instrument.id, tradeID: try json.uint64("t"))
      }
      return .trade(try trade(json, instrument, received))
    }
    return .other
  }

  private func answer(_ json: JSONValue) throws(JSONError) -> BinanceFrame {
    let error = json["error"] ?? json
    if let code = error["code"]?.int64 {
      return .answer(id: json["id"]?.int, refusal: "\(code): \(error["msg"]?.string ?? "")")
    }
    return json["result"] == nil ? .other : .answer(id: json["id"]?.int, refusal: nil)
  }

  private mutating func readDelta(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) {
    let first = try json.uint64("U")
    let last = try json.uint64("u")
    guard first <= last else { throw .unexpected("a depth update from \(first) to \(last)") }
    delta.instrument = instrument.id
    delta.firstUpdateID = market.chainsByPrevious ? try json.uint64("pu") &+ 1 : first
    delta.lastUpdateID = last
    delta.exchangeTime = try json.instant(milliseconds: "E")
    delta.receivedTime = received
    try Self.readLevels(json.array("b"), instrument, with: &pairs, into: &delta.bids)
    try Self.readLevels(json.array("a"), instrument, with: &pairs, into: &delta.asks)
  }

  private static func readLevels(
    _ rows: JSONArray, _ instrument: Instrument, with pairs: inout JSONScaledPairs,
    into levels: inout [PriceLevel]
  ) throws(JSONError) {
    try pairs.read(rows, .arrays, scales: instrument.priceScale, instrument.quantityScale)
    if let row = pairs.take(into: &levels) {
      throw .unexpected(
        "\(instrument.symbol): a level of \(pairs.second(row)) at \(pairs.first(row))")
    }
  }

  // MARK: The usual depth update

  /// True when the bytes are a depth update of a known instrument exactly as Binance writes them,
  /// and then it is in `delta`. False says nothing of them.
  mutating func readsAsUsual(_ bytes: [UInt8], _ received: Instant) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      var cursor = JSONCursor(text)
      let isCombined = cursor.take("{\"stream\":\"")
      if isCombined {
        guard cursor.plainString() != nil, cursor.take(",\"data\":") else { return false }
      }
      guard readUsualDepth(&cursor, received), cursor.take("}") else { return false }
      return (!isCombined || cursor.take("}")) && cursor.isAtEnd
    }
  }

  /// All but the closing bracket.
  private mutating func readUsualDepth(_ cursor: inout JSONCursor, _ received: Instant) -> Bool {
    guard cursor.take("{\"e\":\"depthUpdate\",\"E\":"), let time = cursor.unsigned(),
      let exchangeTime = Instant(venueMilliseconds: Int64(clamping: time))
    else { return false }
    if cursor.take(",\"T\":") { guard cursor.unsigned() != nil else { return false } }
    guard cursor.take(",\"s\":\""), let symbol = cursor.plainString(),
      let key = SymbolKey(symbol), let scales = scalesBySymbol[key],
      cursor.take(",\"U\":"), let first = cursor.unsigned(),
      cursor.take(",\"u\":"), let last = cursor.unsigned(), first <= last
    else { return false }
    var begin = first
    if market.chainsByPrevious {
      guard cursor.take(",\"pu\":"), let previous = cursor.unsigned() else { return false }
      begin = previous &+ 1
    }
    guard cursor.take(",\"b\":"), pairs.read(&cursor, scales: scales.price, scales.quantity),
      pairs.take(into: &delta.bids) == nil, cursor.take(",\"a\":"),
      pairs.read(&cursor, scales: scales.price, scales.quantity),
      pairs.take(into: &delta.asks) == nil
    else { return false }
    delta.instrument = scales.id
    delta.firstUpdateID = begin
    delta.lastUpdateID = last
    delta.exchangeTime = exchangeTime
    delta.receivedTime = received
    return true
  }

  /// The body of GET depth.
  package mutating func snapshot(
    _ body: [UInt8], of instrument: Instrument, received: Instant
  ) throws(JSONError) -> BookSnapshot {
    let json = try JSONDocument(parsing: body).root
    // Futures say when the book was so.
    let time = try json["T"] == nil ? received : json.instant(milliseconds: "T")
    var snapshot = BookSnapshot(
      instrument: instrument.id, updateID: try json.uint64("lastUpdateId"), exchangeTime: time,
      receivedTime: received, bids: [], asks: [])
    try Self.readLevels(json.array("bids"), instrument, with: &pairs, into: &snapshot.bids)
    try Self.readLevels(json.array("asks"), instrument, with: &pairs, into: &snapshot.asks)
    return snapshot
  }

  private func trade(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> Trade {
    Trade(
      instrument: instrument.id, tradeID: try json.uint64("t"),
      price: Price(try json.scaled("p", instrument.priceScale)),
      quantity: Quantity(try json.scaled("q", instrument.quantityScale)),
      // "m": the buyer was the maker, so the seller took.
      aggressor: try json.bool("m") ? .sell : .buy,
      exchangeTime: try json.instant(milliseconds: "T"), receivedTime: received)
  }

  /// The body of GET trades, oldest first.
  package func trades(
    _ body: [UInt8], of instrument: Instrument, received: Instant
  ) throws(JSONError) -> [Trade] {
    guard let rows = try JSONDocument(parsing: body).root.array else {
      throw .unexpected("the trades are not an array")
    }
    var trades: [Trade] = []
    for row in rows {
      trades.append(
        Trade(
          instrument: instrument.id, tradeID: try row.uint64("id"),
          price: Price(try row.scaled("price", instrument.priceScale)),
          quantity: Quantity(try row.scaled("qty", instrument.quantityScale)),
          aggressor: try row.bool("isBuyerMaker") ? .sell : .buy,
          exchangeTime: try row.instant(milliseconds: "time"), receivedTime: received,
          isBackfilled: true))
    }
    return trades
  }

  /// The venue's word for each symbol, out of GET exchangeInfo.
  package func statuses(_ body: [UInt8]) throws(JSONError) -> [String: String] {
    var statuses: [String: String] = [:]
    for listing in try JSONDocument(parsing: body).root.array("symbols") {
      let status = listing["status"] ?? listing["contractStatus"]
      statuses[try listing.string("symbol")] = status?.string ?? ""
    }
    return statuses
  }

  private func top(
    _ json: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> TopOfBook {
    func level(_ price: String, _ quantity: String) throws(JSONError) -> PriceLevel {
      PriceLevel(
        price: Price(try json.scaled(price, instrument.priceScale)),
        quantity: Quantity(try json.scaled(quantity, instrument.quantityScale)))
    }
    return TopOfBook(
      instrument: instrument.id, updateID: try json.uint64("u"), bid: try level("b", "B"),
      ask: try level("a", "A"), receivedTime: received)
  }
}

/// A symbol of at most sixteen bytes as two numbers: found without making a String.
private struct SymbolKey: Hashable {
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  init?(_ text: some Collection<UInt8>) {
    guard text.count <= 16 else { return nil }
    for byte in text {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
  }
}

/// What reading a level needs of an instrument.
private struct Scales {
  let id: InstrumentID
  let price: UInt8
  let quantity: UInt8

  init(_ instrument: Instrument) {
    id = instrument.id
    price = instrument.priceScale
    quantity = instrument.quantityScale
  }
}

extension JSONScaledPairs {
  /// The rows as levels instead of what was there. The first row that is none, a price that is not
  /// positive or a negative quantity, is the answer; then there are none.
  fileprivate borrowing func take(into levels: inout [PriceLevel]) -> Int? {
    levels.removeAll(keepingCapacity: true)
    return withRows { rows in
      var index = 0
      while index < rows.count {
        guard rows[index] > 0, rows[index + 1] >= 0 else { return index / 2 }
        index += 2
      }
      guard let address = rows.baseAddress else { return nil }
      // A level is its price and its quantity, two integers: BinanceCodec.init makes sure of it.
      address.withMemoryRebound(to: PriceLevel.self, capacity: count) { rows in
        levels.append(contentsOf: UnsafeBufferPointer(start: rows, count: count))
      }
      return nil
    }
  }
}
