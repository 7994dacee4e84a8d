private import Glibc

/// Bytes on their way to a socket, in order. An array would do the same at three times the cost of
/// appending a frame. Confined to its connection's loop.
struct OutputBuffer: ~Copyable {
  private var memory = UnsafeMutableRawPointer(bitPattern: OutputBuffer.nowhere)!
  private var capacity = 0
  private var start = 0
  private var end = 0

  /// What an empty one keeps: a larger burst does not keep its memory.
  private static let keptMax = 64 * 1024
  private static let smallest = 1024
  /// An aligned address of no memory.
  private static let nowhere = 16

  deinit { if capacity > 0 { free(memory) } }

  var isEmpty: Bool { start == end }
  var count: Int { end - start }
  /// Valid until the next change.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory + start, count: count) }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    if end + bytes.count > capacity { makeRoom(for: bytes.count) }
    memcpy(memory + end, source, bytes.count)
    end += bytes.count
  }

  /// The first of them have been sent.
  mutating func consume(_ count: Int) {
    precondition(count <= self.count, "\(count) of \(self.count) bytes were sent")
    start += count
    guard start == end else { return }
    (start, end) = (0, 0)
    if capacity > Self.keptMax { clear() }
  }

  mutating func clear() {
    if capacity > 0 { free(memory) }
    memory = UnsafeMutableRawPointer(bitPattern: Self.nowhere)!
    (capacity, start, end) = (0, 0, 0)
  }

  /// What was sent makes room first, when it is the larger part.
  private mutating func makeRoom(for more: Int) {
    let left = count
    if start > left, left + more <= capacity {
      memcpy(memory, memory + start, left)
    } else {
      let larger = max(Self.smallest, 2 * capacity, left + more)
      guard let moved = malloc(larger) else {
        fatalError("no memory for \(larger) bytes of output")
      }
      memcpy(moved, memory + start, left)
      if capacity > 0 { free(memory) }
      (memory, capacity) = (moved, larger)
    }
    (start, end) = (0, left)
  }
}
