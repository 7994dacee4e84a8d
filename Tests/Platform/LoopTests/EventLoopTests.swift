import Chrono
import Foundation
import Loop
import Synchronization
import Testing

/// What a loop's callbacks did, in order.
private final class Notes: Sendable {
  private let stored = Mutex<[String]>([])
  var all: [String] { stored.withLock { $0 } }
  func add(_ note: String) { stored.withLock { $0.append(note) } }
}

/// Runs `body` on a loop of its own, and returns when the loop has ended.
private func onLoop<Result: Sendable>(
  _ body: @escaping @Sendable (EventLoop) async throws -> Result
) async throws -> Result {
  let loop = EventLoop()
  let thread = loop.start()
  defer {
    loop.stop()
    thread.join()
  }
  return try await Task(executorPreference: loop) { try await body(loop) }.value
}

@Suite struct `An event loop's timers` {
  @Test func `fire in order of their deadlines, equal ones in order of their making`() async throws
  {
    let notes = Notes()

    try await onLoop { loop in
      let now = loop.uptime
      loop.schedule(at: now + .milliseconds(4)) { notes.add("d") }
      loop.schedule(at: now + .milliseconds(2)) { notes.add("b") }
      loop.schedule(at: now + .milliseconds(2)) { notes.add("c") }
      let cancelled = loop.schedule(at: now + .milliseconds(3)) { notes.add("never") }
      loop.schedule(at: now) {
        notes.add("a")
        loop.cancel(cancelled)
      }
      await loop.sleep(for: .milliseconds(6))
    }

    #expect(notes.all == ["a", "b", "c", "d"])
  }

  @Test func `a thousand of them, half cancelled, fire once each and in order`() async throws {
    let fired = try await onLoop { loop in
      let fired = Mutex<[Int]>([])
      let now = loop.uptime
      var tokens: [TimerToken] = []
      for number in 0..<1000 {
        // Made in a scattered order, due in the order of `due`.
        let due = number * 617 % 1000
        tokens.append(
          loop.schedule(at: now + .microseconds(due)) { fired.withLock { $0.append(due) } })
      }
      for (index, token) in tokens.enumerated() where index * 617 % 1000 % 2 == 1 {
        loop.cancel(token)
        loop.cancel(token)
      }
      await loop.sleep(for: .milliseconds(5))
      return fired.withLock { $0 }
    }

    #expect(fired == Array(stride(from: 0, to: 1000, by: 2)))
  }

  @Test func `sleep lasts as long as asked, and ends at once when cancelled`() async throws {
    try await onLoop { loop in
      let start = loop.uptime
      await loop.sleep(for: .milliseconds(3))
      #expect(loop.uptime - start >= .milliseconds(3))

      let sleeper = loop.spawn { await loop.sleep(for: .seconds(3600)) }
      sleeper.cancel()
      await sleeper.value
      #expect(loop.uptime - start < .seconds(60))
      #expect(loop.isCurrent)
    }
  }
}

@Suite struct `An event loop's work` {
  @Test func `bodies from other threads run on the loop, each once, in each thread's order`()
    async throws
  {
    let loop = EventLoop()
    let thread = loop.start()
    let seen = Notes()

    await withTaskGroup { group in
      for name in ["a", "b"] {
        group.addTask {
          for number in 0..<500 {
            await withCheckedContinuation { done in
              loop.execute {
                if !loop.isCurrent { seen.add("stray") }
                seen.add("\(name)\(number)")
                done.resume()
              }
            }
          }
        }
      }
    }
    loop.stop()
    thread.join()

    #expect(!seen.all.contains("stray"))
    for name in ["a", "b"] {
      #expect(seen.all.filter { $0.hasPrefix(name) } == (0..<500).map { "\(name)\($0)" })
    }
  }

  @Test func `a burst of bodies before the loop wakes is not lost`() async throws {
    let loop = EventLoop()
    let count = Atomic<Int>(0)
    for _ in 0..<10_000 { loop.execute { count.add(1, ordering: .relaxed) } }
    let thread = loop.start()

    await withCheckedContinuation { done in loop.execute { done.resume() } }

    #expect(count.load(ordering: .relaxed) == 10_000)
    loop.stop()
    thread.join()
  }

