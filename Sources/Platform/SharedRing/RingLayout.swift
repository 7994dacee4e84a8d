internal import CLinux
internal import Glibc
internal import Synchronization

/// The file of a ring: one page of header, the labels, each label's latest entry, then the slots.
///
/// A slot is a cache line of eight words: the entry's sequence and seven words of content. Sequences
/// count from 1; entry n lives in slot n mod capacity. While an entry is being written its slot says
/// `writing`, so that a reader sees all of an entry or none of it (a seqlock per slot: Boehm, "Can
/// seqlocks get along with programming language memory models?", 2012).
///
/// Header words: 0 magic, 1 version, 2 capacity, 3 labels' capacity, 8 the writer's generation,
/// 16 the last published sequence, 24 the number of labels, 32 which readers sleep (a bit each),
/// 40 when the writer last said that it lives. Those that change have a cache line of their own.
///
/// Locks, of bytes of the file: 0 is the writer's, 1 + n that of the reader with bell n.
struct RingLayout: Equatable {
  static let magic: UInt64 = 0x676e_6972_7173_0a01
  static let version: UInt64 = 2
  static let headerBytes = 4_096
  static let slotBytes = 64
  static let labelBytes = 128
  static let writing = UInt64.max
  /// The generation of a ring that another one has replaced.
  static let retired = UInt64.max
  static let bellsMax = 64

  let capacity: Int
  let labelsMax: Int

  var labelsOffset: Int { Self.headerBytes }
  /// The latest entries by label, then the slots: each on a page of its own.
  var latestOffset: Int { Self.paged(labelsOffset + labelsMax * Self.labelBytes) }
  var slotsOffset: Int { Self.paged(latestOffset + labelsMax * Self.slotBytes) }
  var bytes: Int { slotsOffset + capacity * Self.slotBytes }

  private static func paged(_ offset: Int) -> Int { (offset + 4_095) & ~4_095 }

  enum Word {
    static let magic = 0
    static let version = 1
    static let capacity = 2
    static let labelsMax = 3
    static let generation = 8
    static let published = 16
    static let labelCount = 24
    static let sleeping = 32
    static let beat = 40
  }

  enum LockedByte {
    static let writer: off_t = 0
    static func bell(_ number: Int) -> off_t { off_t(1 + number) }
  }
}

package struct RingError: Error, Sendable, Hashable, CustomStringConvertible {
  package let path: String
  package let problem: String
  package var description: String { "\(path): \(problem)" }

  init(_ path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  static func system(_ path: String, _ what: String) -> RingError {
    RingError(path, "\(what): \(String(cString: strerror(errno)))")
  }
}

extension UnsafeMutablePointer<Atomic<UInt64>> {
  /// Writes an entry into a slot; a reader sees all of it or none.
  @inline(__always)
  func write(_ content: RingContent, _ sequence: UInt64) {
    pointee.store(RingLayout.writing, ordering: .relaxed)
    // Nothing of the content may be seen before the mark.
    atomicMemoryFence(ordering: .releasing)
    let words = content.words
    self[1].store(words.0, ordering: .relaxed)
    self[2].store(words.1, ordering: .relaxed)
    self[3].store(words.2, ordering: .relaxed)
    self[4].store(words.3, ordering: .relaxed)
    self[5].store(words.4, ordering: .relaxed)
    self[6].store(words.5, ordering: .relaxed)
    self[7].store(words.6, ordering: .relaxed)
    pointee.store(sequence, ordering: .releasing)
  }

  /// The content of the entry whose sequence the slot said it holds; nil when it holds another one now.
  @inline(__always)
  func read(_ sequence: UInt64) -> RingContent? {
    let content = RingContent(
      (
        self[1].load(ordering: .relaxed), self[2].load(ordering: .relaxed),
        self[3].load(ordering: .relaxed), self[4].load(ordering: .relaxed),
        self[5].load(ordering: .relaxed), self[6].load(ordering: .relaxed),
        self[7].load(ordering: .relaxed)
      ))
    // The content was read before the stamp is looked at again.
    atomicMemoryFence(ordering: .acquiring)
    return pointee.load(ordering: .relaxed) == sequence ? content : nil
  }
}

/// What an entry carries: seven words of the user's meaning.
package struct RingContent: Sendable, Hashable {
  package var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  package init(_ words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)) {
    self.words = words
  }

  package static func == (left: RingContent, right: RingContent) -> Bool {
    let (left, right) = (left.words, right.words)
    return left.0 == right.0 && left.1 == right.1 && left.2 == right.2 && left.3 == right.3
      && left.4 == right.4 && left.5 == right.5 && left.6 == right.6
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
    hasher.combine(words.4)
    hasher.combine(words.5)
    hasher.combine(words.6)
  }
}

/// A mapping of a ring's file; whoever made it owns it.
final class RingMapping: @unchecked Sendable {
  // The memory is shared with other processes by atomic operations only; the pointer never changes.
  let base: UnsafeMutableRawPointer
  let layout: RingLayout
  /// Reckoned once, for every entry needs them.
  private let slots: UnsafeMutableRawPointer
  private let latest: UnsafeMutableRawPointer
  private let mask: UInt64

  init(_ path: String, _ file: Int32, _ layout: RingLayout) throws(RingError) {
    let memory = mmap(nil, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    guard let memory, memory != MAP_FAILED else { throw .system(path, "mmap") }
    base = memory
    self.layout = layout
    slots = memory + layout.slotsOffset
    latest = memory + layout.latestOffset
    mask = UInt64(layout.capacity - 1)
  }

  deinit { munmap(base, layout.bytes) }

  @inline(__always)
  func word(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    base.assumingMemoryBound(to: Atomic<UInt64>.self) + index
  }

  @inline(__always)
  func slot(_ sequence: UInt64) -> UnsafeMutablePointer<Atomic<UInt64>> {
    let index = Int(truncatingIfNeeded: sequence & mask)
    return (slots + index * RingLayout.slotBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  @inline(__always)
  func latest(_ label: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    (latest + label * RingLayout.slotBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// What the header of an existing file says, or why it is no ring of ours.
  static func layout(of path: String, _ file: Int32) throws(RingError) -> RingLayout {
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .system(path, "fstat") }
    guard status.st_uid == geteuid() else {
      throw RingError(path, "belongs to the user \(status.st_uid)")
    }
    guard Int(status.st_size) >= RingLayout.headerBytes else { throw RingError(path, "too short") }
    var words = InlineArray<4, UInt64>(repeating: 0)
    let read = withUnsafeMutableBytes(of: &words) { pread(file, $0.baseAddress, 32, 0) }
    guard read == 32 else { throw .system(path, "read") }
    guard words[0] == RingLayout.magic else { throw RingError(path, "is no ring") }
    guard words[1] == RingLayout.version else {
      throw RingError(path, "version \(words[1]); this program knows \(RingLayout.version)")
    }
    guard words[2] >= 8, words[2] <= 1 << 28, words[2] & (words[2] - 1) == 0, words[3] <= 1 << 16
    else { throw RingError(path, "a damaged header") }
    let layout = RingLayout(capacity: Int(words[2]), labelsMax: Int(words[3]))
    guard Int(status.st_size) == layout.bytes else {
      throw RingError(path, "\(status.st_size) bytes instead of \(layout.bytes)")
    }
    return layout
  }
}
