internal import JSON
internal import Recording
internal import ServiceKit
internal import Units
internal import Venue
internal import VenueSimulator
internal import Venues

/// What recordings are of, and the adapter's feed that reads them: found in the frames themselves, for
/// recordings of others have no header and instruments of an old day are listed nowhere.
struct RecordingSurvey {
  let venue: KnownVenue
  let instruments: [Instrument]
  let feed: any PublicFeed
  /// Checksums that the books have verified so far, where their dialect has them in its books.
  let verified: () -> Int

  init(_ frames: [RecordedFrame]) throws {
    let connections = Dictionary(grouping: frames, by: \.connection).values
    guard Set(connections.compactMap(RecordedMarkets.dialect(of:))).count <= 1 else {
      throw CommandError("these are recordings of several exchanges: play them one by one")
    }
    let roots = frames.lazy.filter { $0.kind == .received }.compactMap(Self.root)
    // What a recording is of shows in its first frames.
    if roots.prefix(1_000).contains(where: { $0["feed"]?.string?.hasPrefix("book") == true }) {
      let names = Set(roots.compactMap { $0["product_id"]?.string }).sorted()
      // Numbers there have no text of a fixed length: as many places as fit.
      let instruments = Self.instruments(.kraken, names.map { ($0, 8, 8) })
      self.init(.kraken, instruments, KrakenFuturesReader(instruments)) { 0 }
    } else if let markets = try Self.streamed(frames) {
      try self.init(markets, roots)
    } else {
      try self.init(binance: roots)
    }
  }

  private init(
    _ venue: KnownVenue, _ instruments: [Instrument], _ feed: any PublicFeed,
    verified: @escaping () -> Int
  ) {
    self.venue = venue
    self.instruments = instruments
    self.feed = feed
    self.verified = verified
  }

  // MARK: Kraken and OKX

  /// Nil when the frames are in the words of neither.
  private static func streamed(_ frames: [RecordedFrame]) throws -> RecordedMarkets? {
    do throws(JSONError) {
      let markets = try RecordedMarkets(frames: frames)
      return markets?.dialect == .binance ? nil : markets
    } catch {
      throw CommandError("a frame is no message of its exchange: \(error)")
    }
  }

  private init(_ markets: RecordedMarkets, _ roots: some Sequence<JSONValue>) throws {
    let shapes = markets.shapes
    guard !shapes.isEmpty else {
      throw CommandError("there is no book in it: only books can be checked")
    }
    let sorted = shapes.sorted { $0.key < $1.key }
    guard markets.dialect == .kraken else {
      let instruments = Self.instruments(
        .okx, sorted.map { ($0.key, $0.value.priceScale, $0.value.quantityScale) })
      let names = Set(roots.compactMap { $0["arg"]?["channel"]?.string })
      let book = OKXChannels.Book.allCases.last { names.contains($0.rawValue) } ?? .books
      let top: OKXChannels.Top = names.contains("bbo-tbt") ? .bestTick : .tickers
      let feed = OKXFeed(instruments, channels: OKXChannels(book: book, top: top))
      self.init(.okx, instruments, feed) { 0 }
      return
    }
    let instruments = Self.instruments(
      .kraken, sorted.map { ($0.key, $0.value.priceScale, $0.value.quantityScale) })
    if roots.contains(where: { $0.array != nil }) {
      let reader = KrakenV1Reader(instruments)
      self.init(.kraken, instruments, reader) {
        instruments.reduce(0) { $0 + (reader.book(of: $1.id)?.verified ?? 0) }
      }
    } else {
      let depth = shapes.values.compactMap(\.depth).max() ?? 1_000
      let feed = KrakenFeed(instruments, depth: depth)
      self.init(.kraken, instruments, feed) {
        instruments.reduce(0) { $0 + (feed.book(of: $1.id)?.verified ?? 0) }
      }
    }
  }

  // MARK: Binance

  private init(binance roots: some Sequence<JSONValue>) throws {
    var scales: [String: (price: UInt8, quantity: UInt8)] = [:]
    var isFutures = false
    for root in roots {
      guard let data = root["data"] ?? root.ifDepth, let symbol = data["s"]?.string,
        data["U"] != nil
      else { continue }
      if data["pu"] != nil { isFutures = true }
      var scale = scales[symbol] ?? (0, 0)
      for side in ["b", "a"] {
        for row in data[side]?.array.map(Array.init) ?? [] {
          scale.price = max(scale.price, Self.places(row[0]?.string))
          scale.quantity = max(scale.quantity, Self.places(row[1]?.string))
        }
      }
      scales[symbol] = scale
    }
    guard !scales.isEmpty else {
      throw CommandError(
        "there is no book in the words of Binance, Kraken or OKX in it: only those can be checked")
    }
    let venue: KnownVenue = isFutures ? .binanceUSDM : .binance
    let instruments = Self.instruments(
      venue, scales.sorted { $0.key < $1.key }.map { ($0.key, $0.value.price, $0.value.quantity) })
    let feed = BinanceFeed(isFutures ? .usdm : .spot, instruments)
    self.init(venue, instruments, feed) { 0 }
  }

  // MARK: Instruments

  private static func instruments(
    _ venue: KnownVenue, _ names: [(name: String, price: UInt8, quantity: UInt8)]
  ) -> [Instrument] {
    names.enumerated().map { index, named in
      Instrument(
        id: InstrumentID(Int32(index)), venue: venue.id, symbol: named.name,
        venueSymbol: named.name, base: named.name, quote: "", priceScale: named.price,
        quantityScale: named.quantity, tickSize: Price(1), lotSize: Quantity(1),
        minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
    }
  }

  /// Digits behind the point that are not all zeros at the end.
  private static func places(_ text: String?) -> UInt8 {
    guard let text, let point = text.firstIndex(of: ".") else { return 0 }
    let digits = text[text.index(after: point)...]
    return UInt8(
      clamping: (digits.lastIndex { $0 != "0" }).map {
        digits.distance(from: digits.startIndex, to: $0) + 1
      } ?? 0)
  }

  /// Nil for a frame that is no JSON.
  static func root(_ frame: RecordedFrame) -> JSONValue? {
    do throws(JSONError) {
      return try JSONDocument(parsing: frame.bytes).root
    } catch {
      return nil
    }
  }
}

extension JSONValue {
  /// A depth update outside of a combined stream.
  fileprivate var ifDepth: JSONValue? { self["U"] == nil ? nil : self }
}
