/// A dictionary in many small ones: growing stops nobody for long, and whoever holds a copy while it
/// is changed costs the copy of one of them, never of all. Its order means nothing.
///
/// Public, for only then is it specialised for the keys of another module.
public struct ShardedDictionary<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  @usableFromInline var shards: [[Key: Value]]
  @usableFromInline var total = 0
  @usableFromInline let shardBits: Int

  /// `shardBits`: 2 to this power small ones; a copy that is changed costs about so much less.
  @inlinable public init(shardBits: Int = 10) {
    self.shardBits = shardBits
    shards = Array(repeating: [:], count: 1 << shardBits)
  }

  @inlinable public subscript(key: Key) -> Value? {
    get { shards[shard(key)][key] }
    set {
      let shard = shard(key)
      if let newValue {
        if shards[shard].updateValue(newValue, forKey: key) == nil { total += 1 }
      } else if shards[shard].removeValue(forKey: key) != nil {
        total -= 1
      }
    }
  }

  @inlinable public var count: Int { total }
  @inlinable public var isEmpty: Bool { total == 0 }

  @inlinable public func contains(_ key: Key) -> Bool {
    shards[shard(key)].index(forKey: key) != nil
  }

  @inlinable public var keys: [Key] {
    var keys: [Key] = []
    keys.reserveCapacity(total)
    for shard in shards where !shard.isEmpty { keys += shard.keys }
    return keys
  }

  @inlinable public var values: [Value] {
    var values: [Value] = []
    values.reserveCapacity(total)
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
  @inlinable public mutating func insert(_ key: Key) -> Bool {
    guard shards[shard(key)].updateValue((), forKey: key) == nil else { return false }
    total += 1
    return true
  }

  @inlinable public mutating func remove(_ key: Key) -> Bool {
    guard shards[shard(key)].removeValue(forKey: key) != nil else { return false }
    total -= 1
    return true
  }
}

extension ShardedDictionary: Equatable where Value: Equatable {}
