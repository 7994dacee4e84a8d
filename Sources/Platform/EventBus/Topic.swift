package import Chrono
public import Synchronization

/// Broadcasts events inside a process: every subscriber gets every event, all in the same order.
///
/// One ring of slots that all subscribers read, each with a place of its own (as LMAX's Disruptor).
/// Publishers take turns under a lock; subscribers take none: they claim a stretch of the ring, read
/// it, and release it. A slot is written again when all have released it. Memory: the ring begins
/// anew at its start whenever everything has been read, so a bus that keeps up touches little of it.
///
/// `@unchecked Sendable`: a slot is written under the lock, before `published` reaches it and after
/// every reader has released it, and read between a reader's claim and its release.
///
/// Public, and its hot path inlinable, because only then is it specialised for the event of another
/// module: 8 times as many events a second.
public final class Topic<Event: Sendable>: @unchecked Sendable {
  package let name: String
  /// Events that any subscriber may be behind.
  @usableFromInline let capacity: Int
  @usableFromInline let ring: EventRing<Event>
  @usableFromInline let state = Mutex(State())

  @usableFromInline typealias Ticket = UInt64
  /// Publications between looks at the readers, when nobody is full.
  private static var stride: UInt64 { 256 }

  @usableFromInline
  struct State {
    var readers: [TopicReader] = []
    var waiting: [Ticket: UnsafeContinuation<Void, Never>] = [:]
    var lastTicket: Ticket = 0
    @usableFromInline var next: UInt64 = 1
    /// The first sequence whose slot still holds its event.
    var tail: UInt64 = 1
    /// Up to here nobody has to be looked at.
    @usableFromInline var limit: UInt64 = 0
    @usableFromInline var sleepers = 0
    var isFinished = false
    var refused: UInt64 = 0
    var dropped: UInt64 = 0
    /// By subscribers that have left.
    var overrun: UInt64 = 0
  }

  package init(name: String, capacity: Int = 100_000) {
    precondition(capacity > 0 && capacity <= 1 << 30, "a topic for \(capacity) events")
    self.name = name
    self.capacity = capacity
    ring = EventRing(capacity: capacity)
  }

  deinit {
    let (tail, next) = state.withLock { ($0.tail, $0.next) }
    for sequence in tail..<next { ring.slot(sequence).deinitialize(count: 1) }
  }

  /// Events that were accepted since the start.
  package var published: UInt64 { ring.last.pointee.load(ordering: .acquiring) }
  /// Events that nobody got because a publisher was refused.
  package var refused: UInt64 { state.withLock { $0.refused } }
  /// Events that nobody got because a subscriber with `.dropNewest` was full.
  package var dropped: UInt64 { state.withLock { $0.dropped } }
  /// Events that single subscribers lost.
  package var overrun: UInt64 {
    state.withLock { state in state.readers.reduce(state.overrun) { $0 + $1.dropped } }
  }
  package var subscriberCount: Int { state.withLock { $0.readers.count } }

  // MARK: Subscribing

  /// From now on; it ends when the subscription is let go. `name` is for errors and metrics.
  package func subscribe(
    _ name: String, capacity: Int, overflow: Overflow
  ) -> Subscription<Event> {
    subscribe(name, capacity: capacity, overflow: overflow, bell: Bell())
  }

  func subscribe(
    _ name: String, capacity: Int, overflow: Overflow, bell: Bell
  ) -> Subscription<Event> {
    precondition(capacity > 0, "a subscriber without room gets nothing")
    precondition(
      capacity <= self.capacity, "\(name): \(capacity) events; the topic has \(self.capacity)")
    let reader = state.withLock { state in
      let reader = TopicReader(
        name: name, capacity: UInt64(capacity), overflow: overflow, bell: bell,
        after: state.next - 1)
      state.readers.append(reader)
      state.limit = 0
      return reader
    }
    return Subscription(self, reader)
  }

  func unsubscribe(_ reader: TopicReader) {
    let publishers = state.withLock { state in
      state.readers.removeAll { $0 === reader }
      state.overrun += reader.dropped
      state.limit = 0
      if reader.isAsleep { state.sleepers -= 1 }
      if state.readers.isEmpty { forget(upTo: state.next, &state) }
      return takeWaiting(&state)
    }
    for publisher in publishers.values { publisher.resume() }
  }

  // MARK: Publishing

  /// Waits until every subscriber with `.wait` has room.
  package func publish(_ event: Event) async throws(TopicError) {
    while true {
      let ticket = try offer(count: 1, mayWait: true) { place(event, &$0) }
      guard let ticket else { return }
      await waitForRoom(ticket)
      if Task.isCancelled { throw .cancelled }
    }
  }

  /// Never waits, so it can be called from anywhere.
  @inlinable
  public func publishNow(_ event: Event) throws(TopicError) {
    let isDone = state.withLock { state in
      // Beyond the limit, or with a sleeper to wake, there is more to do.
      guard state.next <= state.limit, state.sleepers == 0 else { return false }
      place(event, &state)
      return true
    }
    if !isDone { try offerNow(event) }
  }

  /// All of them or none, in one go. More than a subscriber's whole capacity are refused.
  @inlinable
  public func publishNow(contentsOf events: [Event]) throws(TopicError) {
    let isDone = state.withLock { state in
      let end = state.next + UInt64(events.count)
      guard end <= state.limit + 1, state.sleepers == 0 else { return false }
      place(contentsOf: events, &state)
      return true
    }
    if !isDone { try offerNow(contentsOf: events) }
  }

