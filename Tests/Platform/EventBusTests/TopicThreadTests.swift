import EventBus
import Glibc
import Synchronization
import Testing

/// An event with a reference in it and numbers that must agree.
private struct Numbered: Sendable {
  final class Box: Sendable {
    let value: UInt64
    init(_ value: UInt64) { self.value = value }
  }

  let sequence: UInt64
  let publisher: Int
  let box: Box

  init(_ sequence: UInt64, _ publisher: Int) {
    self.sequence = sequence
    self.publisher = publisher
    box = Box(sequence &* 3 &+ UInt64(publisher))
  }

  var isWhole: Bool { box.value == sequence &* 3 &+ UInt64(publisher) }
}

private func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
      return nil
    }, Unmanaged.passRetained(Body(body)).toOpaque())
  precondition(code == 0, "no thread: \(code)")
  return thread
}

@Suite struct `A topic between threads` {
  @Test func `BUS-04 four subscribers see every event of two publishers, without a gap`() {
    let each: UInt64 = 60_000
    let topic = Topic<Numbered>(name: "t", capacity: 1_024)
    let faults = Atomic<Int>(0)
    withExtendedLifetime(topic) {
      let outcome = Outcome()
      let readers = (0..<4).map { index in
        let subscription = topic.subscribe("r\(index)", capacity: 1_024, overflow: .refuse)
        return thread {
          var next: [UInt64] = [1, 1]
          while next[0] <= each || next[1] <= each {
            let count = subscription.forEachNow(max: 100) { event in
              if !event.isWhole || event.sequence != next[event.publisher] { outcome.fault() }
              next[event.publisher] = event.sequence + 1
            }
            if count == 0 { sched_yield() }
          }
        }
      }
      let publishers = (0..<2).map { publisher in
        thread {
          for sequence in 1...each {
            while true {
              do throws(TopicError) {
                try topic.publishNow(Numbered(sequence, publisher))
                break
              } catch { sched_yield() }
            }
          }
        }
      }
      for thread in publishers + readers { pthread_join(thread, nil) }
      faults.store(outcome.count.load(ordering: .relaxed), ordering: .relaxed)
    }

    #expect(faults.load(ordering: .relaxed) == 0)
    #expect(topic.published == 2 * each)
  }

  @Test func `BUS-01 what a slow subscriber loses and what it reads are all there was, in order`() {
    let total: UInt64 = 100_000
    let topic = Topic<Numbered>(name: "t", capacity: 128)
    let outcome = Outcome()
    let subscription = topic.subscribe("slow", capacity: 100, overflow: .dropOldest)
    let reader = thread {
      var last: UInt64 = 0
      var count: UInt64 = 0
      while last < total {
        let taken = subscription.forEachNow(max: 7) { event in
          if !event.isWhole || event.sequence <= last { outcome.fault() }
          last = event.sequence
          count += 1
        }
        if taken == 0 || count % 64 == 0 { sched_yield() }
      }
      outcome.read.store(count, ordering: .releasing)
    }
    for sequence in 1...total {
      do throws(TopicError) {
        try topic.publishNow(Numbered(sequence, 0))
      } catch { outcome.fault() }
    }
    pthread_join(reader, nil)

    #expect(outcome.count.load(ordering: .relaxed) == 0)
    #expect(outcome.read.load(ordering: .acquiring) + subscription.dropped == total)
  }

  private final class Outcome: Sendable {
    let count = Atomic<Int>(0)
    let read = Atomic<UInt64>(0)
    func fault() { count.wrappingAdd(1, ordering: .relaxed) }
  }
}
