import Glibc
import Synchronization
import Testing

@testable import SharedRing

/// Two processes, as in earnest. The children are made by fork and do nothing but read or write the
/// ring before they leave by `_exit`.
@Suite(.serialized) struct `A ring between processes` {
  /// Runs `body` in a child; its result is the exit code.
  private func child(_ body: () throws -> Int32) -> pid_t {
    let pid = SharedRingTests.fork()
    guard pid == 0 else { return pid }
    do { _exit(try body()) } catch { _exit(99) }
  }

  private func exitCode(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
  }

  @Test func `SHM-01 ten million entries cross without loss or tear`() throws {
    let total: UInt64 = 10_000_000
    let file = RingFile()
    var writer = try RingWriter(file.path)
    // The reader tells how far it is, so that the writer does not overrun it; that is the test's own
    // arrangement, the ring has none.
    let progress = RingFile("progress")
    var back = try RingWriter(progress.path, capacity: 8)
    var told = try RingReader(progress.path)
    let reader = child {
      var reader = try RingReader(file.path, from: .oldest)
      var expected: UInt64 = 1
      while expected <= total {
        switch reader.read() {
        case .next(let words, let sequence):
          guard words == multiples(expected) else { return 1 }
          guard sequence == expected else { return 2 }
          if expected % 8_192 == 0 { back.write(content(expected)) }
          expected += 1
        case .none: sched_yield()
        case .overrun: return 3
        case .newWriter, .retired: return 4
        }
      }
      return reader.lost == 0 ? 0 : 5
    }
    var seen: UInt64 = 0
    var most: UInt64 = 0
    var crowded = 0
    for value in 1...total {
      writer.write(multiples(value))
      while case let entry = told.read(), !entry.isNone {
        if let value = entry.value { seen = value }
        if case .overrun = entry { continue }
      }
      most = max(most, value - seen)
      if value - seen > 32_768 { crowded += 1 }
      while value - seen >= 65_536 - 8_192 - 1 {
        if let value = told.read().value { seen = value } else { sched_yield() }
      }
    }
    #expect(exitCode(reader) == 0)
    print("ring: \(total) entries, at most \(most) on their way, \(crowded) written over half full")
  }

  @Test func `SHM-01 a writer that is killed leaves whole entries, and its successor goes on`()
    throws
  {
    let file = RingFile()
    _ = try RingWriter(file.path, capacity: 1_024)
    var reader = try RingReader(file.path)
    let first = child {
      var writer = try RingWriter(file.path, capacity: 1_024)
      var value: UInt64 = 0
      while true {
        value += 1
        writer.write(content(value))
      }
    }
    var last: UInt64 = 0
    var count = 0
    while count < 10_000 {
      switch reader.read() {
      case .next(let content, _):
        #expect(content == SharedRingTests.content(content.words.0))
        #expect(content.words.0 > last)
        last = content.words.0
        count += 1
      case .none, .overrun, .newWriter: continue
      case .retired: Issue.record("retired")
      }
    }
    kill(first, SIGKILL)
    #expect(exitCode(first) == -SIGKILL)

    var second = try RingWriter(file.path, capacity: 1_024)
    #expect(second.generation == 3 && second.published >= last)
    var fresh = try RingReader(file.path, from: .now)
    second.write(content(1))
    #expect(fresh.read().value == 1)
  }

  @Test func `a process that was forked beside a writer does not keep its successor out`() throws {
    let file = RingFile()
    var bystander: pid_t = 0
    do {
      let writer = try RingWriter(file.path, capacity: 8)
      bystander = child { while true { pause() } }
      #expect(writer.generation == 1)
    }
    defer {
      kill(bystander, SIGKILL)
      _ = exitCode(bystander)
    }

    #expect(try RingWriter(file.path, capacity: 8).generation == 2)
  }

