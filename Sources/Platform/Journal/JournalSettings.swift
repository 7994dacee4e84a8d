package import Chrono

/// Limits of a journal; what happens at each is written beside it.
package struct JournalSettings: Sendable {
  /// Preallocated size of a segment; a record that does not fit begins the next one, which is
  /// preallocated before it is needed.
  package var segmentBytes = 64 << 20
  /// What whoever gives the disk allows for a segment, whatever the owner's settings say.
  package var segmentBytesMax = Int.max
  /// Of what an opening need not replay, so many bytes before that are checked all the same.
  package var checkedBytes = 256 << 20
  /// Larger records are refused.
  package var recordBytesMax = 1 << 20
  /// Appends that wait for the disk; one more is refused.
  package var appendsInFlightMax = 16_384
  /// Bytes that wait for the disk; an append beyond them is refused.
  package var bytesInFlightMax = 64 << 20
  /// When there is no space for another segment, new business is refused that would leave less than
  /// this (at most half a segment): it is kept for what must be known.
  package var reserveBytes = 16 << 20
  /// How long a disk that has refused something is left alone.
  package var askAgainAfter = Duration.milliseconds(250)
  /// So much of the newest records is kept in memory for those who follow.
  package var tailBytesMax = 4 << 20
  /// Chosen at random for each opening; a journal's segments say which opening made them. 0: none.
  package var epoch: UInt64 = 0
  package var retention = Retention.everything
  /// Dates segments for retention, and measures the disk.
  package var time: any TimeSource = SystemTime()
  package var disk: any JournalDisk = SystemDisk()
  package var driver = JournalDriver.thread

  package init() {}

  /// With an epoch of its own.
  package static func ofThisOpening() -> JournalSettings {
    var random = SystemRandomNumberGenerator()
    var settings = JournalSettings()
    settings.epoch = UInt64.random(in: 1...UInt64.max, using: &random)
    return settings
  }

  var reserve: Int { min(reserveBytes, segmentBytes / 2) }

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
