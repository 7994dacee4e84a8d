import CAllocationCount
import Chrono
import EventBus
import Glibc
import Synchronization

/// One publisher and four subscribers, each on a thread of its own; every subscriber checks that no
/// event is missing.
enum BusBenchmark {
  /// As small as an event of the trading bus is in the common case: a tick's worth of numbers.
  struct Tick: Sendable {
    var sequence: UInt64
    var instrument: Int32
    var bid: Int64
    var ask: Int64
  }

  private static let total: UInt64 = 20_000_000
  private static let subscribers = 4
  private static let rounds = 5

  /// One by one, and as many at a time as a frame of a venue may hold.
  static func run() throws -> [Figures] {
    [try run("bus.broadcast", batch: 64), try run("bus.broadcast.single", batch: 1)]
  }

  private static func run(_ name: String, batch: Int) throws -> Figures {
    var rates: [Double] = []
    var allocations = 0.0
    for _ in 0..<rounds {
      let topic = Topic<Tick>(name: "ticks")
      let gaps = Gaps()
      let threads = (0..<subscribers).map { index in
        let subscription = topic.subscribe(
          "reader-\(index)", capacity: 65_536, overflow: .refuse)
        return WorkThread { read(subscription, gaps) }
      }
      let time = SystemTime()
      let before = allocation_count()
      let start = time.uptime.nanoseconds
      publish(to: topic, batch)
      allocations = Double(allocation_count() - before) / Double(total)
      topic.finish()
      for thread in threads { thread.join() }
      rates.append(Double(total) * 1e9 / Double(time.uptime.nanoseconds - start))
      guard gaps.count.load(ordering: .relaxed) == 0 else { throw Broken("events were missing") }
    }
    var figures = Figures(name)
    figures.operationsPerSecond = rates.median
    figures.p50 = 1e9 / rates.median
    figures.allocations = allocations
    figures.more = [
      ("subscribers", Double(subscribers)), ("batch", Double(batch)),
      ("best_per_s", rates.max() ?? 0),
    ]
    return figures
  }

  private static func publish(to topic: Topic<Tick>, _ batch: Int) {
    var sequence: UInt64 = 1
    var ticks: [Tick] = []
    while sequence <= total {
      if batch == 1 {
        attempt { () throws(TopicError) in try topic.publishNow(tick(sequence)) }
      } else {
        ticks.removeAll(keepingCapacity: true)
        for offset in 0..<UInt64(batch) { ticks.append(tick(sequence + offset)) }
        attempt { () throws(TopicError) in try topic.publishNow(contentsOf: ticks) }
      }
      sequence += UInt64(batch)
    }
  }

  private static func tick(_ sequence: UInt64) -> Tick {
    Tick(sequence: sequence, instrument: 1, bid: 2, ask: 3)
  }

  /// Until there is room.
  @inline(__always)
  private static func attempt(_ publish: () throws(TopicError) -> Void) {
    while true {
      do throws(TopicError) { return try publish() } catch { sched_yield() }
    }
  }

  private static func read(_ subscription: Subscription<Tick>, _ gaps: Gaps) {
    var expected: UInt64 = 1
    var missing = 0
    while expected <= total {
      let count = subscription.forEachNow(max: 4_096) { tick in
        if tick.sequence != expected { missing += 1 }
        expected += 1
      }
      if count == 0 { sched_yield() }
    }
    gaps.count.wrappingAdd(missing, ordering: .relaxed)
  }
}

private final class Gaps: Sendable {
  let count = Atomic<Int>(0)
}

/// A thread that runs one closure.
final class WorkThread {
  private var thread = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "no thread: \(code)")
  }

  func join() { pthread_join(thread, nil) }

  private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
