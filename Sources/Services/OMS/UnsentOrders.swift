internal import Chrono
internal import Orders

/// Orders that were accepted and that the execution-router has not taken in charge yet, by venue. So
/// many of them, or one so old, and no more are accepted for that venue: what cannot be worked soon is
/// refused at the door.
struct UnsentOrders: Sendable {
  private var venues: [String: Queue] = [:]
  private(set) var count = 0

  private struct Queue: Sendable {
    var accepted: [OrderID: Instant] = [:]
    /// In the order of their acceptance; those that are no longer in `accepted` are passed over.
    var order: [OrderID] = []
    var head = 0

    mutating func oldest() -> Instant? {
      while head < order.count {
        if let time = accepted[order[head]] { return time }
        head += 1
      }
      order.removeAll(keepingCapacity: true)
      head = 0
      return nil
    }

    mutating func append(_ id: OrderID, _ time: Instant) {
      if head > 4096 {
        order.removeFirst(head)
        head = 0
      }
      accepted[id] = time
      order.append(id)
    }
  }

  mutating func add(_ id: OrderID, venue: String, _ accepted: Instant) {
    guard venues[venue]?.accepted[id] == nil else { return }
    venues[venue, default: Queue()].append(id, accepted)
    count += 1
  }

  mutating func remove(_ id: OrderID, venue: String) {
    if venues[venue]?.accepted.removeValue(forKey: id) != nil { count -= 1 }
  }

  func contains(_ id: OrderID, venue: String) -> Bool { venues[venue]?.accepted[id] != nil }

  /// How many wait for a venue, and for how long the first of them has.
  mutating func waiting(for venue: String, now: Instant) -> (count: Int, age: Duration) {
    let oldest = venues[venue]?.oldest()
    guard let oldest else { return (0, .zero) }
    return (venues[venue]?.accepted.count ?? 0, now - oldest)
  }
}
