import Chrono
import Loop
import Synchronization
import TestKit
import Testing

@testable import ExecutionRouterService

private final class Seen: Sendable {
  private let state = Mutex((running: 0, most: 0, order: [Int]()))

  func withLock<T>(_ body: (inout (running: Int, most: Int, order: [Int])) -> T) -> T {
    state.withLock { body(&$0) }
  }
}

@Suite struct `What is tried until it succeeds` {
  @Test func `pauses double up to the longest, and begin anew`() {
    var pace = RetryPace(from: .milliseconds(100), to: .milliseconds(500))
    let pauses = (0..<5).map { _ in pace.take() }
    pace.reset()

    #expect(pauses == [100, 200, 400, 500, 500].map { Duration.milliseconds($0) })
    #expect(pace.take() == .milliseconds(100))
  }

  @Test func `a lane lets so many go at a time, the others in their order`() async throws {
    try await withLoop { loop in
      let pace = RetryPace(from: .milliseconds(1), to: .milliseconds(1))
      let lane = VenueLane(most: 2, pace: pace, loop: loop)
      let seen = Seen()

      let tasks = (0..<20).map { number in
        Task(executorPreference: loop) {
          try await lane.run {
            seen.withLock { seen in
              seen.running += 1
              seen.most = max(seen.most, seen.running)
              seen.order.append(number)
            }
            await loop.sleep(for: .milliseconds(1))
            seen.withLock { $0.running -= 1 }
            return VenueLane.Outcome(value: number, isAnswer: true)
          }
        }
      }
      for task in tasks { _ = try await task.value }

      #expect(seen.withLock { $0.most } == 2)
      #expect(Set(seen.withLock { $0.order }) == Set(0..<20))
    }
  }

  @Test func `whoever waits for a lane and is cancelled goes away`() async throws {
    try await withLoop { loop in
      let pace = RetryPace(from: .seconds(3_600), to: .seconds(3_600))
      let lane = VenueLane(most: 1, pace: pace, loop: loop)
      let tasks = (0..<5).map { _ in
        Task(executorPreference: loop) {
          try await lane.run { VenueLane.Outcome(value: 0, isAnswer: false) }
        }
      }
      for task in tasks { task.cancel() }

      for task in tasks { _ = await task.result }
    }
  }

  @Test func `a matter has one owner, who goes over it again when it comes up meanwhile`() {
    let matters = OpenMatters()
    let key = OpenMatters.Key(kind: .proof, subject: "A-1")
    let now = OpenMatters.Moment(
      time: Instant(milliseconds: 1_700_000_000_000), uptime: Uptime(nanoseconds: 0))
    #expect(matters.open(key, at: "okx", now: now))
    matters.begin(key)
    #expect(!matters.open(key, at: "okx", now: now))
    #expect(!matters.close(key))
    matters.begin(key)
    #expect(matters.summaries(now: now.uptime, olderThan: .seconds(2)).isEmpty)
    matters.note(key, "held back")

    let told = matters.summaries(now: now.uptime, olderThan: .seconds(2))["okx"]
    #expect(told?.text == "1 orders unproven since 2023-11-14T22:13:20.000000000Z: held back")
    #expect(matters.close(key) && !matters.isOpen(key))
  }
}
