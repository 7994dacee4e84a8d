package import Chrono
internal import JSON
internal import Units
package import Venue

/// Recordings of Kraken Futures' WebSocket version 1: books and trades, with a number for each
/// change of a book and no checksum. It asks for nothing.
///
/// A book begins with a `book_snapshot`; each `book` message changes one level and has the number
/// after the one before (docs.kraken.com/api/docs/futures-api/websocket/book).
package final class KrakenFuturesReader: PublicFeed {
  package let instruments: [Instrument]
  package let target = "/ws/v1"
  private let books: [KrakenBook]
  private var sequences: [UInt64]
  /// Changes that followed their predecessor.
  package private(set) var followed = 0
  private let places: [String: Int]
  private var reader = JSONReader()

  package init(_ instruments: [Instrument]) {
    self.instruments = instruments
    books = instruments.map { KrakenBook($0, depth: nil) }
    sequences = instruments.map { _ in 0 }
    places = Dictionary(
      instruments.enumerated().map { ($1.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first }
    )
  }

  package func book(of instrument: InstrumentID) -> KrakenBook? {
    books.first { $0.instrument.id == instrument }
  }

  package func opened(at now: Instant, _ output: inout FeedOutput) {
    for book in books { book.invalidate() }
  }

  package func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
    for book in books where book.isWhole {
      book.invalidate()
      output.events.append(.stale(book.instrument.id, reason: reason))
    }
  }

  package func tick(at now: Instant, _ output: inout FeedOutput) {}

  package func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
  ) {}

  package func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
    var touched: Int?
    do throws(JSONError) {
      let root = try reader.parse(frame)
      // Events are acknowledgements and refusals.
      guard root["event"] == nil else { return }
      let feed = try root.member("feed")
      guard let index = places[try root.string("product_id")] else { return }
      if feed.isString("book") {
        touched = index
        try change(root, index, received, &output)
      } else if feed.isString("book_snapshot") {
        touched = index
        try replace(root, index, received, &output)
      } else if feed.isString("trade") {
        try trade(root, instruments[index], received, &output)
      }
    } catch {
      output.faults.append(.malformed(error.description))
      // Some of it may be in the book already.
      if let touched { taint(touched, "a message cannot be read", &output) }
    }
  }

  private func taint(_ index: Int, _ reason: String, _ output: inout FeedOutput) {
    guard books[index].isWhole else { return }
    books[index].invalidate()
    output.events.append(.stale(instruments[index].id, reason: reason))
  }

  private func change(
    _ root: JSONValue, _ index: Int, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    let book = books[index]
    guard book.isWhole else { return }
    let sequence = try root.uint64("seq")
    guard sequence == sequences[index] &+ 1 else {
      let text = "gap: expected \(sequences[index] &+ 1), found \(sequence)"
      output.faults.append(.gap(book.instrument.id, text))
      return taint(index, text, &output)
    }
    sequences[index] = sequence
    followed += 1
    book.begin(received: received)
    try take(try root.member("side").isString("buy") ? .buy : .sell, root, into: book)
    if let time = root["timestamp"]?.int64 { book.happened(at: Self.moment(time)) }
    book.end()
    output.events.append(.delta(book.delta))
  }

  private func replace(
    _ root: JSONValue, _ index: Int, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    let book = books[index]
    sequences[index] = try root.uint64("seq")
    book.beginSnapshot(received: received)
    for row in try root.array("bids") { try take(.buy, row, into: book) }
    for row in try root.array("asks") { try take(.sell, row, into: book) }
    if let time = root["timestamp"]?.int64 { book.happened(at: Self.moment(time)) }
    book.end()
    output.events.append(.snapshot(book.snapshot()))
  }

  private func take(_ side: Side, _ row: JSONValue, into book: KrakenBook) throws(JSONError) {
    let price = try row.krakenNumber("price")
    guard book.set(side, price, try row.krakenNumber("qty")) else {
      throw .unexpected("\(book.instrument.symbol): the level \(row)")
    }
  }

  private func trade(
    _ root: JSONValue, _ instrument: Instrument, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    let level = try instrument.krakenLevel(root.member("price"), root.member("qty"))
    output.events.append(
      .trade(
        Trade(
          instrument: instrument.id, tradeID: try root.uint64("seq"), price: level.price,
          quantity: level.quantity,
          aggressor: try root.member("side").isString("buy") ? .buy : .sell,
          exchangeTime: Self.moment(try root.int64("time")), receivedTime: received)))
  }

  /// Milliseconds, whatever a frame says.
  private static func moment(_ milliseconds: Int64) -> Instant {
    Instant(milliseconds: max(0, min(milliseconds, 9_000_000_000_000)))
  }
}
