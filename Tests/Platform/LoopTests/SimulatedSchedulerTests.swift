import Chrono
import Loop
import Synchronization
import Testing

private final class Notes: Sendable {
  private let stored = Mutex<[String]>([])
  var all: [String] { stored.withLock { $0 } }
  func add(_ note: String) { stored.withLock { $0.append(note) } }
}

@Suite struct `Loops on a simulated clock` {
  /// Three processes that sleep, hand each other work and draw numbers.
  private func story(_ seed: UInt64) -> (notes: [String], digest: UInt64) {
    let scheduler = SimulatedScheduler(seed: seed)
    let notes = Notes()
    let loops = ["a", "b", "c"].map { scheduler.loop($0) }
    for (index, loop) in loops.enumerated() {
      loop.spawn {
        for round in 0..<20 {
          await loop.sleep(for: .milliseconds(Int(loop.randomNumber() % 50)))
          notes.add("\(loop.name)\(round) at \(loop.uptime.nanoseconds)")
          let other = loops[(index + 1) % 3]
          other.execute { notes.add("\(other.name) heard \(loop.name)\(round)") }
        }
      }
    }
    scheduler.run(until: Uptime(nanoseconds: 10_000_000_000))
    return (notes.all, scheduler.digest)
  }

  @Test func `TST-04 a seed tells the same story twice, another seed another one`() {
    let first = story(7)
    #expect(first.notes.count == 120)
    #expect(story(7) == first)
    #expect(story(8).notes != first.notes)
    #expect(story(8).digest != first.digest)
  }

  @Test func `hours pass in no time, and timers fire in their order`() {
    let scheduler = SimulatedScheduler(seed: 1)
    let loop = scheduler.loop("a")
    let notes = Notes()
    loop.execute {
      loop.schedule(after: .seconds(7_200)) { notes.add("late") }
      loop.schedule(after: .seconds(3_600)) { notes.add("early") }
      let cancelled = loop.schedule(after: .seconds(60)) { notes.add("never") }
      loop.cancel(cancelled)
    }
    scheduler.run(until: Uptime(nanoseconds: 5_000_000_000_000))
    #expect(notes.all == ["early"])
    #expect(scheduler.uptime == Uptime(nanoseconds: 5_000_000_000_000))
    scheduler.run(until: Uptime(nanoseconds: 9_000_000_000_000))
    #expect(notes.all == ["early", "late"])
  }

  @Test func `a process that is dropped runs nothing more, one that is paused goes on later`() {
    let scheduler = SimulatedScheduler(seed: 1)
    let (dead, slow) = (scheduler.loop("dead"), scheduler.loop("slow"))
    let notes = Notes()
    for loop in [dead, slow] {
      loop.spawn {
        while true {
          await loop.sleep(for: .seconds(1))
          notes.add("\(loop.name) \(loop.uptime.nanoseconds / 1_000_000_000)")
        }
      }
    }
    scheduler.run(until: Uptime(nanoseconds: 1_500_000_000))
    scheduler.drop(dead)
    scheduler.pause(slow, until: Uptime(nanoseconds: 4_500_000_000))
    scheduler.run(until: Uptime(nanoseconds: 5_900_000_000))
    #expect(Set(notes.all) == ["dead 1", "slow 1", "slow 4", "slow 5"])
    #expect(notes.all.count == 4)
  }

  @Test func `a wall clock jumps, and uptime does not`() {
    let scheduler = SimulatedScheduler(seed: 1)
    let clock = scheduler.clock(start: Instant(nanoseconds: 1_000))
    scheduler.run(until: Uptime(nanoseconds: 500))
    #expect(clock.now == Instant(nanoseconds: 1_500))
    clock.jump(by: .nanoseconds(-700))
    #expect(clock.now == Instant(nanoseconds: 800))
    #expect(clock.uptime == Uptime(nanoseconds: 500))
  }
}