  @inlinable @inline(__always)
  func place(contentsOf events: [Event], _ state: inout State) {
    for event in events {
      ring.slot(state.next).initialize(to: event)
      state.next += 1
    }
    ring.last.pointee.store(state.next - 1, ordering: .releasing)
  }

  @inlinable @inline(__always)
  func place(_ event: Event, _ state: inout State) {
    ring.slot(state.next).initialize(to: event)
    ring.last.pointee.store(state.next, ordering: .releasing)
    state.next += 1
  }

  /// No more events; subscribers get what is queued, then the end.
  package func finish() {
    let (waiting, sleepers) = state.withLock { state in
      state.isFinished = true
      state.limit = 0
      return (takeWaiting(&state), takeSleepers(&state))
    }
    for publisher in waiting.values { publisher.resume() }
    for sleeper in sleepers { sleeper.ring() }
  }

  @usableFromInline
  func offerNow(_ event: Event) throws(TopicError) {
    _ = try offer(count: 1, mayWait: false) { place(event, &$0) }
  }

  @usableFromInline
  func offerNow(contentsOf events: [Event]) throws(TopicError) {
    _ = try offer(count: events.count, mayWait: false) { place(contentsOf: events, &$0) }
  }

  /// Nil when the events were taken or dropped; a ticket to wait with when there was no room.
  private func offer(
    count: Int, mayWait: Bool, _ put: (inout State) -> Void
  ) throws(TopicError) -> Ticket? {
    var sleepers: [Bell] = []
    let result: Result<Ticket?, TopicError> = state.withLock { state in
      let end = state.next + UInt64(count)
      if state.isFinished { return .failure(.finished) }
      if end > state.limit + 1 {
        switch makeRoom(&state, before: end, mayWait: mayWait) {
        case .free: break
        case .wait(let ticket): return .success(ticket)
        case .full(let name):
          state.refused += UInt64(count)
          return .failure(.full(subscriber: name))
        case .dropped:
          state.dropped += UInt64(count)
          return .success(nil)
        }
      }
      if state.readers.isEmpty {
        state.next = end
        state.tail = end
        ring.last.pointee.store(end - 1, ordering: .releasing)
      } else {
        put(&state)
      }
      if state.sleepers > 0 { sleepers = takeSleepers(&state) }
      return .success(nil)
    }
    for sleeper in sleepers { sleeper.ring() }
    return try result.get()
  }

  private enum Room {
    case free
    case wait(Ticket)
    case full(String)
    case dropped
  }

  /// Looks at the readers: lets go of what all have read, makes those lose events that may, and finds
  /// out how far publishing can go without looking again.
  private func makeRoom(_ state: inout State, before end: UInt64, mayWait: Bool) -> Room {
    // Nobody is asked to lose an event before it is sure that the new one is taken.
    let count = end - state.next
    var mustWait = false
    var mustDrop = false
    for reader in state.readers where reader.isFull(for: end - 1) {
      switch reader.overflow {
      case .dropOldest where reader.capacity >= count: continue
      case .dropNewest: mustDrop = true
      case .wait where mayWait: mustWait = true
      case .wait, .refuse, .dropOldest: return .full(reader.name)
      }
    }
    if mustWait {
      state.lastTicket += 1
      return .wait(state.lastTicket)
    }
    if mustDrop { return .dropped }
    // A limit is for publishing without a look, so there is none without readers.
    guard !state.readers.isEmpty else { return .free }
    var least = state.next - 1
    for reader in state.readers {
      if reader.overflow == .dropOldest { reader.drop(toFit: end - 1) }
      least = min(least, reader.released)
    }
    forget(upTo: least + 1, &state)
    if state.tail == state.next { ring.base.pointee.store(state.next, ordering: .relaxed) }
    var limit = min(max(end - 1, state.next + Self.stride - 1), least + ring.mask + 1)
    for reader in state.readers { limit = min(limit, reader.released + reader.capacity) }
    state.limit = limit
    return .free
  }

  private func forget(upTo end: UInt64, _ state: inout State) {
    while state.tail < end {
      ring.slot(state.tail).deinitialize(count: 1)
      state.tail += 1
    }
  }

  private func takeSleepers(_ state: inout State) -> [Bell] {
    state.sleepers = 0
    return state.readers.compactMap { reader in
      defer { reader.isAsleep = false }
      return reader.isAsleep ? reader.bell : nil
    }
  }

  private func takeWaiting(_ state: inout State) -> [Ticket: UnsafeContinuation<Void, Never>] {
    defer { state.waiting = [:] }
    ring.waiting.pointee.store(0, ordering: .sequentiallyConsistent)
    return state.waiting
  }

  private func waitForRoom(_ ticket: Ticket) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (publisher: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          ring.waiting.pointee.store(1, ordering: .sequentiallyConsistent)
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
      return state.readers.compactMap { $0.lookAt(name, now: now, last: last, limit: limit) }
    }
  }
}

// MARK: - For subscriptions

extension Topic {
  @usableFromInline
  func wakePublishers() {
    let publishers = state.withLock { takeWaiting(&$0) }
    for publisher in publishers.values { publisher.resume() }
  }

  /// The next event, or the end, rings the reader's bell; false when there is one already.
  func ringsWhenNotEmpty(_ reader: TopicReader) -> Bool {
    state.withLock { state in
      if reader.claimed < state.next - 1 || state.isFinished { return false }
      if !reader.isAsleep { state.sleepers += 1 }
      reader.isAsleep = true
      return true
    }
  }

  func isFinished() -> Bool { state.withLock { $0.isFinished } }

  func pending(_ reader: TopicReader) -> Int {
    Int(ring.last.pointee.load(ordering: .acquiring) - min(reader.claimed, published))
  }
}
