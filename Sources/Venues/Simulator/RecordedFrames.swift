internal import Chrono
internal import JSON
internal import Recording
internal import Units

/// A message of a book or of trades in a recording of Kraken or OKX: numbers are the venue's own texts.
enum RecordedMessage {
  case book(RecordedBookText)
  case trades([RecordedTradeText])
  /// The book that follows has so many levels a side: its reader cuts it to that.
  case depth(symbol: String, Int)
}

struct RecordedBookText {
  typealias Level = (price: String, quantity: String)

  var symbol: String
  var isSnapshot: Bool
  var bids: [Level] = []
  var asks: [Level] = []
  /// As the venue wrote it; nil where it gives none.
  var checksum: Int64?
  var sequence: Int64?
  var previous: Int64?
  var time: Instant?
}

struct RecordedTradeText {
  var symbol: String
  /// Nil where the venue gives none.
  var id: UInt64?
  var price: String
  var quantity: String
  var isSell: Bool
  var time: Instant?
}

/// Reads recorded frames as the venue's client would, without a client's book.
enum RecordedFrames {
  /// In whose words a frame is; nil for one that does not say.
  static func dialect(of root: JSONValue) -> VenueDialect? {
    if root["stream"] != nil || root["lastUpdateId"] != nil { return .binance }
    if root["arg"]?["channel"] != nil { return .okx }
    if let parts = root.array {
      return parts.count >= 4 && parts[parts.count - 1]?.string?.contains("/") == true
        ? .kraken : nil
    }
    let isKraken = root["channel"]?.string != nil || root["method"]?.string != nil
    return isKraken && (root["type"] ?? root["result"]) != nil ? .kraken : nil
  }

  /// Nil for what is no book and no trade.
  static func message(
    _ root: JSONValue, _ dialect: VenueDialect
  ) throws(JSONError) -> RecordedMessage? {
    switch dialect {
    case .binance: nil
    case .okx: try okx(root)
    case .kraken: root.array == nil ? try krakenV2(root) : try krakenV1(root)
    }
  }

  // MARK: Kraken

  /// docs.kraken.com/api/docs/websocket-v2/book and trade.
  private static func krakenV2(_ root: JSONValue) throws(JSONError) -> RecordedMessage? {
    if let result = root["result"], result["channel"]?.string == "book",
      let symbol = result["symbol"]?.string, let depth = result["depth"]?.int
    {
      return .depth(symbol: symbol, depth)
    }
    let isSnapshot = root["type"]?.string == "snapshot"
    switch root["channel"]?.string {
    case "book":
      let data = try root.member("data").element(0)
      var book = RecordedBookText(symbol: try data.string("symbol"), isSnapshot: isSnapshot)
      book.bids = try levels(data.array("bids"))
      book.asks = try levels(data.array("asks"))
      book.checksum = try data.int64("checksum")
      book.time = data["timestamp"]?.string.flatMap { Instant(rfc3339: $0) }
      return .book(book)
    // Trades of before the recording are not its own.
    case "trade" where !isSnapshot:
      var trades: [RecordedTradeText] = []
      for row in try root.array("data") {
        trades.append(
          RecordedTradeText(
            symbol: try row.string("symbol"), id: try row.uint64("trade_id"),
            price: try row.stringOrNumberText("price"),
            quantity: try row.stringOrNumberText("qty"),
            isSell: try row.string("side") == "sell",
            time: row["timestamp"]?.string.flatMap { Instant(rfc3339: $0) }))
      }
      return .trades(trades)
    default: return nil
    }
  }

  private static func levels(_ rows: JSONArray) throws(JSONError) -> [RecordedBookText.Level] {
    var levels: [RecordedBookText.Level] = []
    for row in rows {
      levels.append((try row.stringOrNumberText("price"), try row.stringOrNumberText("qty")))
    }
    return levels
  }

