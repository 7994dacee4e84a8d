internal import CLinux
internal import Glibc
internal import Synchronization

/// The one writer of a ring in shared memory.
///
/// Writing never waits and never fails: readers that cannot keep up lose the oldest entries, and see
/// how many. A writer that takes over a file, after a stop or a crash, goes on behind the last entry
/// with a higher generation, so that readers know that something may be missing between.
package struct RingWriter: ~Copyable {
  private let mapping: RingMapping
  private let file: Int32
  private var next: UInt64

  /// Entries of an ordinary ring.
  package static let capacityStandard = 65_536

  /// Takes over the ring at `path`, or makes it (mode 0600). A file of another shape is replaced, and
  /// readers of the old one are told that it is retired. Only one writer at a time has it: a second
  /// one is refused.
  package init(
    _ path: String, capacity: Int = capacityStandard, labelsMax: Int = 4_096
  ) throws(RingError) {
    precondition(
      capacity >= 8 && capacity & (capacity - 1) == 0 && capacity <= 1 << 28,
      "a capacity of \(capacity): a power of two from 8 to 2^28 is expected")
    precondition((0...1 << 16).contains(labelsMax), "\(labelsMax) labels")
    let layout = RingLayout(capacity: capacity, labelsMax: labelsMax)
    (file, mapping) = try Self.open(path, layout)
    let published = mapping.word(RingLayout.Word.published)
    next = published.pointee.load(ordering: .acquiring) + 1
    // The one before may have died between writing an entry and saying so.
    if mapping.slot(next).pointee.load(ordering: .acquiring) == next {
      published.pointee.store(next, ordering: .releasing)
      next += 1
    }
    mapping.word(RingLayout.Word.generation).pointee.wrappingAdd(1, ordering: .releasing)
  }

  deinit {
    // Unlocked by itself: a child that was forked meanwhile still has the file open.
    flock(file, LOCK_UN)
    close(file)
  }

  package var capacity: Int { mapping.layout.capacity }
  package var generation: UInt64 {
    mapping.word(RingLayout.Word.generation).pointee.load(ordering: .relaxed)
  }
  /// The sequence of the last entry; 0 when there is none.
  package var published: UInt64 { next - 1 }

  /// Publishes an entry; returns its sequence.
  @inline(__always)
  @discardableResult
  package mutating func write(_ content: RingContent) -> UInt64 {
    let sequence = next
    let slot = mapping.slot(sequence)
    slot.pointee.store(RingLayout.writing, ordering: .relaxed)
    // Nothing of the content may be seen before the mark.
    atomicMemoryFence(ordering: .releasing)
    let words = content.words
    slot[1].store(words.0, ordering: .relaxed)
    slot[2].store(words.1, ordering: .relaxed)
    slot[3].store(words.2, ordering: .relaxed)
    slot[4].store(words.3, ordering: .relaxed)
    slot[5].store(words.4, ordering: .relaxed)
    slot[6].store(words.5, ordering: .relaxed)
    slot[7].store(words.6, ordering: .relaxed)
    slot.pointee.store(sequence, ordering: .releasing)
    mapping.word(RingLayout.Word.published).pointee.store(sequence, ordering: .releasing)
    next = sequence + 1
    let sleeping = mapping.word(RingLayout.Word.sleeping)
    if sleeping.pointee.load(ordering: .relaxed) != 0 { wake(sleeping) }
    return sequence
  }

  @inline(never)
  private func wake(_ sleeping: UnsafeMutablePointer<Atomic<UInt64>>) {
    sleeping.pointee.store(0, ordering: .releasing)
    clinux_futex_wake(UnsafeMutableRawPointer(sleeping))
  }

  // MARK: Labels

  /// A number for a text of at most 120 bytes, such as an instrument that entries speak of; the same
  /// text has the same number as long as the file lives. Nil when there is no room.
  package func label(_ text: String) -> Int? {
    var text = text
    let count = mapping.word(RingLayout.Word.labelCount)
    let used = Int(count.pointee.load(ordering: .relaxed))
    for index in 0..<used where RingLabels.text(mapping, index) == text { return index }
    guard used < mapping.layout.labelsMax, text.utf8.count <= RingLabels.textMax else { return nil }
    text.withUTF8 { RingLabels.write(mapping, used, $0) }
    count.pointee.store(UInt64(used + 1), ordering: .releasing)
    return used
  }

  // MARK: The file

  private static func open(
    _ path: String, _ layout: RingLayout
  ) throws(RingError) -> (Int32, RingMapping) {
    var file = clinux_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .system(path, "open") }
    do throws(RingError) {
      try lock(path, file)
      let isEmpty = lseek(file, 0, SEEK_END) == 0
      let found = isEmpty ? nil : Self.layout(path, file)
      let isOurs = found == layout
      if !isEmpty, !isOurs {
        if let found { try retire(RingMapping(path, file, found)) }
        close(file)
        unlink(path)
        file = clinux_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system(path, "open") }
        try lock(path, file)
      }
      guard isOurs || ftruncate(file, off_t(layout.bytes)) == 0 else {
        throw .system(path, "making room for \(layout.bytes) bytes")
      }
      let mapping = try RingMapping(path, file, layout)
      if !isOurs { begin(mapping) }
      return (file, mapping)
    } catch {
      if file >= 0 { close(file) }
      throw error
    }
  }

  /// Nil for a file that is no ring, or a damaged one: nobody reads such a file.
  private static func layout(_ path: String, _ file: Int32) -> RingLayout? {
    do throws(RingError) {
      return try RingMapping.layout(of: path, file)
    } catch {
      return nil
    }
  }

  private static func retire(_ mapping: RingMapping) {
    mapping.word(RingLayout.Word.generation).pointee.store(
      RingLayout.retired, ordering: .releasing)
  }

  private static func lock(_ path: String, _ file: Int32) throws(RingError) {
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      throw errno == EWOULDBLOCK
        ? RingError(path, "another process writes it") : .system(path, "flock")
    }
  }

  /// The magic comes last: a reader that finds it finds the rest.
  private static func begin(_ mapping: RingMapping) {
    typealias Word = RingLayout.Word
    mapping.word(Word.version).pointee.store(RingLayout.version, ordering: .relaxed)
    mapping.word(Word.capacity).pointee.store(UInt64(mapping.layout.capacity), ordering: .relaxed)
    mapping.word(Word.labelsMax).pointee.store(
      UInt64(mapping.layout.labelsMax), ordering: .relaxed)
    mapping.word(Word.magic).pointee.store(RingLayout.magic, ordering: .releasing)
  }
}
