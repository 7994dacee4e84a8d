internal import Bytes
internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// One recorded message of a market.
struct CaptureMessage {
  /// When the recorder received it, by its own clock.
  let received: Instant
  let kind: StreamKind
  /// The payload exactly as recorded, without the combined-stream envelope.
  let payload: [UInt8]
}

/// A recorded day of one Binance market: lines of `<nanoseconds> <json>`, where the json is a
/// combined stream's message or a REST snapshot of the book. Several files are played one after
/// another.
struct MarketCapture {
  let symbol: String
  let snapshot: BookSnapshot
  /// How many messages came before the recorder fetched its snapshot.
  let messagesBeforeSnapshot: Int
  private let lines: [ArraySlice<UInt8>]

  /// Unpacked bytes of one capture: the largest known is 60 MB.
  private static let unpackedMax = 1 << 30

  init(paths: [String], market: SimulatedMarket) throws(ExchangeLogError) {
    symbol = market.symbol
    var lines: [ArraySlice<UInt8>] = []
    for path in paths { lines += try Self.lines(of: path) }
    let isSnapshot: (ArraySlice<UInt8>) -> Bool = { line in
      line.drop { $0 != UInt8(ascii: "{") }.starts(with: #"{"lastUpdateId""#.utf8)
    }
    guard let place = lines.firstIndex(where: isSnapshot) else {
      throw ExchangeLogError(
        paths.joined(separator: ", "), "no snapshot of the book in the capture")
    }
    do throws(JSONError) {
      let (_, json) = Self.split(lines[place])
      snapshot = try CaptureReader(market).snapshot(JSONDocument(parsing: Array(json)).root)
    } catch {
      throw ExchangeLogError(paths[0], "line \(place + 1): \(error)")
    }
    messagesBeforeSnapshot = place
    lines.removeAll(where: isSnapshot)
    self.lines = lines
  }

  var count: Int { lines.count }

  /// Nil for a stream that is not simulated.
  func message(_ index: Int) throws(JSONError) -> CaptureMessage? {
    let (time, json) = Self.split(lines[index])
    let root = try JSONDocument(parsing: Array(json)).root
    let stream = try root.string("stream")
    guard let at = stream.firstIndex(of: "@"),
      let kind = StreamKind(suffix: stream[stream.index(after: at)...])
    else { return nil }
    return CaptureMessage(
      received: time, kind: kind, payload: Array(try root.member("data").source))
  }

  private static func lines(of path: String) throws(ExchangeLogError) -> [ArraySlice<UInt8>] {
    var bytes = try FileBytes.read(path)
    if bytes.starts(with: [0x1f, 0x8b]) {
      do throws(GzipError) {
        bytes = try Gzip.decompress(bytes, outputMax: unpackedMax)
      } catch {
        throw ExchangeLogError(path, "gzip: \(error)")
      }
    }
    return bytes.split(separator: UInt8(ascii: "\n"))
  }

  /// The receive time (nanoseconds, or microseconds in 16 digits) and the rest.
  private static func split(_ line: ArraySlice<UInt8>) -> (Instant, ArraySlice<UInt8>) {
    var time: Int64 = 0
    var digits = 0
    for byte in line {
      guard byte >= 0x30, byte <= 0x39, digits < 19 else { break }
      time = time &* 10 &+ Int64(byte - 0x30)
      digits += 1
    }
    let rest = line.dropFirst(digits).drop { $0 == 0x20 }
    return (Instant(nanoseconds: digits <= 16 ? time * 1_000 : time), rest)
  }
}

/// Reads recorded messages as the playback's own book needs them.
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
