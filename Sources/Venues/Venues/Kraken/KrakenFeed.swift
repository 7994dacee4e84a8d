package import Chrono
internal import JSON
internal import Units
package import Venue

/// What one connection to Kraken is for.
package enum KrakenChannels: Sendable {
  /// Books by levels, trades, best prices and status.
  case all
  /// The same without books.
  case withoutBooks
  /// Books by orders alone: another host, and a token for each connection
  /// (docs.kraken.com/api/docs/websocket-v2/level3).
  case orders(token: @Sendable () -> String)

  var isByOrder: Bool { if case .orders = self { true } else { false } }
}

/// Kraken's public streams of one connection, by WebSocket version 2.
///
/// Books: each subscription begins with a snapshot; every snapshot and every update carries a
/// checksum, and one that does not match taints the book at that message. The symbol is then
/// unsubscribed and subscribed again, at once the first time and after growing pauses later.
/// Trades: ids of a pair have no holes; what is missing is fetched and told late, as back-filled.
/// Status: of the venue by the `status` channel, of pairs by `instrument`.
/// (docs.kraken.com/api/docs/websocket-v2.)
package final class KrakenFeed: PublicFeed {
  package let instruments: [Instrument]
  package let target = "/v2"
  /// Levels a side: what was asked for, or the next that Kraken has.
  package let depth: Int

  let channels: KrakenChannels
  let markets: [KrakenMarket]
  var requests = KrakenRequests()
  /// The venue as a whole takes orders.
  private(set) var systemStatus = "online"
  private let places: [String: Int]
  private var reader = JSONReader()
  private(set) var lastFrame = Instant.epoch
  private var isPinging = false
  private var nextClock = Instant.epoch

  package static let depths = [10, 25, 100, 500, 1_000]
  /// After so long without a frame the venue is asked for a sign; it sends heartbeats once a
  /// second.
  static let quietMax = Duration.seconds(5)
  /// And so often for its time, which its answers carry.
  static let clockInterval = Duration.seconds(30)

  package init(
    _ instruments: [Instrument], depth: Int = 1_000, channels: KrakenChannels = .all
  ) {
    let depths = channels.isByOrder ? [10, 100, 1_000] : Self.depths
    let depth = depths.first { $0 >= depth } ?? 1_000
    self.instruments = instruments
    self.depth = depth
    self.channels = channels
    markets = instruments.map {
      KrakenMarket($0, depth: depth, isByOrder: channels.isByOrder)
    }
    places = Dictionary(
      instruments.enumerated().map { ($1.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first }
    )
  }

  /// The book as it is, for checks.
  package func book(of instrument: InstrumentID) -> KrakenBook? {
    markets.first { $0.instrument.id == instrument }?.book as? KrakenBook
  }

  /// The book by orders, where that is what the feed follows.
  package func orderBook(of instrument: InstrumentID) -> KrakenOrderBook? {
    markets.first { $0.instrument.id == instrument }?.book as? KrakenOrderBook
  }

  // MARK: Connection

  package func opened(at now: Instant, _ output: inout FeedOutput) {
    requests.removeAll()
    lastFrame = now
    isPinging = false
    nextClock = now + Self.clockInterval
    for index in markets.indices { markets[index].restart(at: now) }
    let symbols = instruments.map(\.venueSymbol)
    guard !symbols.isEmpty else { return }
    // The answers of an earlier connection do not come any more.
    for index in markets.indices where markets[index].missing != nil { askTrades(index, &output) }
    guard !channels.isByOrder else { return pace(at: now, &output) }
    requests.send("subscribe", "instrument", [], at: now, &output)
    if case .all = channels { subscribeBooks(symbols, at: now, &output) }
    requests.send("subscribe", "trade", symbols, at: now, &output) { $0.member("snapshot", true) }
    requests.send("subscribe", "ticker", symbols, at: now, &output) {
      $0.member("event_trigger", "bbo")
    }
  }

  var bookChannel: String { channels.isByOrder ? "level3" : "book" }

  func subscribeBooks(_ symbols: [String], at now: Instant, _ output: inout FeedOutput) {
    requests.send("subscribe", bookChannel, symbols, at: now, &output) {
      $0.member("depth", depth)
      $0.member("snapshot", true)
      if case .orders(let token) = channels { $0.member("token", token()) }
    }
  }

  package func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
    for index in markets.indices where markets[index].book.isWhole {
      markets[index].book.invalidate()
      output.events.append(.stale(markets[index].instrument.id, reason: reason))
    }
  }

  package func tick(at now: Instant, _ output: inout FeedOutput) {
    // Answers are late when other frames came instead: our own slowness is not the venue's.
    if let overdue = requests.overdue(at: lastFrame) {
      output.faults.append(.refused("no acknowledgement of \(overdue.channel)"))
      output.wishes.append(.reconnect(reason: "no acknowledgement of \(overdue.channel)"))
      requests.removeAll()
      return
    }
    if (now - lastFrame > Self.quietMax && !isPinging) || now >= nextClock {
      isPinging = true
      nextClock = now + Self.clockInterval
      requests.ping(at: now, &output)
    }
    tickBooks(at: now, &output)
  }

  package func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
    lastFrame = received
    isPinging = false
    do throws(JSONError) {
      let root = try reader.parse(frame)
      if let channel = root["channel"] {
        try take(channel, root, received, &output)
      } else if let method = root["method"]?.string {
        answer(method, root, at: received, &output)
      } else {
        throw .unexpected("neither a channel's message nor an answer")
      }
    } catch {
      output.faults.append(.malformed(error.description))
    }
  }

  private func take(
    _ channel: JSONValue, _ root: JSONValue, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    if channels.isByOrder ? channel.isString("level3") : channel.isString("book") {
      let isSnapshot = root["type"]?.isString("snapshot") == true
      for row in try root.array("data") { try takeBook(row, isSnapshot, received, &output) }
    } else if channel.isString("trade") {
      let isSnapshot = root["type"]?.isString("snapshot") == true
      try takeTrades(root.array("data"), isSnapshot, received, &output)
    } else if channel.isString("ticker") {
      for row in try root.array("data") { try takeTop(row, received, &output) }
    } else if channel.isString("instrument") {
      for pair in try root.member("data").array("pairs") { try takePair(pair, received, &output) }
    } else if channel.isString("status") {
      for row in try root.array("data") {
        takeSystem(try row.string("system"), received, &output)
      }
    } else if channel.string == nil {
      throw .unexpected("channel is not a string")
    }
  }

  /// When the venue took a request and when it answered it, to the microsecond
  /// (docs.kraken.com/api/docs/websocket-v2/ping: `time_in`, `time_out`).
  func tellClock(_ root: JSONValue, at received: Instant, _ output: inout FeedOutput) {
    guard let id = root["req_id"]?.int, let sent = requests.sent(id),
      let took = root["time_in"]?.krakenTime, let gave = root["time_out"]?.krakenTime
    else { return }
    output.clocks.append(
      ClockReading(sent: sent, received: received, venueReceived: took, venueSent: gave))
  }

  /// The market that a row is of; nil when we do not follow it.
  func place(_ row: JSONValue) throws(JSONError) -> Int? { places[try row.string("symbol")] }

  func place(of symbol: String) -> Int? { places[symbol] }

  // MARK: Status and best prices

  private func takeTop(
    _ row: JSONValue, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    guard let index = try place(row) else { return }
    let instrument = markets[index].instrument
    output.events.append(
      .top(
        TopOfBook(
          // Tickers have no number, so this equals no state of a book.
          instrument: instrument.id, updateID: 0,
          bid: try instrument.krakenLevel(row.member("bid"), row.member("bid_qty")),
          ask: try instrument.krakenLevel(row.member("ask"), row.member("ask_qty")),
          receivedTime: received)))
  }

  private func takePair(
    _ pair: JSONValue, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    guard let index = try place(pair) else { return }
    let instrument = markets[index].instrument
    markets[index].status = try pair.string("status")
    tellStatus(index, received, &output)
    let precision = (pair["price_precision"]?.int, pair["qty_precision"]?.int)
    if precision.0 ?? 0 > Int(instrument.priceScale)
      || precision.1 ?? 0 > Int(instrument.quantityScale)
    {
      output.faults.append(
        .refused("\(instrument.symbol) has got more digits than when it was loaded"))
    }
  }

  private func takeSystem(_ status: String, _ received: Instant, _ output: inout FeedOutput) {
    guard status != systemStatus else { return }
    systemStatus = status
    for index in markets.indices { tellStatus(index, received, &output) }
  }

  /// Only what has changed. `post_only` matches nothing, so it is no trading.
  private func tellStatus(_ index: Int, _ received: Instant, _ output: inout FeedOutput) {
    let text = systemStatus == "online" ? markets[index].status : systemStatus
    guard text != markets[index].toldStatus else { return }
    markets[index].toldStatus = text
    output.events.append(
      .status(
        TradingStatus(
          instrument: markets[index].instrument.id, isTrading: KrakenMarket.isTrading(text),
          text: text, receivedTime: received)))
  }
}

extension Instrument {
  func krakenLevel(_ price: JSONValue, _ quantity: JSONValue) throws(JSONError) -> PriceLevel {
    guard let rawPrice = KrakenNumber(price)?.raw(scale: priceScale),
      let rawQuantity = KrakenNumber(quantity)?.raw(scale: quantityScale)
    else {
      throw .unexpected(
        "\(symbol): \(quantity) at \(price) has no whole number of ticks of "
          + "\(priceScale) and \(quantityScale) places")
    }
    return PriceLevel(price: Price(rawPrice), quantity: Quantity(rawQuantity))
  }
}
