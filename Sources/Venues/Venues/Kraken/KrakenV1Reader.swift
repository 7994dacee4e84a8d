package import Chrono
internal import JSON
internal import Units
package import Venue

/// Recordings of Kraken's WebSocket version 1: books, trades and tickers of one connection, through
/// the same book as version 2. It asks for nothing: live data is `KrakenFeed`'s.
///
/// Messages are `[channel id, payload, "book-1000", "XBT/USD"]`; a book's update may come as two
/// payloads, asks and bids, of which the second carries the checksum; snapshots carry none. Numbers
/// are strings, of more places than the instrument has now.
/// (docs.kraken.com/api/docs/guides/spot-ws-book-v1.)
package final class KrakenV1Reader: PublicFeed {
  package let instruments: [Instrument]
  package let target = "/"
  private var books: [KrakenBook?]
  /// Version 1 gives trades no ids, so they are counted.
  private var trades: [UInt64]
  private let places: [String: Int]
  private var reader = JSONReader()

  package init(_ instruments: [Instrument]) {
    self.instruments = instruments
    books = instruments.map { _ in nil }
    trades = instruments.map { _ in 0 }
    places = Dictionary(
      instruments.enumerated().map { ($1.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first }
    )
  }

  /// The book as it is, for checks; nil before its first snapshot.
  package func book(of instrument: InstrumentID) -> KrakenBook? {
    instruments.firstIndex { $0.id == instrument }.flatMap { books[$0] }
  }

  package func opened(at now: Instant, _ output: inout FeedOutput) {
    for book in books { book?.invalidate() }
  }

  package func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
    for book in books {
      guard let book, book.isWhole else { continue }
      book.invalidate()
      output.events.append(.stale(book.instrument.id, reason: reason))
    }
  }

  package func tick(at now: Instant, _ output: inout FeedOutput) {}

  package func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
  ) {}

  package func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
    do throws(JSONError) {
      let root = try reader.parse(frame)
      // Objects are heartbeats, states and acknowledgements.
      guard let parts = root.array else {
        guard root.object != nil else { throw .unexpected("\(root.kind.name)") }
        return
      }
      guard parts.count >= 4, let channel = parts[parts.count - 2]?.string,
        let pair = parts[parts.count - 1]?.string
      else { throw .unexpected("an array of \(parts.count) is no message of a channel") }
      guard let index = places[Self.currentName(pair)] else { return }
      if channel.hasPrefix("book-") {
        takeBook(parts, channel, index, received, &output)
      } else if channel == "trade" {
        try takeTrades(root.element(1), index, received, &output)
      } else if channel == "ticker" {
        try takeTop(root.element(1), index, received, &output)
      }
    } catch {
      output.faults.append(.malformed(error.description))
    }
  }

  /// `XBT/USD` as version 2 has it: `BTC/USD`.
  package static func currentName(_ pair: String) -> String {
    KrakenAssets.pair(pair).map { "\($0.base)/\($0.quote)" } ?? pair
  }

  // MARK: Books

  private func takeBook(
    _ parts: JSONArray, _ channel: String, _ index: Int, _ received: Instant,
    _ output: inout FeedOutput
  ) {
    do throws(JSONError) {
      let book = try book(index, channel)
      let isSnapshot = parts[1]?["as"] != nil || parts[1]?["bs"] != nil
      guard isSnapshot || book.isWhole else { return }
      if isSnapshot {
        book.beginSnapshot(received: received)
      } else {
        book.begin(received: received)
      }
      var expected: UInt32?
      for position in 1..<parts.count - 2 {
        guard let payload = parts[position] else { continue }
        try take(payload, into: book)
        if let text = payload["c"] {
          guard let value = text.string.flatMap({ UInt32($0) }) else {
            throw .unexpected("c is \(text), no number of 32 bits")
          }
          expected = value
        }
      }
      book.end()
      guard isSnapshot || expected != nil else { throw .unexpected("an update without checksum") }
      if let expected, !book.verify(expected) {
        let text = "the venue's checksum is \(expected), ours \(book.checksum)"
        output.faults.append(.checksum(book.instrument.id, text))
        output.events.append(.stale(book.instrument.id, reason: "checksum mismatch"))
      } else {
        output.events.append(isSnapshot ? .snapshot(book.snapshot()) : .delta(book.delta))
      }
    } catch {
      output.faults.append(.malformed(error.description))
      guard let book = books[index], book.isWhole else { return }
      book.invalidate()
      output.events.append(.stale(book.instrument.id, reason: "a message cannot be read"))
    }
  }

  /// `book-1000`: the depth is known when the first message comes.
  private func book(_ index: Int, _ channel: String) throws(JSONError) -> KrakenBook {
    guard let depth = Int(channel.dropFirst("book-".count)), KrakenFeed.depths.contains(depth)
    else {
      throw .unexpected("the channel \(channel)")
    }
    if let book = books[index], book.depth == depth { return book }
    let book = KrakenBook(instruments[index], depth: depth)
    books[index] = book
    return book
  }

  private func take(_ payload: JSONValue, into book: KrakenBook) throws(JSONError) {
    guard let members = payload.object else { throw .unexpected("a payload is no object") }
    for member in members {
      let side: Side
      if member.isNamed("a") || member.isNamed("as") {
        side = .sell
      } else if member.isNamed("b") || member.isNamed("bs") {
        side = .buy
      } else {
        continue
      }
      guard let rows = member.value.array else { throw .unexpected("levels are no array") }
      for row in rows {
        guard let price = KrakenNumber(try row.element(0)),
          let quantity = KrakenNumber(try row.element(1)), book.set(side, price, quantity)
        else { throw .unexpected("\(book.instrument.symbol): the level \(row)") }
        if let time = row[2]?.krakenSeconds { book.happened(at: time) }
      }
    }
  }

  // MARK: Trades and best prices

  /// `[price, volume, time, side, order type, miscellaneous]`
  private func takeTrades(
    _ rows: JSONValue, _ index: Int, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    guard let rows = rows.array else { throw .unexpected("trades are no array") }
    let instrument = instruments[index]
    for row in rows {
      let level = try instrument.krakenLevel(row.element(0), row.element(1))
      trades[index] += 1
      output.events.append(
        .trade(
          Trade(
            instrument: instrument.id, tradeID: trades[index], price: level.price,
            quantity: level.quantity, aggressor: try row.element(3).isString("b") ? .buy : .sell,
            exchangeTime: try row.element(2).krakenSeconds ?? received, receivedTime: received)))
    }
  }

  /// `{"a": [price, whole lots, volume], "b": ...}`
  private func takeTop(
    _ json: JSONValue, _ index: Int, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    let instrument = instruments[index]
    let bid = try json.member("b")
    let ask = try json.member("a")
    output.events.append(
      .top(
        TopOfBook(
          instrument: instrument.id, updateID: 0,
          bid: try instrument.krakenLevel(bid.element(0), bid.element(2)),
          ask: try instrument.krakenLevel(ask.element(0), ask.element(2)),
          receivedTime: received)))
  }
}
