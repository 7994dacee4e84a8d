private import Synchronization

/// One subscriber's view of a bus, read by one task at a time.
package final class BusSubscription<Event: Sendable>: Sendable {
  package let name: String
  private let bell: Bell
  /// In order of priority; within a lane its shards take turns.
  private let lanes: [[Subscription<Event>]]
  /// The same topics one behind the other, for looks that need no event.
  private let marks: [TopicMark]
  private let turn = Atomic<Int>(0)

  init(name: String, bell: Bell, lanes: [[Subscription<Event>]]) {
    self.name = name
    self.bell = bell
    self.lanes = lanes
    marks = lanes.joined().map { TopicMark($0.reader, last: $0.ring.last) }
  }

  /// The next event, waited for; nil at the end of the bus or when the task is cancelled.
  package func next() async -> Event? {
    while true {
      if let event = nextNow() { return event }
      if Task.isCancelled || isFinished { return nextNow() }
      bell.reset()
      if ringsWhenNotEmpty() { await bell.wait() }
    }
  }

  /// All are asked: one that has something now does not ring later. One that has been asked before and
  /// has told nothing since still rings, so that a wake-up asks the topics that it came from.
  private func ringsWhenNotEmpty() -> Bool {
    var isEmpty = true
    var index = 0
    for lane in lanes {
      for topic in lane {
        if !marks[index].reader.isAsleep, !topic.ringsWhenNotEmpty() { isEmpty = false }
        index += 1
      }
    }
    return isEmpty
  }

  /// The next event if there is one: of the first lane that has any.
  package func nextNow() -> Event? {
    var first = 0
    for lane in lanes {
      let count = lane.count
      if (first..<first + count).contains(where: { marks[$0].hasEvent }) {
        let start = count == 1 ? 0 : turn.wrappingAdd(1, ordering: .relaxed).newValue
        for offset in 0..<count {
          let shard = Int(UInt(bitPattern: start &+ offset) % UInt(count))
          guard marks[first + shard].hasEvent else { continue }
          if let event = lane[shard].nextNow() { return event }
        }
      }
      first += count
    }
    return nil
  }

  /// A bus finishes its topics in order: the last of them tells.
  private var isFinished: Bool { lanes.last?.last?.topic.isFinished() ?? true }

  /// Events that wait to be read, by lane.
  package var pending: [Int] { lanes.map { $0.reduce(0) { $0 + $1.pending } } }
  /// Events that were lost because this subscriber was slow, by lane.
  package var dropped: [UInt64] { lanes.map { $0.reduce(0) { $0 + $1.dropped } } }
}

/// What tells whether a topic has anything for a reader.
///
/// `@unchecked Sendable`: the word is atomic, and lives as long as the subscription beside it.
private struct TopicMark: @unchecked Sendable {
  let reader: TopicReader
  private let last: UnsafeMutablePointer<Atomic<UInt64>>

  init(_ reader: TopicReader, last: UnsafeMutablePointer<Atomic<UInt64>>) {
    self.reader = reader
    self.last = last
  }

  var hasEvent: Bool { reader.claimed < last.pointee.load(ordering: .acquiring) }
}
