internal import Chrono
internal import JSON

/// The subscription requests of one connection, and those that wait for their acknowledgements.
///
/// A request for several symbols is acknowledged once for each, all under its `req_id`
/// (docs.kraken.com/api/docs/websocket-v2/book).
struct KrakenRequests {
  struct Waiting {
    var channel: String
    /// Empty for a channel without symbols.
    var symbols: Set<String>
    let sent: Instant
  }

  private(set) var waiting: [Int: Waiting] = [:]
  private var last = 0
  private var lastPing: (id: Int, sent: Instant)?

  /// An acknowledgement that takes longer than this never comes.
  static let acknowledgementMax = Duration.seconds(10)
  /// Symbols in one request.
  static let symbolsMax = 100

  mutating func removeAll() { waiting.removeAll() }

  mutating func send(
    _ method: String, _ channel: String, _ symbols: [String], at now: Instant,
    _ output: inout FeedOutput, _ more: (inout JSONWriter) -> Void = { _ in }
  ) {
    var start = 0
    repeat {
      let end = min(symbols.count, start + Self.symbolsMax)
      let part = symbols[start..<end]
      last += 1
      waiting[last] = Waiting(channel: channel, symbols: Set(part), sent: now)
      var writer = JSONWriter()
      writer.object {
        $0.member("method", method)
        $0.name("params")
        $0.object { params in
          params.member("channel", channel)
          if !part.isEmpty {
            params.name("symbol")
            params.array { array in for symbol in part { array.string(symbol) } }
          }
          more(&params)
        }
        $0.member("req_id", last)
      }
      output.wishes.append(.send(writer.finished()))
      start = end
    } while start < symbols.count
  }

  mutating func ping(at now: Instant, _ output: inout FeedOutput) {
    last += 1
    lastPing = (last, now)
    var writer = JSONWriter()
    writer.object {
      $0.member("method", "ping")
      $0.member("req_id", last)
    }
    output.wishes.append(.send(writer.finished()))
  }

  /// When a request was sent that may be answered still.
  func sent(_ id: Int) -> Instant? {
    if let lastPing, lastPing.id == id { return lastPing.sent }
    return waiting[id]?.sent
  }

  /// An answer came; a refusal without a symbol is of the whole request, whose symbols are
  /// returned.
  mutating func answered(_ id: Int, symbol: String?) -> [String] {
    guard let symbol else {
      return waiting.removeValue(forKey: id).map { Array($0.symbols) } ?? []
    }
    waiting[id]?.symbols.remove(symbol)
    if waiting[id]?.symbols.isEmpty == true { waiting[id] = nil }
    return [symbol]
  }

  /// A request that will not be acknowledged any more.
  func overdue(at now: Instant) -> Waiting? {
    waiting.values.first { now - $0.sent > Self.acknowledgementMax }
  }
}