  @Test func `SHM-01 a reader that is killed costs the writer nothing`() throws {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 64)
    let ready = RingFile("ready")
    _ = try RingWriter(ready.path, capacity: 8)
    let reader = child {
      var reader = try RingReader(file.path, from: .now)
      var signal = try RingWriter(ready.path, capacity: 8)
      signal.write(content(1))
      var bell = pollfd(fd: try reader.openBell(), events: Int16(POLLIN), revents: 0)
      while true {
        guard reader.read().isNone, reader.sleeps() else { continue }
        poll(&bell, 1, -1)
        reader.wakes()
        reader.silence()
      }
    }
    var started = try RingReader(ready.path, from: .oldest)
    while started.read().value == nil { sched_yield() }
    writer.write(content(1))
    kill(reader, SIGKILL)
    #expect(exitCode(reader) == -SIGKILL)

    for value in 2...1_000 as ClosedRange<UInt64> {
      writer.write(content(value))
      writer.wake()
    }
    var other = try RingReader(file.path, from: .oldest)
    #expect(other.read().value == 1_000 - 62)
    // Its bell is free again.
    let again = try other.openBell()
    #expect(again >= 0 && other.sleeps() == false)
  }

  @Test func `SHM-01 a reader that sleeps is woken by every entry, and by the writer's end`() throws
  {
    let file = RingFile()
    var writer = try RingWriter(file.path, capacity: 1_024)
    let answers = RingFile("answers")
    _ = try RingWriter(answers.path, capacity: 1_024)
    let reader = child {
      var reader = try RingReader(file.path)
      var answer = try RingWriter(answers.path, capacity: 1_024)
      var bell = pollfd(fd: try reader.openBell(), events: Int16(POLLIN), revents: 0)
      while true {
        switch reader.read() {
        case .next(let words, _): answer.write(words)
        case .retired: return 0
        case .overrun, .newWriter: return 1
        case .none:
          // Never a time limit: a wake-up that is missed would be a test that does not end.
          guard reader.sleeps() else { continue }
          if answer.published == 0 { answer.write(content(0)) }
          poll(&bell, 1, -1)
          reader.wakes()
          reader.silence()
        }
      }
    }
    var answered = try RingReader(answers.path, from: .oldest)
    func wait(for value: UInt64) {
      while answered.read().value != value { sched_yield() }
    }
    wait(for: 0)
    var rung = 0
    for value in 1...2_000 as ClosedRange<UInt64> {
      writer.write(content(value))
      rung += writer.wake()
      wait(for: value)
    }
    writer.remove()
    #expect(exitCode(reader) == 0)
    #expect(rung > 0 && rung <= 2_000)
    #expect(access(file.path, F_OK) != 0 && access(file.path + ".bell-0", F_OK) != 0)
  }

  @Test func `SHM-01 a writer's death is seen at once, by the lock that dies with it`() throws {
    let file = RingFile()
    let ready = RingFile("alive")
    _ = try RingWriter(ready.path, capacity: 8)
    let writing = child {
      let writer = try RingWriter(file.path, capacity: 8)
      var signal = try RingWriter(ready.path, capacity: 8)
      writer.beat(uptime: 7)
      signal.write(content(1))
      while true {
        pause()
        writer.beat(uptime: 7)
      }
    }
    var started = try RingReader(ready.path, from: .oldest)
    while started.read().value == nil { sched_yield() }
    let reader = try RingReader(file.path)
    #expect(reader.hasWriter == true && reader.lastBeat == 7)
    kill(writing, SIGKILL)
    #expect(exitCode(writing) == -SIGKILL)
    #expect(reader.hasWriter == false)
  }
}

private func multiples(_ value: UInt64) -> RingContent {
  RingContent(
    (value, value &* 2, value &* 3, value &* 4, value &* 5, value &* 6, value &* 7))
}

/// fork(2), which the Glibc module does not offer: the children here touch the ring only.
private func fork() -> pid_t {
  typealias Fork = @convention(c) () -> pid_t
  return unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
}
