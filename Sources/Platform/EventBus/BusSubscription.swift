private import Synchronization

/// One subscriber's view of a bus, read by one task at a time.
package final class BusSubscription<Event: Sendable>: Sendable {
  package let name: String
  private let bell: Bell
  /// In order of priority; within a lane its shards take turns.
  private let lanes: [[Subscription<Event>]]
  private let turn = Atomic<Int>(0)

  init(name: String, bell: Bell, lanes: [[Subscription<Event>]]) {
    self.name = name
    self.bell = bell
    self.lanes = lanes
  }

  /// The next event, waited for; nil at the end of the bus or when the task is cancelled.
  package func next() async -> Event? {
    while true {
      if let event = nextNow() { return event }
      if Task.isCancelled || isFinished { return nextNow() }
      bell.reset()
      // All are asked: one that has something now does not ring later.
      var isEmpty = true
      for lane in lanes {
        for topic in lane where !topic.ringsWhenNotEmpty() { isEmpty = false }
      }
      if isEmpty { await bell.wait() }
    }
  }

  /// The next event if there is one: of the first lane that has any.
  package func nextNow() -> Event? {
    for lane in lanes {
      let start = lane.count == 1 ? 0 : turn.wrappingAdd(1, ordering: .relaxed).newValue
      for offset in lane.indices {
        let shard = Int(UInt(bitPattern: start &+ offset) % UInt(lane.count))
        if let event = lane[shard].nextNow() { return event }
      }
    }
    return nil
  }

  private var isFinished: Bool { lanes.allSatisfy { $0.allSatisfy { $0.topic.isFinished() } } }

  /// Events that wait to be read, by lane.
  package var pending: [Int] { lanes.map { $0.reduce(0) { $0 + $1.pending } } }
  /// Events that were lost because this subscriber was slow, by lane.
  package var dropped: [UInt64] { lanes.map { $0.reduce(0) { $0 + $1.dropped } } }
}
