package import JSON
package import Recording
internal import Units
internal import Venue

/// What a recording is of: in whose words, and which markets of it have a book.
package struct RecordedMarkets: Sendable {
  /// What a market's numbers look like.
  package struct Shape: Sendable, Hashable {
    package var priceScale: UInt8 = 0
    package var quantityScale: UInt8 = 0
    /// Levels a side; nil where the venue tells every level that it has.
    package var depth: Int?
    package var hasSnapshot = false
    package var hasChecksum = false
  }

  package let dialect: VenueDialect
  package private(set) var shapes: [String: Shape] = [:]

  /// Markets whose book begins in the recording, by the venue's own names.
  package var symbols: [String] {
    shapes.filter { $0.value.hasSnapshot }.map(\.key).sorted()
  }

  /// Nil for a recording that does not say whose it is.
  package init?(path: String) throws(ExchangeLogError) {
    let frames = try Self.frames(of: path)
    do throws(JSONError) {
      try self.init(frames: frames)
    } catch {
      throw ExchangeLogError(path, "\(error)")
    }
  }

  /// Nil for frames that do not say whose they are.
  package init?(frames: [RecordedFrame]) throws(JSONError) {
    guard let dialect = Self.dialect(of: frames) else { return nil }
    self.init(dialect)
    // Of Binance's the file's name tells the market.
    guard dialect != .binance else { return }
    for frame in frames { _ = try take(frame) }
  }

  init(_ dialect: VenueDialect) { self.dialect = dialect }

  /// Learns from a frame, and reads it; nil for what is neither book nor trade.
  mutating func take(_ frame: RecordedFrame) throws(JSONError) -> RecordedMessage? {
    guard frame.kind == .received, let root = Self.root(of: frame),
      let message = try RecordedFrames.message(root, dialect)
    else { return nil }
    switch message {
    case .depth(let symbol, let depth): shapes[symbol, default: Shape()].depth = depth
    case .trades: break
    case .book(let book):
      var shape = shapes[book.symbol] ?? Shape()
      for level in book.bids + book.asks {
        shape.priceScale = max(shape.priceScale, Self.places(level.price))
        shape.quantityScale = max(shape.quantityScale, Self.places(level.quantity))
      }
      if book.isSnapshot {
        shape.hasSnapshot = true
        if dialect == .kraken, shape.depth == nil {
          shape.depth = RecordedFrames.depth(ofV1: root) ?? max(book.bids.count, book.asks.count)
        }
      }
      if book.checksum != nil { shape.hasChecksum = true }
      shapes[book.symbol] = shape
    }
    return message
  }

  /// The first frame that says so decides.
  package static func dialect(of frames: [RecordedFrame]) -> VenueDialect? {
    for frame in frames {
      guard let root = root(of: frame) else { continue }
      if let dialect = RecordedFrames.dialect(of: root) { return dialect }
    }
    return nil
  }

  /// Nil for a frame that is no JSON: OKX's `pong`.
  static func root(of frame: RecordedFrame) -> JSONValue? {
    do throws(JSONError) {
      return try JSONDocument(parsing: frame.bytes).root
    } catch {
      return nil
    }
  }

  static func frames(of path: String) throws(ExchangeLogError) -> [RecordedFrame] {
    let bytes = try FileBytes.read(path)
    do throws(RecordingError) {
      return try Recording(bytes).frames
    } catch {
      throw ExchangeLogError(path, "\(error)")
    }
  }

  /// Digits behind the point.
  private static func places(_ text: String) -> UInt8 {
    guard let point = text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return 0 }
    return UInt8(clamping: text.utf8.distance(from: point, to: text.utf8.endIndex) - 1)
  }
}

extension SimulatedMarket {
  /// A market as a recording shows it: ticks and lots are its last digits, and there is no least
  /// amount, for a recording does not tell one. `known` is what is listed of the name.
  static func recorded(
    _ symbol: String, _ shape: RecordedMarkets.Shape, _ dialect: VenueDialect,
    known: SimulatedMarket?, count: Int
  ) throws(ExchangeLogError) -> SimulatedMarket {
    let scale = max(shape.quantityScale, known?.instrument.quantityScale ?? 0)
    if let known, known.instrument.priceScale == shape.priceScale,
      known.instrument.quantityScale == scale
    {
      return known
    }
    let names = symbol.split(separator: dialect == .okx ? "-" : "/").map(String.init)
    guard names.count == 2 else {
      throw ExchangeLogError(symbol, "is no spot market, and the simulator has no other")
    }
    guard scale <= AssetAmount.scale, let one = powerOfTen(scale),
      let price = powerOfTen(shape.priceScale)
    else {
      throw ExchangeLogError(symbol, "has \(scale) digits of a quantity: 8 are possible")
    }
    let instrument = Instrument(
      id: known?.instrument.id ?? InstrumentID(Int32(count)), venue: VenueID(dialect.rawValue),
      symbol: names.joined(), venueSymbol: symbol, base: names[0], quote: names[1],
      priceScale: shape.priceScale, quantityScale: scale, tickSize: Price(1), lotSize: Quantity(1),
      minQuantity: Quantity(1), maxQuantity: Quantity(9_000_000 * one), minNotional: Notional(0))
    return SimulatedMarket(
      instrument: instrument, maxPrice: Price(1_000_000 * price),
      anchor: known?.anchor ?? Price(price), rung: Price(1),
      typicalQuantity: Quantity(one), eventsPerSecond: 1)
  }
}
