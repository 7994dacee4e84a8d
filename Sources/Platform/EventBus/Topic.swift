package import Chrono
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

/// A subscriber that has taken nothing for too long although events wait for it.
package struct SlowSubscriber: Sendable, Hashable {
  package let name: String
  /// Events that waited.
  package let behind: Int
  package let silentFor: Duration
  /// It lost them, because it is one that may lose events; others are only named.
  package let wasShed: Bool
}

/// Broadcasts events inside a process: every subscriber gets every event, all in the same order.
///
/// One ring of slots that all subscribers read, each with a place of its own (as LMAX's Disruptor).
/// Publishers take turns under a lock; subscribers take none: they claim a stretch of the ring, read
/// it, and release it. A slot is written again when all have released it. Memory: the ring begins
/// anew at its start whenever everything has been read, so a bus that keeps up touches little of it.
///
/// `@unchecked Sendable`: a slot is written under the lock, before `published` reaches it and after
/// every reader has released it, and read between a reader's claim and its release.
package final class Topic<Event: Sendable>: @unchecked Sendable {
  package let name: String
  /// Events that any subscriber may be behind.
  package let capacity: Int
  private let slots: UnsafeMutablePointer<Event>
  private let mask: UInt64
  private let state = Mutex(State())
  /// The sequence of the last event; the first is 1.
  private let last = Atomic<UInt64>(0)
  /// The sequence that lies in slot 0.
  private let base = Atomic<UInt64>(1)
  private let publishersWait = Atomic<Bool>(false)

  fileprivate typealias Ticket = UInt64
  /// Publications between looks at the readers, when nobody is full.
  private static var stride: UInt64 { 256 }

  private struct State {
    var readers: [TopicReader] = []
    var waiting: [Ticket: UnsafeContinuation<Void, Never>] = [:]
    var lastTicket: Ticket = 0
    var next: UInt64 = 1
    /// The first sequence whose slot still holds its event.
    var tail: UInt64 = 1
    /// Up to here nobody has to be looked at.
    var limit: UInt64 = 0
    var sleepers = 0
    var isFinished = false
  }

  package init(name: String, capacity: Int = 100_000) {
    precondition(capacity > 0 && capacity <= 1 << 30, "a topic for \(capacity) events")
    self.name = name
    self.capacity = capacity
    var size = 1
    while size < capacity { size *= 2 }
    mask = UInt64(size - 1)
    slots = .allocate(capacity: size)
  }

  deinit {
    let (tail, next) = state.withLock { ($0.tail, $0.next) }
    for sequence in tail..<next { slot(sequence).deinitialize(count: 1) }
    slots.deallocate()
  }

  /// Events that were accepted since the start.
  package var published: UInt64 { last.load(ordering: .acquiring) }
  package var subscriberCount: Int { state.withLock { $0.readers.count } }

  private func slot(_ sequence: UInt64) -> UnsafeMutablePointer<Event> {
    let offset = sequence &- base.load(ordering: .relaxed)
    return slots + Int(truncatingIfNeeded: offset & mask)
  }

  // MARK: Subscribing

  /// From now on; it ends when the subscription is let go. `name` is for errors and metrics.
  package func subscribe(
    _ name: String, capacity: Int, overflow: Overflow
  ) -> Subscription<Event> {
    precondition(capacity > 0, "a subscriber without room gets nothing")
    precondition(
      capacity <= self.capacity, "\(name): \(capacity) events; the topic has \(self.capacity)")
    let reader = state.withLock { state in
      let reader = TopicReader(
        name: name, capacity: UInt64(capacity), overflow: overflow, after: state.next - 1)
      state.readers.append(reader)
      state.limit = 0
      return reader
    }
    return Subscription(self, reader)
  }

  func unsubscribe(_ reader: TopicReader) {
    let publishers = state.withLock { state in
      state.readers.removeAll { $0 === reader }
      state.limit = 0
      if state.readers.isEmpty { forget(upTo: state.next, &state) }
      return takeWaiting(&state)
    }
    for publisher in publishers.values { publisher.resume() }
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
    let (waiting, sleepers) = state.withLock { state in
      state.isFinished = true
      return (takeWaiting(&state), takeSleepers(&state))
    }
    for publisher in waiting.values { publisher.resume() }
    for sleeper in sleepers { sleeper.resume() }
  }

  /// Nil when the event was accepted; a ticket to wait with when there was no room.
  private func offer(_ event: Event, mayWait: Bool) throws(TopicError) -> Ticket? {
    var sleepers: [UnsafeContinuation<Void, Never>] = []
    let result: Result<Ticket?, TopicError> = state.withLock { state in
      if state.isFinished { return .failure(.finished) }
      if state.next > state.limit {
        do throws(TopicError) {
          if let ticket = try makeRoom(&state, mayWait: mayWait) { return .success(ticket) }
        } catch {
          return .failure(error)
        }
      }
      if state.readers.isEmpty {
        state.tail = state.next + 1
      } else {
        slot(state.next).initialize(to: event)
      }
      last.store(state.next, ordering: .releasing)
      state.next += 1
      if state.sleepers > 0 { sleepers = takeSleepers(&state) }
      return .success(nil)
    }
    for sleeper in sleepers { sleeper.resume() }
    return try result.get()
  }

  /// Looks at the readers: lets go of what all have read, makes those lose events that may, and finds
  /// out how far publishing can go without looking again.
  private func makeRoom(
    _ state: inout State, mayWait: Bool
  ) throws(TopicError) -> Ticket? {
    // Nobody is asked to lose an event before it is sure that the new one is taken.
    var mustWait = false
    for reader in state.readers where reader.isFull(for: state.next) {
      if reader.overflow == .dropOldest { continue }
      guard reader.overflow == .wait, mayWait else { throw .full(subscriber: reader.name) }
      mustWait = true
    }
    if mustWait {
      state.lastTicket += 1
      return state.lastTicket
    }
    var least = state.next - 1
    for reader in state.readers {
      if reader.overflow == .dropOldest { reader.drop(toFit: state.next) }
      least = min(least, reader.released)
    }
    forget(upTo: least + 1, &state)
    if state.tail == state.next { base.store(state.next, ordering: .relaxed) }
    var limit = min(state.next + Self.stride - 1, least + mask + 1)
    for reader in state.readers { limit = min(limit, reader.released + reader.capacity) }
    state.limit = max(limit, state.next)
    return nil
  }

  private func forget(upTo end: UInt64, _ state: inout State) {
    while state.tail < end {
      slot(state.tail).deinitialize(count: 1)
      state.tail += 1
    }
  }

  private func takeSleepers(_ state: inout State) -> [UnsafeContinuation<Void, Never>] {
    state.sleepers = 0
    return state.readers.compactMap { $0.sleeper.take() }
  }

  private func takeWaiting(_ state: inout State) -> [Ticket: UnsafeContinuation<Void, Never>] {
    defer { state.waiting = [:] }
    publishersWait.store(false, ordering: .sequentiallyConsistent)
    return state.waiting
  }

  private func waitForRoom(_ ticket: Ticket) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (publisher: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          publishersWait.store(true, ordering: .sequentiallyConsistent)
          let isBlocked = state.readers.contains {
            $0.overflow == .wait && $0.isFull(for: state.next)
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

  // MARK: Slow subscribers

  /// Names everybody who has taken nothing for `limit` although events wait. Those that may lose
  /// events lose all that wait (shed), so that they go on with what is new. To be called again and
  /// again; time is the caller's.
  package func slowSubscribers(now: Uptime, limit: Duration) -> [SlowSubscriber] {
    state.withLock { state in
      let last = state.next - 1
      return state.readers.compactMap { $0.lookAt(now: now, last: last, limit: limit) }
    }
  }
}

// MARK: - For subscriptions

extension Topic {
  /// Gives up to `max` events to `body`, in order, without a copy; returns how many.
  func read(_ reader: TopicReader, max: Int, _ body: (Event) -> Void) -> Int {
    let end = last.load(ordering: .acquiring)
    guard let claim = reader.claim(upTo: end, max: UInt64(max)) else { return 0 }
    // After the claim, so that it is the base under which the events were written.
    let base = base.load(ordering: .relaxed)
    var sequence = claim.lowerBound
    while sequence <= claim.upperBound {
      body(slots[Int(truncatingIfNeeded: (sequence &- base) & mask)])
      sequence += 1
    }
    reader.release(claim.upperBound)
    if publishersWait.load(ordering: .sequentiallyConsistent) { wakePublishers() }
    return Int(claim.count)
  }

  private func wakePublishers() {
    let publishers = state.withLock { takeWaiting(&$0) }
    for publisher in publishers.values { publisher.resume() }
  }

  /// Returns when there is an event, at the end of the topic, or when the task is cancelled.
  func waitForEvent(_ reader: TopicReader) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (consumer: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          precondition(reader.sleeper == nil, "\(reader.name) is read by two tasks at once")
          if reader.claimed < state.next - 1 || state.isFinished || Task.isCancelled { return true }
          reader.sleeper = consumer
          state.sleepers += 1
          return false
        }
        if isOver { consumer.resume() }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        if reader.sleeper != nil { state.sleepers -= 1 }
        return reader.sleeper.take()
      }
      sleeper?.resume()
    }
  }

  func isFinished() -> Bool { state.withLock { $0.isFinished } }

  func pending(_ reader: TopicReader) -> Int {
    Int(last.load(ordering: .acquiring) - min(reader.claimed, published))
  }
}
