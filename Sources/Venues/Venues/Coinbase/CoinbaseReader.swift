package import Chrono
internal import JSON
internal import OrderBook
internal import Units
package import Venue

/// Coinbase Advanced Trade's stream as others recorded it: books, trades and tickers. There is no
/// session of this venue.
///
/// Messages of all channels share one count per connection (`sequence_num`), without holes; a hole,
/// or a book that is crossed, makes every book stale until its next snapshot.
/// (docs.cdp.coinbase.com, "Advanced Trade WebSocket: Sequence Numbers".)
package final class CoinbaseReader {
  /// What was read since the beginning.
  package struct Counts: Sendable, Hashable {
    package var bookMessages = 0
    package var levels = 0
    package var tradeMessages = 0
    package var trades = 0
    package var tickers = 0
    package var others = 0
    package var gaps = 0
    package var crossings = 0
    package var malformed = 0

    package init() {}
  }

  private struct State {
    let instrument: Instrument
    let book = PriceLevelBook()
    var isWhole = false
    var updates: UInt64 = 0
  }

  package private(set) var counts = Counts()
  private var states: [State]
  private let bySymbol: [String: Int]
  private var reader = JSONReader()
  /// The number of the next message.
  private var expected: Int64 = 0

  /// Ids of the instruments must be their places in the list.
  package init(_ instruments: [Instrument]) {
    states = instruments.map { State(instrument: $0) }
    bySymbol = Dictionary(
      zip(instruments.map(\.venueSymbol), 0...), uniquingKeysWith: { first, _ in first })
  }

  package func isWhole(_ instrument: InstrumentID) -> Bool {
    states[Int(instrument.index)].isWhole
  }

  /// A new connection counts from zero.
  package func opened(_ events: inout [MarketEvent]) {
    expected = 0
    taint("a new connection", &events)
  }

  package func receive(
    _ frame: [UInt8], at received: Instant, _ events: inout [MarketEvent]
  ) {
    do throws(JSONError) {
      let root = try reader.parse(frame)
      follow(try root.int64("sequence_num"), &events)
      let channel = try root.member("channel")
      let exchangeTime = try Self.time(root, "timestamp")
      let messages = try root.array("events")
      if channel.isString("l2_data") {
        counts.bookMessages += 1
        for message in messages { try readBook(message, exchangeTime, received, &events) }
      } else if channel.isString("market_trades") {
        counts.tradeMessages += 1
        for message in messages { try readTrades(message, received, &events) }
      } else if channel.isString("ticker") {
        counts.tickers += 1
        for message in messages { try readTickers(message, received, &events) }
      } else {
        counts.others += 1
      }
    } catch {
      counts.malformed += 1
      // Whatever it was about, it is missing.
      taint("a message cannot be read: \(error)", &events)
    }
  }

  // MARK: Sequence

  private func follow(_ number: Int64, _ events: inout [MarketEvent]) {
    if number != expected {
      counts.gaps += 1
      taint("gap: expected message \(expected), found \(number)", &events)
    }
    expected = number &+ 1
  }

  private func taint(_ reason: String, _ events: inout [MarketEvent]) {
    for index in states.indices { taint(index, reason, &events) }
  }

  private func taint(_ index: Int, _ reason: String, _ events: inout [MarketEvent]) {
    guard states[index].isWhole else { return }
    states[index].isWhole = false
    states[index].book.removeAll()
    events.append(.stale(states[index].instrument.id, reason: reason))
  }

  // MARK: Channels

  private func readBook(
    _ message: JSONValue, _ time: Instant, _ received: Instant, _ events: inout [MarketEvent]
  ) throws(JSONError) {
    guard let index = bySymbol[try message.string("product_id")] else { return }
    let instrument = states[index].instrument
    var (bids, asks): ([PriceLevel], [PriceLevel]) = ([], [])
    for update in try message.array("updates") {
      let price = try update.scaled("price_level", instrument.priceScale)
      let quantity = try update.scaled("new_quantity", instrument.quantityScale)
      guard price > 0, quantity >= 0 else {
        throw .unexpected("a level of \(quantity) at \(price)")
      }
      let level = PriceLevel(price: Price(price), quantity: Quantity(quantity))
      let side = try update.member("side")
      if side.isString("bid") {
        bids.append(level)
      } else if side.isString("offer") {
        asks.append(level)
      } else {
        throw .unexpected("a level's side is \(side)")
      }
    }
    counts.levels += bids.count + asks.count
    let isSnapshot = try message.member("type").isString("snapshot")
    guard isSnapshot || states[index].isWhole else { return }
    let update = states[index].updates
    states[index].updates += 1
    if isSnapshot {
      let snapshot = BookSnapshot(
        instrument: instrument.id, updateID: update + 1, exchangeTime: time,
        receivedTime: received, bids: bids, asks: asks)
      states[index].book.apply(snapshot)
      states[index].isWhole = true
      events.append(.snapshot(snapshot))
    } else {
      let delta = BookDelta(
        instrument: instrument.id, firstUpdateID: update + 1, lastUpdateID: update + 1,
        exchangeTime: time, receivedTime: received, bids: bids, asks: asks)
      states[index].book.apply(delta)
      events.append(.delta(delta))
    }
    if states[index].book.isCrossed {
      counts.crossings += 1
      events.removeLast()
      taint(index, BookDesync.crossed.reason, &events)
    }
  }

  private func readTrades(
    _ message: JSONValue, _ received: Instant, _ events: inout [MarketEvent]
  ) throws(JSONError) {
    let isOld = try message.member("type").isString("snapshot")
    // Newest first.
    for trade in try message.array("trades").reversed() {
      guard let index = bySymbol[try trade.string("product_id")] else { continue }
      let instrument = states[index].instrument
      let side = try trade.member("side")
      guard side.isString("BUY") || side.isString("SELL"),
        let id = UInt64(try trade.string("trade_id"))
      else { throw .unexpected("a trade is \(trade)") }
      counts.trades += 1
      events.append(
        .trade(
          Trade(
            instrument: instrument.id, tradeID: id,
            price: Price(try trade.scaled("price", instrument.priceScale)),
            quantity: Quantity(try trade.scaled("size", instrument.quantityScale)),
            // The side told is the maker's.
            aggressor: side.isString("BUY") ? .sell : .buy,
            exchangeTime: try Self.time(trade, "time"), receivedTime: received,
            isBackfilled: isOld)))
    }
  }

  private func readTickers(
    _ message: JSONValue, _ received: Instant, _ events: inout [MarketEvent]
  ) throws(JSONError) {
    for ticker in try message.array("tickers") {
      guard let index = bySymbol[try ticker.string("product_id")] else { continue }
      let instrument = states[index].instrument
      func level(_ price: String, _ size: String) throws(JSONError) -> PriceLevel {
        PriceLevel(
          price: Price(try ticker.scaled(price, instrument.priceScale)),
          quantity: Quantity(try ticker.scaled(size, instrument.quantityScale)))
      }
      events.append(
        .top(
          TopOfBook(
            instrument: instrument.id, updateID: 0,
            bid: try level("best_bid", "best_bid_quantity"),
            ask: try level("best_ask", "best_ask_quantity"), receivedTime: received)))
    }
  }

  private static func time(_ json: JSONValue, _ name: String) throws(JSONError) -> Instant {
    let text = try json.string(name)
    guard let time = Instant(rfc3339: text) else {
      throw .unexpected("\(name) is \(text), no time")
    }
    return time
  }
}
