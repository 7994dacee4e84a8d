/// What records are for: who may use what is left on a full disk.
package enum JournalUse: Sendable, Hashable {
  /// New business: it is refused first.
  case business
  /// What must be known: cancels, the kill switch, what venues and neighbours report.
  case essential
}

/// Room that was reserved for records; see `Journal.reserve`.
package struct JournalRoom: ~Copyable {
  package struct Size: Sendable, Hashable {
    package let records: Int
    /// Of all of them together.
    package let bytes: Int
    /// Of the largest.
    package let largest: Int

    package init(records: Int, bytes: Int, largest: Int) {
      self.records = records
      self.bytes = bytes
      self.largest = largest
    }

    package init(_ records: [[UInt8]]) {
      self.init(
        records: records.count, bytes: records.reduce(0) { $0 + $1.count },
        largest: records.reduce(0) { max($0, $1.count) })
    }

    var bytesOnDisk: Int { bytes + records * RecordFormat.headerSize }
  }

  let size: Size
}

/// Records in the queue.
package struct JournalTicket: Sendable {
  /// The sequence of the last of them.
  package let last: UInt64
  let writer: JournalWriter

  /// Returns when they are on the disk, however long a disk that fails keeps them waiting; throws when
  /// the journal has ended before.
  @discardableResult
  package func durable() async throws(JournalError) -> UInt64 {
    try await writer.waitUntilDurable(last, untilFailure: false).get()
  }

  /// The same, but throws when the disk fails: they come to be on it when it works again, unless the
  /// process ends before.
  @discardableResult
  package func durableUnlessDiskFails() async throws(JournalError) -> UInt64 {
    try await writer.waitUntilDurable(last, untilFailure: true).get()
  }
}
