import CAllocationCount
import Glibc
import Testing

@testable import SharedRing

/// A ring's file that goes with the test.
final class RingFile {
  let path: String

  init(_ name: String = #function) {
    path =
      "/dev/shm/shrivenquant-test-\(getpid())-\(name.utf8.reduce(5381) { ($0 &* 33) ^ UInt64($1) })"
    unlink(path)
  }

  deinit { unlink(path) }
}

/// Content that a torn read would show: every word says the same.
func content(_ value: UInt64) -> RingContent {
  RingContent((value, value, value, value, value, value, value))
}

extension RingReader.Entry {
  /// The value of a whole entry.
  var value: UInt64? {
    guard case .next(let content, _) = self else { return nil }
    return content == SharedRingTests.content(content.words.0) ? content.words.0 : nil
  }

  var isNone: Bool { if case .none = self { true } else { false } }
}

@Suite struct `A ring in shared memory` {
  @Test func `SHM-01 every reader sees every entry, in order`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 16)
    var left = try RingReader(file.path)
    var right = try RingReader(file.path)

    for value in 1...200 as ClosedRange<UInt64> {
      #expect(writer.write(content(value)) == value)
      #expect(left.read().value == value)
      if value % 10 == 0 {
        #expect(right.lag == 10)
        for late in value - 9...value { #expect(right.read().value == late) }
      }
    }

    #expect(left.read().isNone && right.read().isNone)
    #expect(left.lost == 0 && right.lost == 0)
  }

  @Test func `SHM-01 an overrun reader knows how much it lost and goes on`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 16)
    var reader = try RingReader(file.path)

    for value in 1...100 as ClosedRange<UInt64> { writer.write(content(value)) }

    guard case .overrun(let lost) = reader.read() else {
      Issue.record("no overrun")
      return
    }
    let first = try #require(reader.read().value)
    #expect(lost == first - 1 && reader.lost == lost)
    for value in first + 1...100 { #expect(reader.read().value == value) }
    #expect(reader.read().isNone)
  }

  @Test(arguments: [8, 16, 1_024])
  func `a reader that is exactly a ring behind loses nothing, one more is an overrun`(
    capacity: Int
  ) throws {
    let file = RingFile("exact-\(capacity)")
    var writer = try RingWriter(file.path, capacity: capacity)
    var reader = try RingReader(file.path)
    for value in 1...UInt64(capacity) { writer.write(content(value)) }
    #expect(reader.read().value == 1)
    for value in 1...2 as ClosedRange<UInt64> { writer.write(content(UInt64(capacity) + value)) }

    guard case .overrun(let lost) = reader.read() else {
      Issue.record("entry 2 was overwritten")
      return
    }
    #expect(lost == UInt64(capacity) / 4 + 1)
  }

  @Test func `readers begin now, at the oldest, or behind an entry`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 8)
    for value in 1...20 as ClosedRange<UInt64> { writer.write(content(value)) }

    var now = try RingReader(file.path, from: .now)
    var oldest = try RingReader(file.path, from: .oldest)
    var after = try RingReader(file.path, from: .after(17))

    #expect(now.read().isNone)
    #expect(oldest.read().value == 14)
    #expect(after.read().value == 18)
  }

  @Test func `SHM-01 a writer that takes over is noticed, and goes on behind the last entry`()
    throws
  {
    let file = RingFile()
    do {
      var first = try RingWriter(file.path, capacity: 16)
      first.write(content(1))
      #expect(first.generation == 1)
    }
    var reader = try RingReader(file.path, from: .oldest)
    #expect(reader.read().value == 1)

    var second = try RingWriter(file.path, capacity: 16)
    #expect(second.published == 1)

    guard case .newWriter(generation: 2) = reader.read() else {
      Issue.record("the new writer was not noticed")
      return
    }
    second.write(content(2))
    #expect(reader.read().value == 2)
  }

  @Test func `one writer at a time; another shape retires the old file`() throws {
    let file = RingFile()
    do {
      var writer = try RingWriter(file.path, capacity: 16)
      writer.write(content(1))
      #expect(throws: RingError.self) { _ = try RingWriter(file.path, capacity: 16) }
    }
    var reader = try RingReader(file.path)

    var larger = try RingWriter(file.path, capacity: 32)

    guard case .retired = reader.read() else {
      Issue.record("the old ring was not retired")
      return
    }
    var fresh = try RingReader(file.path, from: .oldest)
    larger.write(content(7))
    #expect(fresh.read().value == 7 && fresh.capacity == 32)
  }

  @Test func `labels are numbers that stay`() throws {
    let file = RingFile()
    do {
      let writer = try RingWriter(file.path, capacity: 8, labelsMax: 2)
      #expect(writer.label("binance/BTCUSDT") == 0)
      #expect(writer.label("kraken/BTCUSD") == 1)
      #expect(writer.label("binance/BTCUSDT") == 0)
      #expect(writer.label("okx/BTCUSDT") == nil)
      #expect(writer.label(String(repeating: "x", count: 121)) == nil)
    }
    let again = try RingWriter(file.path, capacity: 8, labelsMax: 2)
    let reader = try RingReader(file.path)

    #expect(again.label("kraken/BTCUSD") == 1)
    #expect(reader.label(1) == "kraken/BTCUSD" && reader.label(2) == nil && reader.labelCount == 2)
  }

  @Test func `what is no ring is refused with its reason`() throws {
    let file = RingFile()
    #expect(throws: RingError.self) { _ = try RingReader(file.path) }
    let descriptor = open(file.path, O_RDWR | O_CREAT, 0o600)
    ftruncate(descriptor, 10_000)
    close(descriptor)

    let error = #expect(throws: RingError.self) { _ = try RingReader(file.path) }
    #expect(error?.problem == "is no ring")
    // A writer makes it one.
    _ = try RingWriter(file.path, capacity: 8)
    _ = try RingReader(file.path)
  }

  @Test func `the file is for its owner only`() throws {
    let file = RingFile()
    _ = try RingWriter(file.path, capacity: 8)
    var status = stat()
    stat(file.path, &status)

    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func `writing and reading allocate nothing`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 1_024)
    var reader = try RingReader(file.path)
    var sum: UInt64 = 0
    let before = allocation_count()
    for value in 0..<10_000 {
      writer.write(content(UInt64(value)))
      if case .next(let content, _) = reader.read() { sum += content.words.6 }
    }
    #expect(allocation_count() - before == 0)
    #expect(sum == 49_995_000)
  }
}
