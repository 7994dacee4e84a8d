internal import Bytes

package struct JournalRecord: Sendable, Hashable {
  /// 1 for the first record ever; one more for each next.
  package let sequence: UInt64
  package let payload: [UInt8]

  package init(sequence: UInt64, payload: [UInt8]) {
    self.sequence = sequence
    self.payload = payload
  }

  /// Tells the record from the one that another log has at the same place.
  package var mark: UInt64 { Self.mark(of: payload) }

  /// Checksum and length: records carry their time and ids, so that two logs have the same record at
  /// the same place only where one is a copy of the other. Never 0.
  package static func mark(of payload: [UInt8]) -> UInt64 {
    UInt64(CRC32.of(payload)) << 32 | UInt64(UInt32(truncatingIfNeeded: payload.count + 1))
  }
}

/// What `Journal.open` found on the disk.
package struct JournalRecovery: Sendable, Hashable {
  /// The oldest sequence still there; `last + 1` when the journal is empty.
  package let first: UInt64
  /// The newest sequence; 0 before the first append ever.
  package let last: UInt64
  package let segments: Int
  /// Bytes of a write that a crash cut short, removed from the end. They were never acknowledged.
  package let cutBytes: Int
}

package struct JournalStatistics: Sendable, Hashable {
  package internal(set) var records: UInt64 = 0
  package internal(set) var bytes: UInt64 = 0
  /// Syncs; `records / commits` is how many appends shared one.
  package internal(set) var commits: UInt64 = 0
  /// Spent in write and sync.
  package internal(set) var busy: Duration = .zero
}