  /// `[channel id, payload, (payload,) "book-1000", "XBT/USD"]`
  /// (docs.kraken.com/api/docs/websocket-v1/book and trade).
  private static func krakenV1(_ root: JSONValue) throws(JSONError) -> RecordedMessage? {
    guard let parts = root.array, parts.count >= 4,
      let channel = parts[parts.count - 2]?.string, let pair = parts[parts.count - 1]?.string
    else { throw .unexpected("an array that is no message of a channel") }
    let symbol = currentName(pair)
    if channel == "trade" {
      var trades: [RecordedTradeText] = []
      for row in try root.element(1).array.map(Array.init) ?? [] {
        trades.append(
          RecordedTradeText(
            symbol: symbol, id: nil, price: try text(row, 0), quantity: try text(row, 1),
            isSell: try text(row, 3) == "s", time: seconds(try text(row, 2))))
      }
      return .trades(trades)
    }
    guard channel.hasPrefix("book-") else { return nil }
    var book = RecordedBookText(symbol: symbol, isSnapshot: parts[1]?["as"] != nil)
    for position in 1..<parts.count - 2 {
      guard let payload = parts[position] else { continue }
      for (name, isBid) in [("bs", true), ("b", true), ("as", false), ("a", false)] {
        for row in payload[name]?.array.map(Array.init) ?? [] {
          let level = (price: try text(row, 0), quantity: try text(row, 1))
          if isBid { book.bids.append(level) } else { book.asks.append(level) }
          book.time = seconds(try text(row, 2)) ?? book.time
        }
      }
      if let sum = payload["c"]?.string { book.checksum = Int64(sum) }
    }
    return .book(book)
  }

  private static func text(_ row: JSONValue, _ place: Int) throws(JSONError) -> String {
    guard let text = row[place]?.string else { throw .unexpected("a row without a text") }
    return text
  }

  private static func seconds(_ text: String) -> Instant? {
    do throws(DecimalError) {
      return try Decimal(parsing: text).units(atScale: 9).map { Instant(nanoseconds: $0) }
    } catch {
      return nil
    }
  }

  /// Version 1 calls bitcoin XBT and dogecoin XDG.
  private static func currentName(_ pair: String) -> String {
    pair.split(separator: "/").map { asset in
      switch asset {
      case "XBT": "BTC"
      case "XDG": "DOGE"
      default: String(asset)
      }
    }.joined(separator: "/")
  }

  /// `book-1000` of version 1; nil for another channel.
  static func depth(ofV1 root: JSONValue) -> Int? {
    guard let parts = root.array, parts.count >= 4, let name = parts[parts.count - 2]?.string,
      name.hasPrefix("book-")
    else { return nil }
    return Int(name.dropFirst(5))
  }

  // MARK: OKX

  /// www.okx.com/docs-v5, "Order book channel" and "Trades channel".
  private static func okx(_ root: JSONValue) throws(JSONError) -> RecordedMessage? {
    guard root["event"] == nil, let argument = root["arg"],
      let channel = argument["channel"]?.string
    else { return nil }
    switch channel {
    case "books", "books-l2-tbt", "books50-l2-tbt":
      let data = try root.member("data").element(0)
      var book = RecordedBookText(
        symbol: try argument.string("instId"),
        isSnapshot: root["action"]?.string == "snapshot")
      for (name, isBid) in [("bids", true), ("asks", false)] {
        for row in try data.array(name) {
          let level = (price: try text(row, 0), quantity: try text(row, 1))
          if isBid { book.bids.append(level) } else { book.asks.append(level) }
        }
      }
      // Zero is none.
      book.checksum = data["checksum"]?.int64.flatMap { $0 == 0 ? nil : $0 }
      book.sequence = data["seqId"]?.int64
      book.previous = data["prevSeqId"]?.int64
      book.time = try milliseconds(data)
      return .book(book)
    case "trades":
      var trades: [RecordedTradeText] = []
      for row in try root.array("data") {
        trades.append(
          RecordedTradeText(
            symbol: try row.string("instId"), id: UInt64(try row.string("tradeId")),
            price: try row.string("px"), quantity: try row.string("sz"),
            isSell: try row.string("side") == "sell", time: try milliseconds(row)))
      }
      return .trades(trades)
    default: return nil
    }
  }

  private static func milliseconds(_ json: JSONValue) throws(JSONError) -> Instant? {
    guard let text = json["ts"]?.string else { return nil }
    guard let value = Int64(text) else { throw .unexpected("ts is \(text)") }
    return Instant(milliseconds: value)
  }
}
