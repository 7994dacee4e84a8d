import EventBus
import Seeds
import Synchronization
import Testing

/// What a topic promises, written down as slowly as it can be.
private struct NaiveTopic {
  struct Subscriber {
    let name: String
    let capacity: Int
    let overflow: Overflow
    var queue: [Int] = []
    var dropped: UInt64 = 0

    func isFull(for count: Int) -> Bool { queue.count + count > capacity }
  }

  var subscribers: [Subscriber] = []
  var refused: UInt64 = 0
  var dropped: UInt64 = 0
  var published: UInt64 = 0

  /// The names of those for whom it was refused.
  mutating func publish(_ events: [Int]) -> [String] {
    let count = events.count
    let refusing = subscribers.filter { subscriber in
      subscriber.isFull(for: count)
        && (subscriber.overflow == .refuse || subscriber.overflow == .wait
          || subscriber.overflow == .dropOldest && subscriber.capacity < count)
    }
    guard refusing.isEmpty else {
      refused += UInt64(count)
      return refusing.map(\.name)
    }
    if subscribers.contains(where: { $0.overflow == .dropNewest && $0.isFull(for: count) }) {
      dropped += UInt64(count)
      return []
    }
    published += UInt64(count)
    for index in subscribers.indices {
      subscribers[index].queue += events
      let excess = subscribers[index].queue.count - subscribers[index].capacity
      guard excess > 0 else { continue }
      subscribers[index].queue.removeFirst(excess)
      subscribers[index].dropped += UInt64(excess)
    }
    return []
  }
}

/// An event that is counted while it lives.
private final class Token: Sendable {
  final class Count: Sendable {
    let alive = Atomic<Int>(0)
  }

  let value: Int
  private let count: Count

  init(_ value: Int, _ count: Count) {
    self.value = value
    self.count = count
    count.alive.wrappingAdd(1, ordering: .relaxed)
  }

  deinit { count.alive.wrappingSubtract(1, ordering: .relaxed) }
}

@Suite struct `A topic against a naive one` {
  @Test(arguments: 1...24 as ClosedRange<UInt64>)
  func `BUS-01 does the same, event by event, and lets go of every event`(seed: UInt64) throws {
    let count = Token.Count()
    var duel = Duel(seed: seed, count)
    for _ in 0..<3_000 { try duel.step() }
    duel.compare()
    #expect(duel.naive.published > 100, "seed \(seed): hardly anything was published")
    duel.end()
    #expect(count.alive.load(ordering: .relaxed) == 0, "seed \(seed): events were kept")
  }

  private struct Duel {
    let seed: UInt64
    let count: Token.Count
    var random: SeededGenerator
    var naive = NaiveTopic()
    var topic: Topic<Token>?
    var subscriptions: [Subscription<Token>] = []
    var value = 0
    var names = 0

    init(seed: UInt64, _ count: Token.Count) {
      self.seed = seed
      self.count = count
      random = SeededGenerator(seed: seed)
      topic = Topic(name: "duel", capacity: 64)
    }

    mutating func end() {
      subscriptions = []
      topic = nil
    }

    mutating func step() throws {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<2: if subscriptions.count < 4 { join() }
      case 2..<3: if subscriptions.count > 1 { leave() }
      case 3..<40: try publish([next()], asBatch: false)
      case 40..<55:
        try publish((0..<Int.random(in: 1...12, using: &random)).map { _ in next() }, asBatch: true)
      default: read()
      }
    }

    private mutating func next() -> Int {
      value += 1
      return value
    }

    private mutating func join() {
      names += 1
      let overflow: Overflow = [.dropOldest, .dropNewest, .refuse, .wait].randomElement(
        using: &random)!
      let capacity = Int.random(in: 1...64, using: &random)
      naive.subscribers.append(.init(name: "s\(names)", capacity: capacity, overflow: overflow))
      subscriptions.append(topic!.subscribe("s\(names)", capacity: capacity, overflow: overflow))
    }

    private mutating func leave() {
      let index = Int.random(in: subscriptions.indices, using: &random)
      naive.subscribers.remove(at: index)
      subscriptions.remove(at: index)
    }

    private mutating func publish(_ values: [Int], asBatch: Bool) throws {
      let refusing = naive.publish(values)
      let tokens = values.map { Token($0, count) }
      do throws(TopicError) {
        if asBatch {
          try topic!.publishNow(contentsOf: tokens)
        } else {
          try topic!.publishNow(tokens[0])
        }
        #expect(refusing.isEmpty, "seed \(seed): not refused for \(refusing)")
      } catch {
        guard case .full(let name) = error else { throw error }
        #expect(refusing.contains(name), "seed \(seed): refused for \(name)")
      }
    }

    private mutating func read() {
      guard let index = subscriptions.indices.randomElement(using: &random) else { return }
      let max = Int.random(in: 1...20, using: &random)
      let expected = Array(naive.subscribers[index].queue.prefix(max))
      naive.subscribers[index].queue.removeFirst(expected.count)
      var seen: [Int] = []
      if max == 1 {
        if let token = subscriptions[index].nextNow() { seen.append(token.value) }
      } else {
        subscriptions[index].forEachNow(max: max) { seen.append($0.value) }
      }
      #expect(seen == expected, "seed \(seed)")
    }

    func compare() {
      for (subscription, twin) in zip(subscriptions, naive.subscribers) {
        #expect(subscription.pending == twin.queue.count, "seed \(seed)")
        #expect(subscription.dropped == twin.dropped, "seed \(seed)")
      }
      #expect(topic!.published == naive.published, "seed \(seed)")
      #expect(topic!.refused == naive.refused, "seed \(seed)")
      #expect(topic!.dropped == naive.dropped, "seed \(seed)")
    }
  }
}
