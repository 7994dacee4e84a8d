/// Which of a channel's connections takes the next call.
package enum LoadBalancing: String, Sendable, CaseIterable {
  /// One after another.
  case roundRobin
  /// The one with the fewest calls in flight: instances that answer slowly get fewer.
  case leastOutstanding
}

/// What a picker must know of a connection.
protocol PickedPlace {
  var hasRoom: Bool { get }
  var openCalls: Int { get }
}

/// Picks among connections that may be used now. One connection is picked without a search.
///
/// Least outstanding looks at all of them: their counts are exact, since one loop makes all calls of
/// a channel, and they are few (instances times connections). Two random choices would be for
/// counts that are old, or too many to look at.
struct ConnectionPicker<Place: PickedPlace> {
  private let policy: LoadBalancing
  private var places: [Place] = []
  private var turn = 0

  init(_ policy: LoadBalancing) { self.policy = policy }

  var isEmpty: Bool { places.isEmpty }

  mutating func use(_ places: [Place]) { self.places = places }

  /// Nil when there is none, or none has room.
  mutating func pick() -> Place? {
    guard places.count > 1 else {
      guard let only = places.first, only.hasRoom else { return nil }
      return only
    }
    turn = turn + 1 < places.count ? turn + 1 : 0
    var best: Int?
    for step in 0..<places.count {
      let index = turn + step < places.count ? turn + step : turn + step - places.count
      guard places[index].hasRoom else { continue }
      if policy == .roundRobin {
        turn = index
        return places[index]
      }
      // The first of equals wins, and the first is another one each time.
      if best == nil || places[index].openCalls < places[best!].openCalls { best = index }
    }
    return best.map { places[$0] }
  }
}
