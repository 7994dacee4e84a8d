/// Numbers by number, of which the oldest half is forgotten when there are too many: at least half of
/// `countMax`, and never more than it. 16 bytes each, in small pieces.
package struct RecentKeys: Sendable {
  private var recent: [[UInt64: UInt64]]
  private var older: [[UInt64: UInt64]]
  private let pieceMax: Int

  private static let shardBits = 10

  package init(countMax: Int) {
    let shards = 1 << Self.shardBits
    pieceMax = max(1, countMax / 2 / shards)
    recent = Array(repeating: [:], count: shards)
    older = recent
  }

  package var count: Int { (recent + older).reduce(0) { $0 + $1.count } }

  package subscript(key: UInt64) -> UInt64? {
    let shard = Self.shard(key)
    return recent[shard][key] ?? older[shard][key]
  }

  package mutating func insert(_ key: UInt64, _ value: UInt64) {
    let shard = Self.shard(key)
    if recent[shard].count >= pieceMax, recent[shard][key] == nil {
      older[shard] = recent[shard]
      recent[shard] = [:]
    }
    recent[shard][key] = value
  }

  /// Piece by piece, the older ones first.
  package func forEachPiece<Fault: Error>(
    _ body: ([UInt64: UInt64]) throws(Fault) -> Void
  ) throws(Fault) {
    for piece in older where !piece.isEmpty { try body(piece) }
    for piece in recent where !piece.isEmpty { try body(piece) }
  }

  private static func shard(_ key: UInt64) -> Int { Int(key >> UInt64(64 - shardBits)) }
}
