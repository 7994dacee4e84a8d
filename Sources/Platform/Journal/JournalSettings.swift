package import Chrono

/// Limits of a journal; what happens at each is written beside it.
package struct JournalSettings: Sendable {
  /// Preallocated size of a segment; a record that does not fit begins the next one.
  package var segmentBytes = 64 << 20
  /// Larger records are refused.
  package var recordBytesMax = 1 << 20
  /// Appends that wait for the disk; one more is refused.
  package var appendsInFlightMax = 16_384
  /// Bytes that wait for the disk; an append beyond them is refused.
  package var bytesInFlightMax = 64 << 20
  package var retention = Retention.everything
  /// Dates segments for retention, and measures the disk.
  package var time: any TimeSource = SystemTime()
  package var disk: any JournalDisk = SystemDisk()
  package var driver = JournalDriver.thread

  package init() {}

  /// When whole segments may go; the segment that is written to always stays.
  package struct Retention: Sendable {
    /// Segments last written longer ago than this go.
    package var ageMax: Duration?
    /// The oldest segments go until all of them together are within this.
    package var bytesMax: Int?
    /// Asked before a segment goes, with its last sequence: is everything up to there elsewhere?
    /// Called on the journal's writer thread, or by `open`.
    package var mayRemove: @Sendable (_ lastSequence: UInt64) -> Bool

    package init(
      ageMax: Duration?, bytesMax: Int?,
      mayRemove: @escaping @Sendable (_ lastSequence: UInt64) -> Bool
    ) {
      self.ageMax = ageMax
      self.bytesMax = bytesMax
      self.mayRemove = mayRemove
    }

    package static let everything = Retention(ageMax: nil, bytesMax: nil) { _ in false }
  }
}
