package import Chrono
package import JSON
internal import Units
package import Venue

/// A message of a public channel.
package enum OKXFrame: Sendable, Hashable {
  /// It is in the codec's `book`.
  case book
  /// They are in the codec's `trades`.
  case trades
  case top(TopOfBook)
  /// Venue symbol and state of instruments, of ours or of others.
  case statuses([OKXStatus])
  /// What the venue says of its own maintenance.
  case maintenance([OKXMaintenance])
  case subscribed(OKXTopic)
  case loggedIn
  /// The venue says that something is wrong.
  case refused(code: String, text: String)
  /// The venue is about to close the connection.
  case notice(String)
  /// A channel that is not followed, or an instrument of somebody else.
  case other
}

/// What a channel is subscribed for.
package struct OKXTopic: Sendable, Hashable {
  package var channel: String
  /// The instrument, or the type of instruments (`instruments`).
  package var subject: String

  package init(_ channel: String, _ subject: String) {
    self.channel = channel
    self.subject = subject
  }
}

package struct OKXStatus: Sendable, Hashable {
  package var venueSymbol: String
  /// `live`, `suspend`, `preopen`, `test`.
  package var state: String
}

/// A maintenance of the venue as the channel `status` tells it.
package struct OKXMaintenance: Sendable, Hashable {
  /// The same in all messages of one: when it begins, and of which service it is.
  package var name: String
  /// `scheduled`, `ongoing`, `pre_open`, `completed`, `canceled`.
  package var state: String
  /// Trading as a whole, or that of some accounts or products.
  package var isOfTrading: Bool
}

/// A trade and how many of them the message stands for: one message tells all trades that one order
/// made at one price, under the id of the last.
package struct OKXTrade: Sendable, Hashable {
  package var trade: Trade
  package var count: UInt64
}

