package import Journal

/// How a service keeps its journal: the settings that every such service has.
package struct JournalPlan: Sendable {
  private let segmentBytes: Int
  private let reserveBytes: Int
  package let snapshotRecords: UInt64

  /// `business`: what may not use the last of a full disk, which is kept for the `essential`; `state`:
  /// what a snapshot holds. Words of the settings' descriptions.
  package init(
    _ settings: SettingsReader, business: String, essential: String, state: String
  ) {
    segmentBytes = settings.int(
      "journal_segment_bytes", in: 4_194_304...1_073_741_824, default: 67_108_864, unit: "bytes",
      "Size of a journal segment; preallocated, and the one after it too.")
    reserveBytes = settings.int(
      "journal_reserve_bytes", in: 65_536...536_870_912, default: 16_777_216, unit: "bytes",
      "On a full disk \(business) may not use the last of this (at most half a segment): it is kept "
        + "for \(essential).")
    snapshotRecords = UInt64(
      settings.int(
        "snapshot_records", in: 0...1_000_000_000, default: 50_000, unit: "records",
        "After so many \(state) written beside the journal, so that a start reads what came later; "
          + "never sooner than the journal has grown by a quarter of a snapshot. 0: never."))
  }

  /// `disk`: where it is kept, and by whose clock.
  package func journaling(on disk: JournalSettings) -> JournalSettings {
    var settings = disk
    settings.segmentBytes = min(segmentBytes, disk.segmentBytesMax)
    settings.reserveBytes = reserveBytes
    return settings
  }
}
