import Chrono
import Loop
import Synchronization
import Testing

/// Memory in which so many entries wait that nobody rings for.
private final class Entries: WatchedMemory {
  private var waiting: Int
  private(set) var isAsleep = false
  private(set) var asked = 0
  private var isEmptied: CheckedContinuation<Bool, Never>?

  init(_ waiting: Int) { self.waiting = waiting }

  func look() -> Bool {
    guard waiting > 0 else { return false }
    waiting -= 1
    if waiting == 0 { end(true) }
    return true
  }

  func sleeps() -> Bool {
    asked += 1
    isAsleep = waiting == 0
    return isAsleep
  }

  func wakes() { isAsleep = false }

  func end(_ isEmpty: Bool) {
    isEmptied?.resume(returning: isEmpty)
    isEmptied = nil
  }

  /// Whether the loop has found all of it by itself.
  func emptied(by loop: EventLoop, spin: Duration) async -> Bool {
    await withCheckedContinuation { continuation in
      isEmptied = continuation
      loop.schedule(after: .seconds(20)) { [self] in end(false) }
      loop.watch(self, spin: spin)
    }
  }
}

@Suite struct `Memory that an event loop watches` {
  /// What the loop found, and whether it thought the loop asleep while it ran.
  private func run(spin: Duration) async throws -> (isEmptied: Bool, wasAsleep: Bool, asked: Int) {
    let loop = EventLoop()
    let thread = loop.start()
    defer {
      loop.stop()
      thread.join()
    }
    return await Task(executorPreference: loop) {
      let entries = Entries(3)
      let isEmptied = await entries.emptied(by: loop, spin: spin)
      let found = (isEmptied, entries.isAsleep, entries.asked)
      loop.unwatch(entries)
      return found
    }.value
  }

  @Test(arguments: [Duration.zero, .microseconds(500)])
  func `is looked at without a descriptor, and nothing that came is slept over`(
    spin: Duration
  ) async throws {
    let found = try await run(spin: spin)
    #expect(found.isEmptied && !found.wasAsleep)
    #expect(spin > .zero || found.asked > 0, "asked before the loop sleeps")
  }

  @Test func `the loop spins as long as somebody wants it to`() async throws {
    let loop = EventLoop(spin: .microseconds(3))
    let thread = loop.start()
    defer {
      loop.stop()
      thread.join()
    }
    let spins = await Task(executorPreference: loop) {
      let (short, long) = (Entries(0), Entries(0))
      var spins: [Duration] = []
      loop.watch(short, spin: .microseconds(5))
      spins.append(loop.spin)
      loop.watch(long, spin: .microseconds(9))
      spins.append(loop.spin)
      loop.unwatch(long)
      spins.append(loop.spin)
      loop.unwatch(short)
      spins.append(loop.spin)
      return spins
    }.value
    #expect(spins == [5, 9, 5, 3].map { .microseconds($0) })
  }
}
