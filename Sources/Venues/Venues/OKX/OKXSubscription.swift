internal import Chrono
internal import JSON

/// The subscribe requests of one connection: within the venue's limits, each topic acknowledged.
///
/// OKX counts subscribe, unsubscribe and login requests, 480 an hour and connection, and takes
/// requests of at most 64 KB. (okx.com/docs-v5, "WebSocket: Connect".)
struct OKXSubscription {
  private struct Waiting {
    var since: Instant
    var attempts: Int
  }

  private let topics: [OKXTopic]
  private var next = 0
  private var waiting: [OKXTopic: Waiting] = [:]
  private var budget: RequestBudget

  static let requestsPerHourMax = 480
  static let messageMax = 64 << 10
  /// Topics in one request: far below `messageMax`, since a topic has some 60 bytes.
  static let topicsMax = 100
  static let requestsPerTickMax = 3
  static let answerMax = Duration.seconds(10)
  static let attemptsMax = 3
  private static let limit = "subscribe requests"

  init(_ topics: [OKXTopic]) {
    self.topics = topics
    budget = Self.freshBudget
    next = topics.count
  }

  private static var freshBudget: RequestBudget {
    RequestBudget([
      RequestLimit(limit, max: requestsPerHourMax, .window(.seconds(3_600)))
    ])
  }

  /// A new connection, which has its own count.
  mutating func opened() {
    budget = Self.freshBudget
    waiting.removeAll()
    next = topics.count
  }

  /// Takes one request from the count, such as a login; false when there is none left.
  mutating func take(_ requests: Int = 1, at now: Instant) -> Bool {
    budget.take([RequestBudget.Cost(Self.limit, requests)], at: now) == .granted
  }

  mutating func begin(at now: Instant, _ output: inout FeedOutput) {
    next = 0
    send(at: now, &output)
  }

  /// Topics that were never answered are asked for again; in the end the connection is of no use.
  mutating func tick(at now: Instant, _ output: inout FeedOutput) {
    send(at: now, &output)
    let late = waiting.filter { now - $0.value.since > Self.answerMax }
    guard !late.isEmpty else { return }
    if late.values.contains(where: { $0.attempts >= Self.attemptsMax }) {
      output.wishes.append(.reconnect(reason: "a subscription was not acknowledged"))
      return
    }
    let again = late.keys.sorted { ($0.channel, $0.subject) < ($1.channel, $1.subject) }
    request("subscribe", Array(again.prefix(Self.topicsMax)), at: now, &output)
  }

  mutating func acknowledged(_ topic: OKXTopic) { waiting[topic] = nil }

  /// What the venue names in a refusal is not asked for again.
  mutating func refused(_ text: String) {
    waiting = waiting.filter { topic, _ in
      !(text.contains(topic.subject) && text.contains(topic.channel))
    }
  }

  /// Drops a topic and asks for it anew: a book's way to a snapshot. False when the connection's
  /// count has no room for it.
  mutating func renew(_ topic: OKXTopic, at now: Instant, _ output: inout FeedOutput) -> Bool {
    guard take(2, at: now) else { return false }
    waiting[topic] = Waiting(since: now, attempts: 1)
    output.wishes.append(.send(Self.message("unsubscribe", [topic])))
    output.wishes.append(.send(Self.message("subscribe", [topic])))
    return true
  }

  private mutating func send(at now: Instant, _ output: inout FeedOutput) {
    for _ in 0..<Self.requestsPerTickMax where next < topics.count {
      let end = min(topics.count, next + Self.topicsMax)
      guard request("subscribe", Array(topics[next..<end]), at: now, &output) else { return }
      next = end
    }
  }

  @discardableResult
  private mutating func request(
    _ operation: String, _ topics: [OKXTopic], at now: Instant, _ output: inout FeedOutput
  ) -> Bool {
    guard take(at: now) else { return false }
    for topic in topics {
      waiting[topic] = Waiting(since: now, attempts: (waiting[topic]?.attempts ?? 0) + 1)
    }
    output.wishes.append(.send(Self.message(operation, topics)))
    return true
  }

  static func message(_ operation: String, _ topics: [OKXTopic]) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("op", operation)
      json.name("args")
      json.array { json in
        for topic in topics {
          json.object { json in
            json.member("channel", topic.channel)
            if !topic.subject.isEmpty {
              let isType = topic.channel == "instruments" || topic.channel == "orders"
              json.member(isType ? "instType" : "instId", topic.subject)
            }
          }
        }
      }
    }
    return json.finished()
  }
}
