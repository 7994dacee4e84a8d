internal import Chrono
private import Glibc
private import Synchronization

/// One subscriber's place in a topic.
///
/// It claims a stretch of events, reads it, releases it. A topic makes it lose events by claiming and
/// releasing them itself, which it can do only while the subscriber is not in between.
///
/// `@unchecked Sendable`: the atomics are anybody's; what `lookAt` remembers is touched under the topic's
/// lock only.
@usableFromInline
final class TopicReader: @unchecked Sendable {
  let name: String
  let capacity: UInt64
  let overflow: Overflow
  let bell: Bell
  /// The next event rings its bell. Set and unset under the topic's lock, before the bell rings.
  var isAsleep: Bool {
    get { sleeps.load(ordering: .sequentiallyConsistent) }
    set { sleeps.store(newValue, ordering: .sequentiallyConsistent) }
  }
  private let sleeps = Atomic<Bool>(false)

  private let lastClaimed: Atomic<UInt64>
  private let lastReleased: Atomic<UInt64>
  private let lost = Atomic<UInt64>(0)
  private var seenReleased: UInt64
  private var seenAt: Uptime?
  private var isNamed = false

  init(name: String, capacity: UInt64, overflow: Overflow, bell: Bell, after sequence: UInt64) {
    self.name = name
    self.capacity = capacity
    self.overflow = overflow
    self.bell = bell
    lastClaimed = Atomic(sequence)
    lastReleased = Atomic(sequence)
    seenReleased = sequence
  }

  var claimed: UInt64 { lastClaimed.load(ordering: .acquiring) }
  var released: UInt64 { lastReleased.load(ordering: .sequentiallyConsistent) }
  var dropped: UInt64 { lost.load(ordering: .relaxed) }

  func isFull(for sequence: UInt64) -> Bool { sequence > released + capacity }

  // MARK: The subscriber's side

  @usableFromInline
  func claim(upTo end: UInt64, max: UInt64) -> ClosedRange<UInt64>? {
    while true {
      let first = lastClaimed.load(ordering: .relaxed)
      guard first < end, max > 0 else { return nil }
      let to = min(end, first + max)
      let result = lastClaimed.compareExchange(
        expected: first, desired: to, ordering: .acquiringAndReleasing)
      if result.exchanged { return first + 1...to }
    }
  }

  @usableFromInline
  func release(_ sequence: UInt64) {
    lastReleased.store(sequence, ordering: .sequentiallyConsistent)
  }

  // MARK: The topic's side

  /// Loses the oldest events until `sequence` has room. A stretch that is being read just now is waited
  /// for: that takes as long as its reading.
  func drop(toFit sequence: UInt64) {
    while isFull(for: sequence) {
      drop(upTo: sequence - capacity)
      // The reader may need this very core to be done.
      if isFull(for: sequence) { sched_yield() }
    }
  }

  private func drop(upTo end: UInt64) {
    let first = lastClaimed.load(ordering: .acquiring)
    guard first == released, first < end else { return }
    let result = lastClaimed.compareExchange(
      expected: first, desired: end, ordering: .acquiringAndReleasing)
    guard result.exchanged else { return }
    lastReleased.store(end, ordering: .sequentiallyConsistent)
    lost.wrappingAdd(end - first, ordering: .relaxed)
  }

  /// Once for each time that it stands still.
  func lookAt(_ topic: String, now: Uptime, last: UInt64, limit: Duration) -> SlowSubscriber? {
    let released = released
    guard released < last, released == seenReleased, let since = seenAt else {
      seenReleased = released
      seenAt = released < last ? now : nil
      isNamed = false
      return nil
    }
    guard now - since >= limit, !isNamed else { return nil }
    isNamed = true
    let before = dropped
    if overflow == .dropOldest || overflow == .dropNewest {
      drop(upTo: last)
      seenReleased = self.released
    }
    return SlowSubscriber(
      topic: topic, name: name, behind: Int(last - released), silentFor: now - since,
      wasShed: dropped > before)
  }
}
