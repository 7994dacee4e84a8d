/// One subscriber's queue of a topic, read by one task at a time.
package final class Subscription<Event: Sendable>: Sendable {
  package let name: String
  private let topic: Topic<Event>
  private let ticket: UInt64

  init(_ topic: Topic<Event>, _ ticket: UInt64, _ name: String) {
    self.topic = topic
    self.ticket = ticket
    self.name = name
  }

  deinit { topic.unsubscribe(ticket) }

  /// The next event, waited for; nil at the end of the topic or when the task is cancelled.
  package func next() async -> Event? {
    while true {
      if let event = topic.popFirst(ticket) { return event }
      if Task.isCancelled || topic.isFinished() { return topic.popFirst(ticket) }
      await topic.waitForEvent(ticket)
    }
  }

  /// Everything queued, at least one event and at most `max`; empty at the end of the topic or when
  /// the task is cancelled. One lock and one wake-up for many events.
  package func nextBatch(max: Int) async -> [Event] {
    while true {
      let events = topic.popAll(ticket, max: max)
      if !events.isEmpty { return events }
      if Task.isCancelled || topic.isFinished() { return topic.popAll(ticket, max: max) }
      await topic.waitForEvent(ticket)
    }
  }

  /// The next event if there is one.
  package func nextNow() -> Event? { topic.popFirst(ticket) }

  /// Events that wait to be read.
  package var pending: Int { topic.pending(ticket) }
  /// Events that were lost because this subscriber was slow.
  package var dropped: UInt64 { topic.dropped(ticket) }
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