  @Test func `a spawned task begins at once and stays on the loop through every kind of wait`()
    async throws
  {
    actor Elsewhere { func value() -> Int { 7 } }
    let notes = Notes()

    try await onLoop { loop in
      let task = loop.spawn {
        notes.add("first")
        func check(_ step: String) {
          if !loop.isCurrent { notes.add("off the loop after \(step)") }
        }
        await loop.sleep(for: .milliseconds(1))
        check("sleep")
        await Task.yield()
        check("yield")
        _ = await Elsewhere().value()
        check("actor")
        try? await Task.sleep(for: .milliseconds(1))
        check("Task.sleep")
        async let child = loop.isCurrent
        if await !child { notes.add("child off the loop") }
        await withCheckedContinuation { done in Thread { done.resume() }.start() }
        check("resumption from another thread")
      }
      notes.add("second")
      await task.value
    }

    #expect(notes.all == ["first", "second"])
  }

  @Test
  func `the end of a tick comes after its jobs, and work made there is done in the same tick`()
    async throws
  {
    let notes = Notes()

    try await onLoop { loop in
      await withCheckedContinuation { done in
        loop.atTickEnd {
          notes.add("end")
          loop.spawn { notes.add("job of the end") }
          loop.atTickEnd {
            notes.add("second end")
            done.resume()
          }
        }
        loop.spawn { notes.add("job") }
      }
    }

    #expect(notes.all == ["job", "end", "job of the end", "second end"])
  }

  @Test func `an actor can be pinned to a loop`() async throws {
    actor Pinned {
      private let loop: EventLoop
      nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.serialExecutor.asUnownedSerialExecutor()
      }
      init(_ loop: EventLoop) { self.loop = loop }
      func isOnLoop() -> Bool { loop.isCurrent }
    }
    let loop = EventLoop()
    let executor = loop.serialExecutor
    let thread = loop.start()

    #expect(await Pinned(loop).isOnLoop())

    withExtendedLifetime(executor) {}
    loop.stop()
    thread.join()
  }
}

@Suite struct `An event loop's descriptors` {
  /// Reads what comes, and notes it. Lives on the loop alone.
  private final class Reader: Pollable, @unchecked Sendable {
    let fd: Int32
    let notes: Notes
    var afterRead: (() -> Void)?

    init(_ fd: Int32, _ notes: Notes) {
      self.fd = fd
      self.notes = notes
    }

    func ready(_ readiness: Readiness) {
      var bytes = [UInt8](repeating: 0, count: 100)
      let count = read(fd, &bytes, bytes.count)
      notes.add(count > 0 ? String(decoding: bytes[0..<count], as: UTF8.self) : "end")
      afterRead?()
    }
  }

  private func pair() -> (Int32, Int32) {
    var fds: [Int32] = [0, 0]
    pipe(&fds)
    return (fds[0], fds[1])
  }

  @Test func `a readable descriptor is told until it is unregistered`() async throws {
    let (notes, (output, input)) = (Notes(), pair())
    defer {
      close(output)
      close(input)
    }

    try await onLoop { loop in
      let reader = Reader(output, notes)
      let registration = try loop.register(output, .readable, reader)
      for text in ["one", "two"] {
        await withCheckedContinuation { done in
          reader.afterRead = { done.resume() }
          write(input, text, 3)
        }
      }
      loop.unregister(registration)
      loop.unregister(registration)
      write(input, "lost", 4)
      await loop.sleep(for: .milliseconds(2))
    }

    #expect(notes.all == ["one", "two"])
  }

  @Test func `a handler that unregisters another one silences its event of the same batch`()
    async throws
  {
    let notes = Notes()
    let pairs = [pair(), pair()]
    defer {
      for (output, input) in pairs {
        close(output)
        close(input)
      }
    }

    try await onLoop { loop in
      for (_, input) in pairs { write(input, "x", 1) }
      let readers = pairs.map { Reader($0.0, notes) }
      var registrations: [Registration] = []
      for reader in readers {
        registrations.append(try loop.register(reader.fd, .readable, reader))
      }
      for (index, reader) in readers.enumerated() {
        reader.afterRead = { [registrations] in loop.unregister(registrations[1 - index]) }
      }
      await loop.sleep(for: .milliseconds(2))
    }

    #expect(notes.all == ["x"])
  }

  @Test func `a descriptor that cannot be watched is an error`() async throws {
    try await onLoop { loop in
      let error = #expect(throws: SystemError.self) {
        try loop.register(-1, .readable, Reader(-1, Notes()))
      }
      #expect(error == SystemError("epoll_ctl", code: EBADF))
      #expect(error?.description == "epoll_ctl: Bad file descriptor (errno 9)")
    }
  }
}
