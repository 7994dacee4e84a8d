private import Synchronization

/// What happens to an event that finds a subscriber's queue full.
package enum Overflow: Sendable, Hashable {
  /// The subscriber loses its oldest event, and the loss is counted.
  case dropOldest
  /// The publisher is refused, and nobody gets the event.
  case refuse
  /// `publish` waits for room; `publishNow` is refused.
  case wait
}

package enum TopicError: Error, Hashable {
  /// The named subscriber has no room.
  case full(subscriber: String)
  case finished
  /// The publishing task was cancelled while it waited; nobody got the event.
  case cancelled
}

/// Broadcasts events inside a process: every subscriber gets every event, all in the same order.
///
/// An event is queued for all subscribers or for none, under one lock that is held for no longer than
/// that; subscribers take events at their own pace.
package final class Topic<Event: Sendable>: Sendable {
  package let name: String
  private let state = Mutex(State())

  fileprivate typealias Ticket = UInt64

  private struct State {
    var subscribers: [Ticket: Subscriber] = [:]
    var waiting: [Ticket: UnsafeContinuation<Void, Never>] = [:]
    var lastTicket: Ticket = 0
    var published: UInt64 = 0
    var isFinished = false
  }

  private struct Subscriber {
    let name: String
    let overflow: Overflow
    var queue: RingBuffer<Event>
    var dropped: UInt64 = 0
    var consumer: UnsafeContinuation<Void, Never>?

    /// Queues the event; returns the consumer to wake, when one waits.
    mutating func take(_ event: Event) -> UnsafeContinuation<Void, Never>? {
      if queue.isFull {
        _ = queue.popFirst()
        dropped += 1
      }
      queue.append(event)
      return consumer.take()
    }
  }

  package init(name: String) { self.name = name }

  /// Events that were accepted since the start.
  package var published: UInt64 { state.withLock { $0.published } }
  package var subscriberCount: Int { state.withLock { $0.subscribers.count } }

  // MARK: Subscribing

  /// From now on; it ends when the subscription is let go. `name` is for errors and metrics.
  package func subscribe(
    _ name: String, capacity: Int, overflow: Overflow
  ) -> Subscription<Event> {
    precondition(capacity > 0, "a subscriber without room gets nothing")
    let ticket = state.withLock { state in
      state.lastTicket += 1
      state.subscribers[state.lastTicket] = Subscriber(
        name: name, overflow: overflow, queue: RingBuffer(capacity: capacity))
      return state.lastTicket
    }
    return Subscription(self, ticket, name)
  }

  // MARK: Publishing

  /// Waits until every subscriber with `.wait` has room.
  package func publish(_ event: Event) async throws(TopicError) {
    while true {
      guard let ticket = try offer(event, mayWait: true) else { return }
      await waitForRoom(ticket)
      if Task.isCancelled { throw .cancelled }
    }
  }

  /// Never waits, so it can be called from anywhere.
  package func publishNow(_ event: Event) throws(TopicError) {
    _ = try offer(event, mayWait: false)
  }

  /// No more events; subscribers get what is queued, then the end.
  package func finish() {
    let (waiting, consumers) = state.withLock { state in
      state.isFinished = true
      let consumers = state.subscribers.values.compactMap(\.consumer)
      for ticket in Array(state.subscribers.keys) { state.subscribers[ticket]?.consumer = nil }
      defer { state.waiting = [:] }
      return (state.waiting, consumers)
    }
    for publisher in waiting.values { publisher.resume() }
    for consumer in consumers { consumer.resume() }
  }

  /// Nil when the event was accepted; a ticket to wait with when there was no room.
  private func offer(_ event: Event, mayWait: Bool) throws(TopicError) -> Ticket? {
    let (result, consumers) = state.withLock { state in
      var consumers: [UnsafeContinuation<Void, Never>] = []
      let result = Self.offer(event, mayWait, &state, &consumers)
      return (result, consumers)
    }
    for consumer in consumers { consumer.resume() }
    return try result.get()
  }

  private static func offer(
    _ event: Event, _ mayWait: Bool, _ state: inout State,
    _ consumers: inout [UnsafeContinuation<Void, Never>]
  ) -> Result<Ticket?, TopicError> {
    if state.isFinished { return .failure(.finished) }
    var mustWait = false
    for subscriber in state.subscribers.values where subscriber.queue.isFull {
      if subscriber.overflow == .dropOldest { continue }
      guard subscriber.overflow == .wait, mayWait else {
        return .failure(.full(subscriber: subscriber.name))
      }
      mustWait = true
    }
    if mustWait {
      state.lastTicket += 1
      return .success(state.lastTicket)
    }
    var index = state.subscribers.startIndex
    while index != state.subscribers.endIndex {
      if let consumer = state.subscribers.values[index].take(event) { consumers.append(consumer) }
      state.subscribers.formIndex(after: &index)
    }
    state.published += 1
    return .success(nil)
  }

  private func waitForRoom(_ ticket: Ticket) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (publisher: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          let isBlocked = state.subscribers.values.contains {
            $0.overflow == .wait && $0.queue.isFull
          }
          if !isBlocked || state.isFinished || Task.isCancelled { return true }
          state.waiting[ticket] = publisher
          return false
        }
        if isOver { publisher.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume()
    }
  }
}

// MARK: For subscriptions

extension Topic {
  func popFirst(_ ticket: UInt64) -> Event? {
    let (event, publishers) = state.withLock { state in
      let event = state.subscribers[ticket]?.queue.popFirst()
      return (event, Self.release(event == nil ? 0 : 1, &state))
    }
    for publisher in publishers.values { publisher.resume() }
    return event
  }

  func popAll(_ ticket: UInt64, max: Int) -> [Event] {
    let (events, publishers) = state.withLock { state in
      var events: [Event] = []
      while events.count < max, let event = state.subscribers[ticket]?.queue.popFirst() {
        events.append(event)
      }
      return (events, Self.release(events.count, &state))
    }
    for publisher in publishers.values { publisher.resume() }
    return events
  }

  /// Returns when there is an event, at the end of the topic, or when the task is cancelled.
  func waitForEvent(_ ticket: UInt64) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (consumer: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          guard let subscriber = state.subscribers[ticket] else { return true }
          precondition(
            subscriber.consumer == nil, "\(subscriber.name) is read by two tasks at once")
          if !subscriber.queue.isEmpty || state.isFinished || Task.isCancelled { return true }
          state.subscribers[ticket]?.consumer = consumer
          return false
        }
        if isOver { consumer.resume() }
      }
    } onCancel: {
      state.withLock { $0.subscribers[ticket]?.consumer.take() }?.resume()
    }
  }

  func isFinished() -> Bool { state.withLock { $0.isFinished } }
  func pending(_ ticket: UInt64) -> Int {
    state.withLock { $0.subscribers[ticket]?.queue.count ?? 0 }
  }
  func dropped(_ ticket: UInt64) -> UInt64 {
    state.withLock { $0.subscribers[ticket]?.dropped ?? 0 }
  }

  func unsubscribe(_ ticket: UInt64) {
    let publishers = state.withLock { state in
      state.subscribers.removeValue(forKey: ticket)
      return Self.release(1, &state)
    }
    for publisher in publishers.values { publisher.resume() }
  }

  private static func release(
    _ taken: Int, _ state: inout State
  ) -> [Ticket: UnsafeContinuation<Void, Never>] {
    guard taken > 0, !state.waiting.isEmpty else { return [:] }
    defer { state.waiting = [:] }
    return state.waiting
  }
}