/// OKX's public JSON to values. Numbers go from their text to integers of the instrument's scale;
/// digits beyond it are an error, never rounded.
///
/// Levels are read into `book`, whose memory is used again for the next message once nobody keeps
/// the last one.
package struct OKXCodec: ~Copyable {
  /// A message of an order book channel.
  package struct Book: Sendable {
    /// Its update ids are for the feed to set.
    package var delta = BookDelta(
      instrument: InstrumentID(0), firstUpdateID: 0, lastUpdateID: 0, exchangeTime: .epoch,
      receivedTime: .epoch, bids: [], asks: [])
    package var isSnapshot = false
    /// Nil before the venue numbered its messages.
    package var sequence: Int64?
    /// -1 for a snapshot.
    package var previous: Int64?
    /// Nil when there is none; the venue writes zero for that today.
    package var checksum: Int32?
  }

  package internal(set) var book = Book()
  package private(set) var trades: [OKXTrade] = []
  /// Whose book the frame is about that was decoded, or could not be, last.
  package private(set) var bookInstrument: InstrumentID?
  private let bySymbol: [String: Instrument]
  private var reader = JSONReader()
  private var pairs = JSONScaledPairs()

  package init(_ instruments: [Instrument]) {
    bySymbol = Dictionary(
      instruments.map { ($0.venueSymbol, $0) }, uniquingKeysWith: { first, _ in first })
  }

  package mutating func decode(
    _ bytes: [UInt8], received: Instant
  ) throws(JSONError) -> OKXFrame {
    bookInstrument = nil
    let root = try reader.parse(bytes)
    if let event = root["event"] { return try Self.event(event, root) }
    let arg = try root.member("arg")
    let channel = try arg.member("channel")
    if channel.isString("instruments") { return try Self.statuses(root.array("data")) }
    if channel.isString("status") { return try Self.maintenance(root.array("data")) }
    guard let instrument = bySymbol[try arg.string("instId")] else { return .other }
    if channel.isString("trades") {
      try readTrades(root.array("data"), instrument, received)
      return .trades
    }
    if channel.isString("tickers") { return try ticker(root.array("data"), instrument, received) }
    if channel.isString("bbo-tbt") { return try best(root.array("data"), instrument, received) }
    guard Self.isBook(channel) else {
      return .other
    }
    bookInstrument = instrument.id
    book.isSnapshot = false
    try readBook(root, instrument, received)
    return .book
  }

  // MARK: Events

  private static func event(
    _ event: JSONValue, _ root: JSONValue
  ) throws(JSONError) -> OKXFrame {
    if event.isString("subscribe") {
      let arg = try root.member("arg")
      let subject = arg["instId"] ?? arg["instType"]
      return .subscribed(OKXTopic(try arg.string("channel"), subject?.string ?? ""))
    }
    if event.isString("login") { return .loggedIn }
    if event.isString("notice") { return .notice(root["msg"]?.string ?? "") }
    if event.isString("error") || event.isString("channel-conn-count-error") {
      return .refused(
        code: root["code"]?.string ?? "", text: root["msg"]?.string ?? root.description)
    }
    return .other
  }

  // MARK: Books

  /// Any of `OKXChannels.Book`.
  private static func isBook(_ channel: JSONValue) -> Bool {
    channel.isString("books") || channel.isString("books-l2-tbt")
      || channel.isString("books50-l2-tbt")
  }

  private mutating func readBook(
    _ root: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) {
    let action = try root.member("action")
    book.isSnapshot = action.isString("snapshot")
    guard book.isSnapshot || action.isString("update") else {
      throw .unexpected("a book's action is \(action)")
    }
    let entries = try root.array("data")
    guard entries.count == 1, let entry = entries.first else {
      throw .unexpected("a book message with \(entries.count) entries")
    }
    book.sequence = try Self.number(entry, "seqId")
    book.previous = try Self.number(entry, "prevSeqId")
    let checksum = try Self.number(entry, "checksum")
    guard let signed = Int32(exactly: checksum ?? 0) else {
      throw .unexpected("a checksum of \(checksum ?? 0)")
    }
    book.checksum = signed == 0 ? nil : signed
    book.delta.instrument = instrument.id
    book.delta.exchangeTime = try entry.instant(milliseconds: "ts")
    book.delta.receivedTime = received
    book.delta.bids.removeAll(keepingCapacity: true)
    book.delta.asks.removeAll(keepingCapacity: true)
    try Self.readLevels(entry.array("bids"), instrument, with: &pairs, into: &book.delta.bids)
    try Self.readLevels(entry.array("asks"), instrument, with: &pairs, into: &book.delta.asks)
  }

  private static func readLevels(
    _ rows: JSONArray, _ instrument: Instrument, with pairs: inout JSONScaledPairs,
    into levels: inout [PriceLevel]
  ) throws(JSONError) {
    try pairs.read(rows, .arrays, scales: instrument.priceScale, instrument.quantityScale)
    levels.reserveCapacity(pairs.count)
    for row in 0..<pairs.count {
      let (price, quantity) = (pairs.first(row), pairs.second(row))
      guard price > 0, quantity >= 0 else {
        throw .unexpected("\(instrument.symbol): a level of \(quantity) at \(price)")
      }
      levels.append(PriceLevel(price: Price(price), quantity: Quantity(quantity)))
    }
  }

  // MARK: The best bid and ask

  private func ticker(
    _ entries: JSONArray, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> OKXFrame {
    guard let entry = entries.first else { throw .unexpected("a ticker without data") }
    // A side of the book that is empty has empty strings.
    func level(_ price: String, _ size: String) throws(JSONError) -> PriceLevel? {
      if try entry.member(price).isString("") { return nil }
      return PriceLevel(
        price: Price(try entry.scaled(price, instrument.priceScale)),
        quantity: Quantity(try entry.scaled(size, instrument.quantityScale)))
    }
    guard let bid = try level("bidPx", "bidSz"), let ask = try level("askPx", "askSz") else {
      return .other
    }
    return .top(
      TopOfBook(instrument: instrument.id, updateID: 0, bid: bid, ask: ask, receivedTime: received))
  }

  private mutating func best(
    _ entries: JSONArray, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> OKXFrame {
    guard let entry = entries.first else { throw .unexpected("a best bid and ask without data") }
    var (bids, asks): ([PriceLevel], [PriceLevel]) = ([], [])
    try Self.readLevels(entry.array("bids"), instrument, with: &pairs, into: &bids)
    try Self.readLevels(entry.array("asks"), instrument, with: &pairs, into: &asks)
    guard let bid = bids.first, let ask = asks.first else { return .other }
    let sequence = try Self.number(entry, "seqId") ?? 0
    return .top(
      TopOfBook(
        instrument: instrument.id, updateID: UInt64(max(0, sequence)), bid: bid, ask: ask,
        receivedTime: received))
  }

  // MARK: Trades

  private mutating func readTrades(
    _ entries: JSONArray, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) {
    trades.removeAll(keepingCapacity: true)
    for entry in entries { trades.append(try Self.trade(entry, instrument, received)) }
  }

  /// The body of GET market/history-trades, oldest first.
  package static func history(
    _ body: [UInt8], of instrument: Instrument, received: Instant
  ) throws(JSONError) -> [Trade] {
    var trades: [Trade] = []
    for entry in try JSONDocument(parsing: body).root.array("data") {
      var trade = try trade(entry, instrument, received).trade
      trade.isBackfilled = true
      trades.append(trade)
    }
    return trades.sorted { $0.tradeID < $1.tradeID }
  }

  private static func trade(
    _ entry: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> OKXTrade {
    let side = try entry.member("side")
    guard side.isString("buy") || side.isString("sell") else {
      throw .unexpected("a trade's side is \(side)")
    }
    let id = try entry.scaled("tradeId", 0)
    let count = try number(entry, "count") ?? 1
    let price = try entry.scaled("px", instrument.priceScale)
    let quantity = try entry.scaled("sz", instrument.quantityScale)
    guard id > 0, count > 0, count <= id, price > 0, quantity > 0 else {
      throw .unexpected("trade \(id): \(quantity) at \(price), \(count) times")
    }
    return OKXTrade(
      trade: Trade(
        instrument: instrument.id, tradeID: UInt64(id), price: Price(price),
        quantity: Quantity(quantity), aggressor: side.isString("buy") ? .buy : .sell,
        exchangeTime: try entry.instant(milliseconds: "ts"), receivedTime: received),
      count: UInt64(count))
  }

  // MARK: Status

  private static func statuses(_ entries: JSONArray) throws(JSONError) -> OKXFrame {
    var statuses: [OKXStatus] = []
    for entry in entries {
      statuses.append(
        OKXStatus(venueSymbol: try entry.string("instId"), state: try entry.string("state")))
    }
    return .statuses(statuses)
  }

  /// Services 5, 8 and 9 are trading's; the environment 2 is the demonstration's
  /// (okx.com/docs-v5, "Status").
  private static func maintenance(_ entries: JSONArray) throws(JSONError) -> OKXFrame {
    var found: [OKXMaintenance] = []
    for entry in entries where entry["env"]?.string != "2" {
      let service = try entry.string("serviceType")
      found.append(
        OKXMaintenance(
          name: "\(service) \(try entry.string("begin"))", state: try entry.string("state"),
          isOfTrading: ["5", "8", "9"].contains(service)))
    }
    return .maintenance(found)
  }

  // MARK: Numbers

  /// An integer, written as a number or as a string; nil when the member is missing or empty.
  private static func number(_ entry: JSONValue, _ name: String) throws(JSONError) -> Int64? {
    guard let value = entry[name], !value.isString("") else { return nil }
    guard let number = value.scaled(0) else { throw .unexpected("\(name) is \(value)") }
    return number
  }
}
