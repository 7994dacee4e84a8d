package struct JournalRecord: Sendable, Hashable {
  /// 1 for the first record ever; one more for each next.
  package let sequence: UInt64
  package let payload: [UInt8]

  package init(sequence: UInt64, payload: [UInt8]) {
    self.sequence = sequence
    self.payload = payload
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
