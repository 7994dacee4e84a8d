internal import Bytes
internal import Chrono
internal import JSON
internal import Recording
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

/// A recorded stretch of one Binance market, in any format that `Recording` reads: frames of combined
/// streams and a REST snapshot of the book. Several files are played one after another.
struct MarketCapture {
  let symbol: String
  let snapshot: BookSnapshot
  /// How many messages came before the recorder fetched its snapshot.
  let messagesBeforeSnapshot: Int
  private let frames: [RecordedFrame]

  init(paths: [String], market: SimulatedMarket) throws(ExchangeLogError) {
    symbol = market.symbol
    var frames: [RecordedFrame] = []
    for path in paths { frames += try Self.frames(of: path, symbol: market.symbol) }
    guard let place = frames.firstIndex(where: Self.isAnswer) else {
      throw ExchangeLogError(
        paths.joined(separator: ", "),
        "no snapshot of the book of \(market.symbol) in the recording")
    }
    do throws(JSONError) {
      snapshot = try CaptureReader(market).snapshot(JSONDocument(parsing: frames[place].bytes).root)
    } catch {
      throw ExchangeLogError(paths[0], "the snapshot: \(error)")
    }
    messagesBeforeSnapshot = place
    frames.removeAll(where: Self.isAnswer)
    self.frames = frames
  }

  var count: Int { frames.count }

  /// Nil for a stream that is not simulated, or of another symbol.
  func message(_ index: Int) throws(JSONError) -> CaptureMessage? {
    let root = try JSONDocument(parsing: frames[index].bytes).root
    guard let stream = root["stream"]?.string else { return nil }
    guard let at = stream.firstIndex(of: "@"),
      let kind = StreamKind(suffix: stream[stream.index(after: at)...]),
      stream[..<at].uppercased() == symbol
    else { return nil }
    return CaptureMessage(
      received: frames[index].time, kind: kind, payload: Array(try root.member("data").source))
  }

  /// What the recorder received, and its snapshots of this symbol.
  private static func frames(
    of path: String, symbol: String
  ) throws(ExchangeLogError) -> [RecordedFrame] {
    let bytes = try FileBytes.read(path)
    let recording: Recording
    do throws(RecordingError) {
      recording = try Recording(bytes)
    } catch {
      throw ExchangeLogError(path, "\(error)")
    }
    return recording.frames.filter { frame in
      switch frame.kind {
      case .received: true
      case .answered(let target):
        // A bare snapshot does not say of which symbol it is: then there is one.
        target.isEmpty || target.contains("/depth?symbol=\(symbol)&")
      case .opened, .closed, .sent: false
      }
    }
  }

  private static func isAnswer(_ frame: RecordedFrame) -> Bool {
    if case .answered = frame.kind { true } else { false }
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
