public import Synchronization

/// One subscriber's view of a topic, read by one task at a time.
public final class Subscription<Event: Sendable>: Sendable {
  package var name: String { reader.name }
  @usableFromInline let topic: Topic<Event>
  @usableFromInline let ring: EventRing<Event>
  @usableFromInline let reader: TopicReader

  init(_ topic: Topic<Event>, _ reader: TopicReader) {
    self.topic = topic
    ring = topic.ring
    self.reader = reader
  }

  deinit { topic.unsubscribe(reader) }

  /// The next event, waited for; nil at the end of the topic or when the task is cancelled.
  package func next() async -> Event? {
    while true {
      if let event = nextNow() { return event }
      if Task.isCancelled || topic.isFinished() { return nextNow() }
      await sleep()
    }
  }

  /// Everything queued, at least one event and at most `max`; empty at the end of the topic or when
  /// the task is cancelled. One claim and one wake-up for many events.
  package func nextBatch(max: Int) async -> [Event] {
    while true {
      let events = batchNow(max: max)
      if !events.isEmpty { return events }
      if Task.isCancelled || topic.isFinished() { return batchNow(max: max) }
      await sleep()
    }
  }

  private func sleep() async {
    reader.bell.reset()
    if ringsWhenNotEmpty() { await reader.bell.wait() }
  }

  func ringsWhenNotEmpty() -> Bool { topic.ringsWhenNotEmpty(reader) }

  /// The next event if there is one.
  package func nextNow() -> Event? {
    var found: Event?
    _ = read(max: 1) { found = $0 }
    return found
  }

  /// Gives what is queued, `max` events at most, to `body` in order; returns how many. Nothing is
  /// copied: while `body` runs, the events it is given take up the topic's room.
  @discardableResult
  @inlinable
  public func forEachNow(max: Int, _ body: (Event) -> Void) -> Int {
    read(max: max, body)
  }

  @inlinable
  func read(max: Int, _ body: (Event) -> Void) -> Int {
    let published = ring.last.pointee.load(ordering: .acquiring)
    guard let claim = reader.claim(upTo: published, max: UInt64(max)) else { return 0 }
    // After the claim, so that it is the base under which the events were written.
    let base = ring.base.pointee.load(ordering: .relaxed)
    let (slots, mask) = (ring.slots, ring.mask)
    var offset = claim.lowerBound &- base
    let end = claim.upperBound &- base
    while offset <= end {
      body(slots[Int(truncatingIfNeeded: offset & mask)])
      offset &+= 1
    }
    reader.release(claim.upperBound)
    if ring.waiting.pointee.load(ordering: .sequentiallyConsistent) != 0 { topic.wakePublishers() }
    return Int(truncatingIfNeeded: claim.upperBound &- claim.lowerBound &+ 1)
  }

  private func batchNow(max: Int) -> [Event] {
    var events: [Event] = []
    _ = read(max: max) { events.append($0) }
    return events
  }

  /// Events that wait to be read.
  package var pending: Int { topic.pending(reader) }
  /// Events that were lost because this subscriber was slow.
  package var dropped: UInt64 { reader.dropped }
}

extension Subscription: AsyncSequence {
  public typealias Element = Event
  public typealias Failure = Never

  public func makeAsyncIterator() -> Iterator { Iterator(subscription: self) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let subscription: Subscription

    public mutating func next() async -> Event? { await subscription.next() }

    public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
      await subscription.next()
    }
  }
}
