/// One subscriber's view of a topic, read by one task at a time.
package final class Subscription<Event: Sendable>: Sendable {
  package var name: String { reader.name }
  let topic: Topic<Event>
  let reader: TopicReader

  init(_ topic: Topic<Event>, _ reader: TopicReader) {
    self.topic = topic
    self.reader = reader
  }

  deinit { topic.unsubscribe(reader) }

  /// The next event, waited for; nil at the end of the topic or when the task is cancelled.
  package func next() async -> Event? {
    while true {
      if let event = nextNow() { return event }
      if Task.isCancelled || topic.isFinished() { return nextNow() }
      await topic.waitForEvent(reader)
    }
  }

  /// Everything queued, at least one event and at most `max`; empty at the end of the topic or when
  /// the task is cancelled. One claim and one wake-up for many events.
  package func nextBatch(max: Int) async -> [Event] {
    while true {
      let events = batchNow(max: max)
      if !events.isEmpty { return events }
      if Task.isCancelled || topic.isFinished() { return batchNow(max: max) }
      await topic.waitForEvent(reader)
    }
  }

  /// The next event if there is one.
  package func nextNow() -> Event? {
    var found: Event?
    _ = topic.read(reader, max: 1) { found = $0 }
    return found
  }

  /// Gives what is queued, `max` events at most, to `body` in order; returns how many. Nothing is
  /// copied: while `body` runs, the events it is given take up the topic's room.
  @discardableResult
  package func forEachNow(max: Int, _ body: (Event) -> Void) -> Int {
    topic.read(reader, max: max, body)
  }

  private func batchNow(max: Int) -> [Event] {
    var events: [Event] = []
    _ = topic.read(reader, max: max) { events.append($0) }
    return events
  }

  /// Events that wait to be read.
  package var pending: Int { topic.pending(reader) }
  /// Events that were lost because this subscriber was slow.
  package var dropped: UInt64 { reader.dropped }
}

extension Subscription: AsyncSequence {
  package typealias Element = Event
  package typealias Failure = Never

  package func makeAsyncIterator() -> Iterator { Iterator(subscription: self) }

  package struct Iterator: AsyncIteratorProtocol {
    fileprivate let subscription: Subscription

    package mutating func next() async -> Event? { await subscription.next() }

    package mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
      await subscription.next()
    }
  }
}
