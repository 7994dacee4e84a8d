internal import CLinux
internal import Glibc
internal import Synchronization

/// The one writer of a ring in shared memory.
///
/// Writing never waits and never fails: readers that cannot keep up lose the oldest entries, and see
/// how many. A writer that takes over a file, after a stop or a crash, goes on behind the last entry
/// with a higher generation, so that readers know that something may be missing between; of the latest
/// entries by label none is left then, since nobody knows what happened meanwhile.
package struct RingWriter: ~Copyable {
  private let path: String
  private let mapping: RingMapping
  private let file: Int32
  private var next: UInt64
  private var bells = RingBells()

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
    self.path = path
    (file, mapping) = try Self.open(path, layout)
    let published = mapping.word(RingLayout.Word.published)
    next = published.pointee.load(ordering: .acquiring) + 1
    // The one before may have died between writing an entry and saying so.
    if mapping.slot(next).pointee.load(ordering: .acquiring) == next {
      published.pointee.store(next, ordering: .releasing)
      next += 1
    }
    let labels = mapping.word(RingLayout.Word.labelCount).pointee.load(ordering: .relaxed)
    for label in 0..<min(labelsMax, Int(labels)) {
      mapping.latest(label).pointee.store(0, ordering: .relaxed)
    }
    mapping.word(RingLayout.Word.generation).pointee.wrappingAdd(1, ordering: .releasing)
    wake()
  }

  deinit {
    // Unlocked by itself: a child that was forked meanwhile still has the file open.
    clinux_unlock_byte(file, RingLayout.LockedByte.writer)
    close(file)
  }

  /// Ends the ring for good: readers are told that it is retired, and its files go.
  package consuming func remove() {
    Self.retire(mapping)
    wake()
    unlink(path)
    RingBells.remove(path)
  }

  package var capacity: Int { mapping.layout.capacity }
  package var generation: UInt64 {
    mapping.word(RingLayout.Word.generation).pointee.load(ordering: .relaxed)
  }
  /// The sequence of the last entry; 0 when there is none.
  package var published: UInt64 { next - 1 }

  /// Publishes an entry; returns its sequence. `label`: it is that label's latest. Readers that sleep
  /// are woken by `wake`.
  @inline(__always)
  @discardableResult
  package mutating func write(_ content: RingContent, latestOf label: Int? = nil) -> UInt64 {
    let sequence = next
    // First, so that the latest entries hold all that is published.
    if let label { mapping.latest(label).write(content, sequence) }
    mapping.slot(sequence).write(content, sequence)
    mapping.word(RingLayout.Word.published).pointee.store(sequence, ordering: .releasing)
    next = sequence + 1
    return sequence
  }

  /// Wakes the readers that sleep: a system call for each of them, a few nanoseconds when none does.
  /// Returns how many there were.
  @inline(__always)
  @discardableResult
  package mutating func wake() -> Int {
    // What was published is seen before the readers' word is looked at; they do it the other way round.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    let sleeping = mapping.word(RingLayout.Word.sleeping)
    guard sleeping.pointee.load(ordering: .relaxed) != 0 else { return 0 }
    return bells.ring(sleeping.pointee.exchange(0, ordering: .acquiringAndReleasing), path)
  }

  /// Says that the writer lives; `uptime` is CLOCK_MONOTONIC, which is one for all of a machine.
  package func beat(uptime nanoseconds: UInt64) {
    mapping.word(RingLayout.Word.beat).pointee.store(nanoseconds, ordering: .releasing)
  }

  // MARK: Labels

  /// A number for a text of at most 120 bytes, such as an instrument that entries speak of; the same
  /// text has the same number as long as the file lives. Nil when there is no room.
  package func label(_ text: String) -> Int? {
    var text = text
    let count = mapping.word(RingLayout.Word.labelCount)
    let used = Int(count.pointee.load(ordering: .relaxed))
    return text.withUTF8 { text in
      for index in 0..<used where RingLabels.holds(mapping, index, text) { return index }
      guard used < mapping.layout.labelsMax, text.count <= RingLabels.textMax else { return nil }
      RingLabels.write(mapping, used, text)
      count.pointee.store(UInt64(used + 1), ordering: .releasing)
      return used
    }
  }

  // MARK: The file

  private static func open(
    _ path: String, _ layout: RingLayout
  ) throws(RingError) -> (Int32, RingMapping) {
    var file = clinux_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .system(path, "open") }
    do throws(RingError) {
      try own(path, file)
      try lock(path, file)
      let isEmpty = lseek(file, 0, SEEK_END) == 0
      let found = isEmpty ? nil : Self.layout(path, file)
      let isOurs = found == layout
      if !isEmpty, !isOurs {
        if let found { try retire(RingMapping(path, file, found)) }
        close(file)
        unlink(path)
        file = clinux_open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw .system(path, "open") }
        try lock(path, file)
      }
      if !isOurs { try makeRoom(path, file, layout.bytes) }
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

  /// A file that somebody else has put there, for others to read what we write, is not written.
  private static func own(_ path: String, _ file: Int32) throws(RingError) {
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .system(path, "fstat") }
    guard status.st_uid == geteuid() else {
      throw RingError(path, "belongs to the user \(status.st_uid)")
    }
    guard fchmod(file, 0o600) == 0 else { throw .system(path, "fchmod") }
  }

  private static func lock(_ path: String, _ file: Int32) throws(RingError) {
    guard clinux_lock_byte(file, RingLayout.LockedByte.writer) == 0 else {
      throw errno == EAGAIN || errno == EACCES
        ? RingError(path, "another process writes it") : .system(path, "fcntl")
    }
  }

  /// All of it at once: memory that is promised and not there would be a SIGBUS at some write.
  private static func makeRoom(_ path: String, _ file: Int32, _ bytes: Int) throws(RingError) {
    let code = posix_fallocate(file, 0, off_t(bytes))
    guard code == 0 else {
      throw RingError(path, "no room for \(bytes) bytes: \(String(cString: strerror(code)))")
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
