/// A lane of a bus: a queue of its own, so that what is in others does not hold it up.
package struct Lane: Sendable, Hashable {
  package let name: String
  /// Events that a subscriber may be behind, in each shard.
  package let capacity: Int
  package let overflow: Overflow
  /// Events of keys that differ by no multiple of this do not share a queue.
  package let shards: Int

  package init(_ name: String, capacity: Int, overflow: Overflow, shards: Int = 1) {
    precondition(
      capacity > 0 && shards > 0, "the lane \(name): \(capacity) events, \(shards) shards")
    self.name = name
    self.capacity = capacity
    self.overflow = overflow
    self.shards = shards
  }
}
