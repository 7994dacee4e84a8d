package import Chrono

/// Topics in order of priority: a subscriber gets what waits in the first lane before anything of the
/// second, and so on. Within a lane events are spread over shards by a key, such as their instrument:
/// each shard has a queue of its own, so that a full one holds up no other key.
package final class PriorityBus<Event: Sendable>: Sendable {
  package let lanes: [Lane]
  private let topics: [[Topic<Event>]]

  package init(lanes: [Lane]) {
    self.lanes = lanes
    topics = lanes.map { lane in
      (0..<lane.shards).map { shard in
        Topic(
          name: lane.shards == 1 ? lane.name : "\(lane.name)/\(shard)", capacity: lane.capacity)
      }
    }
  }

  private func topic(_ lane: Int, _ key: Int) -> Topic<Event> {
    topics[lane][Int(UInt(bitPattern: key) % UInt(topics[lane].count))]
  }

  /// Never waits.
  package func publishNow(_ event: Event, on lane: Int, key: Int = 0) throws(TopicError) {
    try topic(lane, key).publishNow(event)
  }

  /// Waits until subscribers of the lane have room, if its policy is to wait.
  package func publish(_ event: Event, on lane: Int, key: Int = 0) async throws(TopicError) {
    try await topic(lane, key).publish(event)
  }

  /// From now on: every event, or of each lane only the shard that `key` is in.
  package func subscribe(_ name: String, key: Int? = nil) -> BusSubscription<Event> {
    let bell = Bell()
    return BusSubscription(
      name: name, bell: bell,
      lanes: topics.indices.map { lane in
        (key.map { [topic(lane, $0)] } ?? topics[lane]).map {
          $0.subscribe(
            name, capacity: lanes[lane].capacity, overflow: lanes[lane].overflow, bell: bell)
        }
      })
  }

  /// No more events; subscribers get what is queued, then the end.
  package func finish() {
    for topic in topics.joined() { topic.finish() }
  }

  /// See `Topic.slowSubscribers`.
  package func slowSubscribers(now: Uptime, limit: Duration) -> [SlowSubscriber] {
    topics.joined().flatMap { $0.slowSubscribers(now: now, limit: limit) }
  }

  /// What the lane has counted since the start.
  package func counts(of lane: Int) -> LaneCounts {
    topics[lane].reduce(into: LaneCounts()) { counts, topic in
      counts.published += topic.published
      counts.refused += topic.refused
      counts.dropped += topic.dropped
      counts.overrun += topic.overrun
    }
  }
}
