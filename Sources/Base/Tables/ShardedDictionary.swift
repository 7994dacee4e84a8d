/// A dictionary in many small ones: growing stops nobody for long, and whoever holds a copy while it
/// is changed costs the copy of one of them, never of all. Its order means nothing.
package struct ShardedDictionary<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  @usableFromInline var shards: [[Key: Value]]
  @usableFromInline package internal(set) var count = 0

  @usableFromInline let shardBits: Int

  /// `shardBits`: 2 to this power small ones; a copy that is changed costs about so much less.
  @inlinable package init(shardBits: Int = 10) {
    self.shardBits = shardBits
    shards = Array(repeating: [:], count: 1 << shardBits)
  }

  @inlinable package subscript(key: Key) -> Value? {
    get { shards[shard(key)][key] }
    set {
      let shard = shard(key)
      let before = shards[shard].count
      shards[shard][key] = newValue
      count += shards[shard].count - before
    }
  }

  @inlinable package var isEmpty: Bool { count == 0 }

  @inlinable package func contains(_ key: Key) -> Bool {
    shards[shard(key)].index(forKey: key) != nil
  }

  package var keys: [Key] {
    var keys: [Key] = []
    keys.reserveCapacity(count)
    for shard in shards where !shard.isEmpty { keys += shard.keys }
    return keys
  }

  package var values: [Value] {
    var values: [Value] = []
    values.reserveCapacity(count)
    for shard in shards where !shard.isEmpty { values += shard.values }
    return values
  }

  /// By other bits of the hash than the small dictionaries use.
  @inlinable func shard(_ key: Key) -> Int {
    Int(truncatingIfNeeded: UInt(bitPattern: key.hashValue) >> UInt(UInt.bitWidth - shardBits))
  }
}

extension ShardedDictionary where Value == Void {
  /// True when it was not in it.
  @inlinable package mutating func insert(_ key: Key) -> Bool {
    guard !contains(key) else { return false }
    self[key] = ()
    return true
  }

  @inlinable package mutating func remove(_ key: Key) -> Bool {
    guard contains(key) else { return false }
    self[key] = nil
    return true
  }
}

extension ShardedDictionary: Equatable where Value: Equatable {}
