internal import Chrono
internal import JSON

/// The SUBSCRIBE messages of one connection: few enough a second, each acknowledged.
///
/// Binance takes five messages a second of a connection and closes it when there are more.
struct StreamSubscription {
  private let names: [String]
  private var next = 0
  private var lastID = 0
  /// Unanswered messages, and since when.
  private var waiting: [Int: Instant] = [:]

  /// Names in one message.
  static let namesMax = 100
  static let messagesPerSecondMax = 4
  static let answerMax = Duration.seconds(10)

  init(_ names: [String]) { self.names = names }

  mutating func begin(at now: Instant, _ output: inout FeedOutput) {
    next = 0
    waiting.removeAll()
    send(at: now, &output)
  }

  mutating func tick(at now: Instant, _ output: inout FeedOutput) {
    if let oldest = waiting.values.min(), now - oldest > Self.answerMax {
      output.wishes.append(.reconnect(reason: "a subscription was not acknowledged"))
      return
    }
    send(at: now, &output)
  }

  /// `refusal` is nil for a good answer.
  mutating func answered(_ id: Int?, _ refusal: String?, _ output: inout FeedOutput) {
    if let id { waiting[id] = nil }
    if let refusal { output.faults.append(.refused(refusal)) }
  }

  private mutating func send(at now: Instant, _ output: inout FeedOutput) {
    for _ in 0..<Self.messagesPerSecondMax where next < names.count {
      let end = min(names.count, next + Self.namesMax)
      lastID += 1
      waiting[lastID] = now
      var json = JSONWriter()
      json.object { json in
        json.member("method", "SUBSCRIBE")
        json.name("params")
        json.array { json in for name in names[next..<end] { json.string(name) } }
        json.member("id", lastID)
      }
      output.wishes.append(.send(json.finished()))
      next = end
    }
  }
}
