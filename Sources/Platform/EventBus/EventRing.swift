public import Synchronization

/// A topic's memory, apart from its lock: what readers touch does not slow publishers down.
///
/// The slots' place never changes; the words that do lie in a cache line of their own, written by
/// publishers only.
@usableFromInline
final class EventRing<Event: Sendable>: @unchecked Sendable {
  // The slots are the topic's to guard (see there); the words are atomic.
  @usableFromInline let slots: UnsafeMutablePointer<Event>
  @usableFromInline let mask: UInt64
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  /// The sequence of the last event; the first is 1.
  @usableFromInline let last: UnsafeMutablePointer<Atomic<UInt64>>
  /// The sequence that lies in slot 0.
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>
  /// Not 0 while publishers wait for room.
  @usableFromInline let waiting: UnsafeMutablePointer<Atomic<UInt64>>

  init(capacity: Int) {
    var size = 1
    while size < capacity { size *= 2 }
    mask = UInt64(size - 1)
    slots = .allocate(capacity: size)
    // Two lines, because processors fetch them in pairs.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
    words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: 16)
    (last, base, waiting) = (words, words + 1, words + 2)
    last.initialize(to: Atomic(0))
    base.initialize(to: Atomic(1))
    waiting.initialize(to: Atomic(0))
  }

  /// The events themselves are gone by then.
  deinit {
    slots.deallocate()
    words.deallocate()
  }

  @inlinable @inline(__always)
  func slot(_ sequence: UInt64) -> UnsafeMutablePointer<Event> {
    let offset = sequence &- base.pointee.load(ordering: .relaxed)
    return slots + Int(truncatingIfNeeded: offset & mask)
  }
}
