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

  deinit {
    unlink(path)
    for number in 0..<64 { unlink("\(path).bell-\(number)") }
  }
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

  @Test func `SHM-01 the latest of each label is whole, and gone when another writer takes over`()
    throws
  {
    let file = RingFile()
    var reader: RingReader
    do {
      var writer = try RingWriter(file.path, capacity: 8, labelsMax: 4)
      reader = try RingReader(file.path)
      let (first, second) = (writer.label("l"), writer.label("r"))
      let (left, right) = (try #require(first), try #require(second))
      #expect(reader.latest(of: left) == nil)
      // More than the ring holds of one, and nothing of the other in between.
      writer.write(content(1), latestOf: right)
      for value in 2...100 as ClosedRange<UInt64> { writer.write(content(value), latestOf: left) }
      writer.write(content(101))

      let (latest, early) = (reader.latest(of: left), reader.latest(of: right))
      #expect(latest?.content == content(100) && latest?.sequence == 100)
      #expect(early?.content == content(1) && early?.sequence == 1)
      #expect(reader.latest(of: 2) == nil && reader.latest(of: -1) == nil)
      reader.skip()
      #expect(reader.read().isNone)
      writer.write(content(102))
      #expect(reader.read().value == 102)
    }
    let second = try RingWriter(file.path, capacity: 8, labelsMax: 4)
    #expect(second.generation == 2)
    #expect(reader.latest(of: 0) == nil && reader.latest(of: 1) == nil)
  }

  @Test func `SHM-01 a writer that died writing leaves no half entry to begin with`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 8, labelsMax: 1)
    let first = writer.label("l")
    let label = try #require(first)
    writer.write(content(1), latestOf: label)
    let reader = try RingReader(file.path)
    let layout = RingLayout(capacity: 8, labelsMax: 1)
    // As when the core went away between the mark and the content.
    let descriptor = open(file.path, O_RDWR)
    var mark = RingLayout.writing
    #expect(pwrite(descriptor, &mark, 8, off_t(layout.latestOffset)) == 8)
    close(descriptor)

    #expect(reader.latest(of: label) == nil)
    writer.write(content(2), latestOf: label)
    #expect(reader.latest(of: label)?.content == content(2))
  }

  @Test func `a reader that says it sleeps is rung for once, and not when something waits`() throws
  {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 8)
    var left = try RingReader(file.path)
    var right = try RingReader(file.path)
    #expect(left.sleeps() == false, "without a bell nobody would wake it")
    #expect(writer.wake() == 0)
    let bells = [try left.openBell(), try right.openBell()]
    #expect(bells[0] != bells[1])
    #expect(left.sleeps() == true && right.sleeps() == true)
    writer.write(content(1))
    #expect(writer.wake() == 2)
    #expect(writer.wake() == 0)
    for bell in bells {
      var waiting = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
      #expect(poll(&waiting, 1, 0) == 1)
    }
    left.silence()
    var silent = pollfd(fd: bells[0], events: Int16(POLLIN), revents: 0)
    #expect(poll(&silent, 1, 0) == 0)
    #expect(left.sleeps() == false)
    #expect(left.read().value == 1)
    #expect(left.sleeps() == true)
  }

  @Test func `there are 64 bells, and one that is left is free again`() throws {
    let file = RingFile()
    let writer = try RingWriter(file.path, capacity: 8)
    func take(_ count: Int) throws {
      guard count > 0 else {
        let error = #expect(throws: RingError.self) {
          var late = try RingReader(file.path)
          _ = try late.openBell()
        }
        #expect(error?.problem == "64 readers have a bell")
        return
      }
      var reader = try RingReader(file.path)
      _ = try reader.openBell()
      try take(count - 1)
    }
    try take(64)
    var reader = try RingReader(file.path)
    let bell = try reader.openBell()
    #expect(bell >= 0)
    #expect(writer.generation == 1)
  }

  @Test func `what a ring's removal leaves is nothing, and its readers are told`() throws {
    let file = RingFile()
    let writer = try RingWriter(file.path, capacity: 8)
    var reader = try RingReader(file.path)
    _ = try reader.openBell()
    #expect(reader.hasWriter == true && reader.sleeps() == true)
    writer.remove()
    guard case .retired = reader.read() else {
      Issue.record("not told")
      return
    }
    #expect(reader.hasWriter == false && access(file.path, F_OK) != 0)
    #expect(access(file.path + ".bell-0", F_OK) != 0)
  }

  @Test func `a ring of a folder on a disk is in memory, with a link to it`() throws {
    let folder = "/dev/shm/shrivenquant-test-place-\(getpid())"
    mkdir(folder, 0o700)
    defer { rmdir(folder) }
    #expect(RingPlace("ring", in: folder).path == folder + "/ring")
    // procfs is no memory file system: as a disk.
    let far = RingPlace("ring", in: "/proc")
    #expect(far.link == "/proc/ring" && far.path.hasPrefix("/dev/shm/shrivenquant-\(geteuid())-"))
    #expect(far.path.hasSuffix("-ring") && far.path != RingPlace("ring", in: "/sys").path)
    #expect(RingPlace("ring", in: "/proc", memory: "/sys").path == "/proc/ring")
  }

  @Test func `a link in the writer's place is not followed`() throws {
    let (file, victim) = (RingFile(), RingFile("victim"))
    #expect(symlink(victim.path, file.path) == 0)
    #expect(throws: RingError.self) { _ = try RingWriter(file.path, capacity: 8) }
    #expect(access(victim.path, F_OK) != 0)
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
