internal import Bytes
internal import Chrono
internal import JSON
internal import Recording
internal import Units
internal import Venue

/// One recorded message of a market.
struct CaptureMessage {
  enum Content {
    /// Told exactly as it was: the payload without the combined-stream envelope.
    case verbatim(StreamKind, payload: [UInt8])
    /// Told anew to each listener at its own depth.
    case book(RecordedBook)
    case trades([RecordedTrade])
  }

  /// When the recorder received it, by its own clock.
  let received: Instant
  let content: Content
}

/// A recorded stretch of one market, in any format that `Recording` reads. Several files are played one
/// after another.
///
/// Binance: frames of combined streams and a REST snapshot of the book. Kraken (version 2 and 1) and
/// OKX: the book begins with the snapshot that the channel sends.
struct MarketCapture {
  let market: SimulatedMarket
  let snapshot: BookSnapshot
  /// How many messages came before the recorder fetched its snapshot; nil where it came by itself.
  let messagesBeforeSnapshot: Int?
  /// The venue gave checksums when this was recorded.
  let hasChecksums: Bool
  /// Levels a side that the recorder's subscription had; nil for all.
  let depth: Int?
  /// Binance's, told as they were.
  private let frames: [RecordedFrame]
  /// Those of the others.
  private let messages: [CaptureMessage]

  var symbol: String { market.symbol }
  var count: Int { frames.count + messages.count }

  /// `markets`: what the exchange lists; of Kraken and OKX the recording may bring its own.
  static func of(
    _ replay: ReplaySettings, markets: [SimulatedMarket]
  ) throws(ExchangeLogError) -> MarketCapture {
    let known = markets.first { $0.symbol == replay.symbol }
    guard replay.dialect == .binance else {
      return try MarketCapture(streamed: replay, known: known, count: markets.count)
    }
    guard let known else {
      throw ExchangeLogError(replay.files.first ?? "", "no market \(replay.symbol)")
    }
    return try MarketCapture(paths: replay.files, market: known)
  }

  /// Of Binance.
  init(paths: [String], market: SimulatedMarket) throws(ExchangeLogError) {
    self.market = market
    messages = []
    (hasChecksums, depth) = (false, nil)
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

  /// Of Kraken or OKX: read once, as a whole.
  private init(
    streamed replay: ReplaySettings, known: SimulatedMarket?, count: Int
  ) throws(ExchangeLogError) {
    messagesBeforeSnapshot = nil
    frames = []
    var recorded = RecordedMarkets(replay.dialect)
    var read: [(received: Instant, message: RecordedMessage)] = []
    do throws(JSONError) {
      for path in replay.files {
        for frame in try Self.frames(path) {
          guard let message = try recorded.take(frame) else { continue }
          if message.concerns(replay.symbol) { read.append((frame.time, message)) }
        }
      }
      guard let shape = recorded.shapes[replay.symbol], shape.hasSnapshot else {
        throw JSONError.unexpected("no snapshot of the book of \(replay.symbol)")
      }
      (hasChecksums, depth) = (shape.hasChecksum, shape.depth)
      let market = try Self.recorded(replay, shape, known: known, count: count)
      self.market = market
      var messages: [CaptureMessage] = []
      for (received, message) in read {
        guard let content = try message.content(market) else { continue }
        messages.append(CaptureMessage(received: received, content: content))
      }
      snapshot = try Self.first(messages, market)
      self.messages = messages
    } catch {
      throw ExchangeLogError(replay.files.joined(separator: ", "), "\(error)")
    }
  }

  private static func frames(_ path: String) throws(JSONError) -> [RecordedFrame] {
    do throws(ExchangeLogError) {
      return try RecordedMarkets.frames(of: path)
    } catch {
      throw .unexpected(error.description)
    }
  }

  private static func recorded(
    _ replay: ReplaySettings, _ shape: RecordedMarkets.Shape, known: SimulatedMarket?, count: Int
  ) throws(JSONError) -> SimulatedMarket {
    do throws(ExchangeLogError) {
      return try .recorded(replay.symbol, shape, replay.dialect, known: known, count: count)
    } catch {
      throw .unexpected(error.description)
    }
  }

  private static func first(
    _ messages: [CaptureMessage], _ market: SimulatedMarket
  ) throws(JSONError) -> BookSnapshot {
    for message in messages {
      guard case .book(let book) = message.content, book.isSnapshot else { continue }
      return BookSnapshot(
        instrument: market.instrument.id, updateID: UInt64(max(1, book.sequence ?? 1)),
        exchangeTime: .epoch, receivedTime: .epoch, bids: book.bids, asks: book.asks)
    }
    throw .unexpected("no snapshot of the book of \(market.symbol)")
  }

  /// Nil for a stream that is not simulated, or of another symbol.
  func message(_ index: Int) throws(JSONError) -> CaptureMessage? {
    guard frames.isEmpty else { return try framed(index) }
    return messages[index]
  }

  private func framed(_ index: Int) throws(JSONError) -> CaptureMessage? {
    let root = try JSONDocument(parsing: frames[index].bytes).root
    guard let stream = root["stream"]?.string else { return nil }
    guard let at = stream.firstIndex(of: "@"),
      let kind = StreamKind(suffix: stream[stream.index(after: at)...]),
      stream[..<at].uppercased() == symbol
    else { return nil }
    return CaptureMessage(
      received: frames[index].time,
      content: .verbatim(kind, payload: Array(try root.member("data").source)))
  }

  /// What the recorder received, and its snapshots of this symbol.
  private static func frames(
    of path: String, symbol: String
  ) throws(ExchangeLogError) -> [RecordedFrame] {
    try RecordedMarkets.frames(of: path).filter { frame in
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

extension RecordedMessage {
  fileprivate func concerns(_ symbol: String) -> Bool {
    switch self {
    case .book(let book): book.symbol == symbol
    case .trades(let trades): trades.contains { $0.symbol == symbol }
    case .depth: false
    }
  }

  fileprivate func content(
    _ market: SimulatedMarket
  ) throws(JSONError) -> CaptureMessage.Content? {
    switch self {
    case .depth: return nil
    case .book(let text): return .book(try RecordedBook(text, market))
    case .trades(let texts):
      var trades: [RecordedTrade] = []
      for text in texts where text.symbol == market.symbol {
        trades.append(try RecordedTrade(text, market))
      }
      return .trades(trades)
    }
  }
}
