import Chrono
import Loop
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport

@Suite struct `Background tasks` {
  struct Broken: Error {}

  func context(_ loop: EventLoop) throws -> ServiceContext {
    ServiceContext(
      name: "oms", loop: loop, state: StateFolder("/nowhere"),
      connect: { _ in InProcessChannel(methods: [], loop: loop) })
  }

  @Test func `a task that fails runs again, and counts`() async throws {
    try await withLoop { loop in
      let context = try context(loop)
      let runs = Atomic<Int>(0)

      context.spawn("fragile") {
        if runs.wrappingAdd(1, ordering: .relaxed).newValue < 3 { throw Broken() }
      }

      #expect(await eventually { runs.load(ordering: .relaxed) == 3 })
      let line = "background_task_restarts_total{task=\"fragile\"} 2"
      #expect(context.metrics.exposition().contains(line))
      await context.stopTasks()
    }
  }

  @Test func `a needed task that has failed makes the service not ready`() async throws {
    try await withLoop { loop in
      let context = try context(loop)
      let mayWork = Atomic<Bool>(false)

      context.spawn("feed", isNeeded: true) {
        guard mayWork.load(ordering: .relaxed) else { throw Broken() }
        await loop.sleep(for: .seconds(60))
      }
      #expect(!context.readiness.isReady)
      #expect(context.readiness.missing.map(\.name) == ["task feed"])
      mayWork.store(true, ordering: .relaxed)

      #expect(await eventually { context.readiness.isReady })
      await context.stopTasks()
    }
  }

  @Test func `stopping cancels and waits, and nothing begins afterwards`() async throws {
    try await withLoop { loop in
      let context = try context(loop)
      let ended = Atomic<Bool>(false)

      context.spawn("sleeper") {
        await loop.sleep(for: .seconds(60))
        ended.store(true, ordering: .relaxed)
      }
      context.spawn("ticker", every: .milliseconds(1)) {}
      await context.stopTasks()
      let late = Atomic<Bool>(false)
      context.spawn("late") { late.store(true, ordering: .relaxed) }

      let (hasEnded, wasLate) = (ended.load(ordering: .relaxed), late.load(ordering: .relaxed))
      #expect(hasEnded && !wasLate)
    }
  }
}

@Suite struct `Readiness` {
  @Test func `observers hear of changes only, and what is missing has names`() {
    let board = ReadinessBoard()
    let heard = Mutex<[Bool]>([])
    let feed = board.require("feed", reason: "connecting")
    let journal = board.require("journal")

    board.onChange { ready in heard.withLock { $0.append(ready) } }
    feed.hold()
    journal.hold()
    feed.fail("lost")
    feed.fail("still lost")
    journal.fail("full")

    #expect(heard.withLock { $0 } == [false, true, false])
    #expect(board.missing.map(\.name) == ["feed", "journal"])
    #expect(board.missing.map(\.reason) == ["still lost", "full"])
  }

  @Test func `OBS-01 a condition says since when it does not hold, and how much that matters`() {
    let time = SimulatedTime()
    let board = ReadinessBoard(time: time)
    let record = board.require("record", weight: .told)
    let began = time.now
    time.advance(by: .seconds(3))
    record.fail("late")
    #expect(board.degraded == [.init(name: "record", reason: "late", since: began)])
    #expect(board.isReady)

    record.fail("too late", weight: .health)
    #expect(board.missing == [.init(name: "record", reason: "too late", since: began)])
    #expect(!board.isReady)
    // Calls are taken all the while.
    #expect(board.refusing.isEmpty)

    record.hold()
    #expect(board.isReady && board.missing.isEmpty && board.degraded.isEmpty)
    time.advance(by: .seconds(2))
    record.fail("late again")
    #expect(board.degraded.first?.since == began + .seconds(5))
  }
}
