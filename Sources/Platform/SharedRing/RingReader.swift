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

  private let path: String
  private let file: Int32
  private let mapping: RingMapping
  private var next: UInt64
  private var generation: UInt64
  private var bell: RingBell?
  /// Entries lost to overruns, in all.
  package private(set) var lost: UInt64 = 0

  package init(_ path: String, from start: Start = .now) throws(RingError) {
    self.path = path
    (file, mapping) = try Self.open(path)
    generation = mapping.word(RingLayout.Word.generation).pointee.load(ordering: .acquiring)
    let published = mapping.word(RingLayout.Word.published).pointee.load(ordering: .acquiring)
    let capacity = UInt64(mapping.layout.capacity)
    switch start {
    case .now: next = published + 1
    case .oldest: next = published > capacity - 1 ? published - capacity + 2 : 1
    case .after(let sequence): next = min(sequence, published) + 1
    }
  }

  deinit {
    bell?.leave(file)
    close(file)
  }

  /// Written to only where it says that it sleeps.
  private static func open(_ path: String) throws(RingError) -> (Int32, RingMapping) {
    let file = clinux_open(path, O_RDWR, 0)
    guard file >= 0 else { throw .system(path, "open") }
    do throws(RingError) {
      return (file, try RingMapping(path, file, RingMapping.layout(of: path, file)))
    } catch {
      close(file)
      throw error
    }
  }

  package var capacity: Int { mapping.layout.capacity }

  /// Whether a writer has the ring, this moment; a system call. One that hangs has it too: `lastBeat`.
  package var hasWriter: Bool { clinux_byte_is_locked(file, RingLayout.LockedByte.writer) != 0 }

  /// When the writer last said that it lives, CLOCK_MONOTONIC; 0: never.
  package var lastBeat: UInt64 {
    mapping.word(RingLayout.Word.beat).pointee.load(ordering: .acquiring)
  }

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
    guard let content = slot.read(next) else { return behind() }
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

  // MARK: Starting over

  /// Skips what waits: reading goes on behind all that `latest` tells from now on.
  package mutating func skip() {
    generation = mapping.word(RingLayout.Word.generation).pointee.load(ordering: .acquiring)
    next = mapping.word(RingLayout.Word.published).pointee.load(ordering: .acquiring) + 1
  }

  /// The latest whole entry of a label; nil when there is none, or the writer died writing it.
  package func latest(of label: Int) -> (content: RingContent, sequence: UInt64)? {
    guard label >= 0, label < labelCount else { return nil }
    let slot = mapping.latest(label)
    // A write takes nanoseconds: who is met writing so often has died, or lost its core.
    for _ in 0..<10_000 {
      let stamp = slot.pointee.load(ordering: .acquiring)
      if stamp == 0 { return nil }
      if stamp != RingLayout.writing, let content = slot.read(stamp) { return (content, stamp) }
      clinux_pause()
    }
    return nil
  }

  // MARK: Sleeping

  /// A descriptor that becomes readable when entries come for a reader that has said that it `sleeps`.
  package mutating func openBell() throws(RingError) -> Int32 {
    if let bell { return bell.descriptor }
    let bell = try RingBell(path, file)
    self.bell = bell
    return bell.descriptor
  }

  /// To be said before waiting for the bell. False: there is something to read, do not wait.
  package func sleeps() -> Bool {
    guard let bell else { return false }
    let sleeping = mapping.word(RingLayout.Word.sleeping)
    sleeping.pointee.bitwiseOr(bell.bit, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if lag == 0, !isReplaced { return true }
    wakes()
    return false
  }

  /// To be said after waiting: the writer need not ring.
  package func wakes() {
    guard let bell else { return }
    mapping.word(RingLayout.Word.sleeping).pointee.bitwiseAnd(~bell.bit, ordering: .relaxed)
  }

  /// To be called when the bell is readable, before reading: it rings no more until the next time.
  package func silence() { bell?.silence() }

  private var isReplaced: Bool {
    mapping.word(RingLayout.Word.generation).pointee.load(ordering: .acquiring) != generation
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
