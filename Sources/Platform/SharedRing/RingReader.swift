internal import CLinux
internal import Glibc
internal import Synchronization

/// One of many readers of a ring: sees every entry in order, and knows when it was overrun.
package struct RingReader: ~Copyable {
  package enum Entry {
    case next(RingContent, sequence: UInt64)
    /// Nothing new.
    case none
    /// The writer was a whole ring ahead: so many entries are lost, and reading goes on with entries
    /// that are not about to be overwritten.
    case overrun(lost: UInt64)
    /// Another writer has taken over: what it did not see may be missing here.
    case newWriter(generation: UInt64)
    /// The file was replaced by one of another shape, to be opened anew.
    case retired
  }

  package enum Start {
    /// With the next entry to be written.
    case now
    /// With the oldest that is still there.
    case oldest
    /// Behind this one.
    case after(UInt64)
  }

  private let mapping: RingMapping
  private var next: UInt64
  private var generation: UInt64
  /// Entries lost to overruns, in all.
  package private(set) var lost: UInt64 = 0

  package init(_ path: String, from start: Start = .now) throws(RingError) {
    // Written to only where it says that it sleeps.
    let file = clinux_open(path, O_RDWR | O_CLOEXEC, 0)
    guard file >= 0 else { throw .system(path, "open") }
    defer { close(file) }
    mapping = try RingMapping(path, file, RingMapping.layout(of: path, file))
    generation = mapping.word(RingLayout.Word.generation).pointee.load(ordering: .acquiring)
    let published = mapping.word(RingLayout.Word.published).pointee.load(ordering: .acquiring)
    let capacity = UInt64(mapping.layout.capacity)
    switch start {
    case .now: next = published + 1
    case .oldest: next = published > capacity - 1 ? published - capacity + 2 : 1
    case .after(let sequence): next = min(sequence, published) + 1
    }
  }

  package var capacity: Int { mapping.layout.capacity }

  /// Entries that wait for this reader.
  package var lag: UInt64 {
    let published = mapping.word(RingLayout.Word.published).pointee.load(ordering: .acquiring)
    return published >= next ? published - next + 1 : 0
  }

  /// Never waits.
  @inline(__always)
  package mutating func read() -> Entry {
    let slot = mapping.slot(next)
    let stamp = slot.pointee.load(ordering: .acquiring)
    guard stamp == next else { return stamp < next ? idle() : behind() }
    let content = RingContent(
      (
        slot[1].load(ordering: .relaxed), slot[2].load(ordering: .relaxed),
        slot[3].load(ordering: .relaxed), slot[4].load(ordering: .relaxed),
        slot[5].load(ordering: .relaxed), slot[6].load(ordering: .relaxed),
        slot[7].load(ordering: .relaxed)
      ))
    // The content was read before the stamp is looked at again.
    atomicMemoryFence(ordering: .acquiring)
    guard slot.pointee.load(ordering: .relaxed) == next else { return behind() }
    let sequence = next
    next += 1
    return .next(content, sequence: sequence)
  }

  /// Nothing new: then it is time to look whether the writer is still the same.
  @inline(never)
  private mutating func idle() -> Entry {
    let now = mapping.word(RingLayout.Word.generation).pointee.load(ordering: .acquiring)
    if now == RingLayout.retired { return .retired }
    guard now != generation else { return .none }
    generation = now
    return .newWriter(generation: now)
  }

  /// The slot is being written, or holds a later entry.
  @inline(never)
  private mutating func behind() -> Entry {
    let published = mapping.word(RingLayout.Word.published).pointee.load(ordering: .acquiring)
    let capacity = UInt64(mapping.layout.capacity)
    // Being written for the first time in this round: its writer is at work, or died at it.
    guard published + 1 >= next + capacity else { return idle() }
    // A quarter of the ring away from the writer.
    let goOn = published - capacity + capacity / 4 + 1
    let missed = goOn - next
    lost += missed
    next = goOn
    return .overrun(lost: missed)
  }

  /// Sleeps until something may have been written, at most `milliseconds` (a wake-up may be missed when
  /// writing and falling asleep coincide, so ten is a sensible most). For threads of their own.
  package func sleep(milliseconds: Int) {
    let sleeping = mapping.word(RingLayout.Word.sleeping)
    sleeping.pointee.store(1, ordering: .sequentiallyConsistent)
    guard lag == 0 else { return }
    clinux_futex_wait(UnsafeMutableRawPointer(sleeping), 1, Int32(clamping: milliseconds))
  }

  // MARK: Labels

  package var labelCount: Int {
    let count = mapping.word(RingLayout.Word.labelCount).pointee.load(ordering: .acquiring)
    return min(mapping.layout.labelsMax, Int(truncatingIfNeeded: count))
  }

  /// The text behind a number; nil when there is none.
  package func label(_ index: Int) -> String? {
    guard index >= 0, index < labelCount else { return nil }
    return RingLabels.text(mapping, index)
  }
}
