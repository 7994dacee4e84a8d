/// A durable, ordered log of records in the files of one directory.
///
/// An append returns when its record is on the disk (`fdatasync`), and many appends share one sync.
/// A crash loses nothing that was acknowledged; recovery cuts a write that was never acknowledged and
/// refuses everything else that does not check.
package final class Journal: Sendable {
  package let path: String
  package let recovery: JournalRecovery
  private let writer: JournalWriter
  private let settings: JournalSettings

  /// Opens or creates the journal in `path` and calls `replay` with each record from `first` on, in
  /// order, before it returns. Segments that end before `first` are not read.
  ///
  /// Blocks on the disk: for the start of a service, not for a loop that serves.
  package static func open(
    _ path: String, _ settings: JournalSettings = JournalSettings(), from first: UInt64 = 1,
    replay: (JournalRecord) -> Void = { _ in }
  ) throws(JournalError) -> Journal {
    let smallest = SegmentFile.headerSize + RecordFormat.headerSize + settings.recordBytesMax
    precondition(
      settings.segmentBytes >= smallest,
      "a segment of \(settings.segmentBytes) bytes cannot hold a record of \(settings.recordBytesMax)"
    )
    var opening = JournalOpening(
      directory: JournalDirectory(path: path, disk: settings.disk), settings: settings)
    let writer = try opening.run(from: first, replay: replay)
    return Journal(path, opening.recovery, writer, settings)
  }

  private init(
    _ path: String, _ recovery: JournalRecovery, _ writer: JournalWriter,
    _ settings: JournalSettings
  ) {
    self.path = path
    self.recovery = recovery
    self.writer = writer
    self.settings = settings
    writer.start()
  }

  deinit { writer.stop() }

  /// Returns the record's sequence when the record is on the disk.
  ///
  /// Sequences are given in the order of the calls, before the first suspension; the callers may go
  /// on in another order. Cancelling the task does not take a record back. An error other than `tooManyInFlight` and `recordTooLarge` leaves
  /// it open whether the record is on the disk, and is permanent.
  package func append(_ record: [UInt8]) async throws(JournalError) -> UInt64 {
    try await append(contentsOf: [record])
  }

  /// Appends all of `records` next to each other or none of them; returns the last sequence.
  package func append(contentsOf records: [[UInt8]]) async throws(JournalError) -> UInt64 {
    precondition(!records.isEmpty, "an append of nothing has no sequence")
    let result = await withUnsafeContinuation { appended in writer.enqueue(records, appended) }
    return try result.get()
  }

  /// The newest sequence on the disk.
  package var durable: UInt64 { writer.durable }

  /// Why the journal takes no more appends; nil while it does.
  package var failure: JournalError? { writer.failure }

  package var statistics: JournalStatistics { writer.statistics }

  /// The oldest sequence that `records(from:)` can still give.
  package var oldest: UInt64 { writer.segments.first?.first ?? 1 }

  /// Records from `sequence` on, as far as they are durable, while others append.
  package func records(from sequence: UInt64) -> JournalCursor {
    JournalCursor(
      writer, JournalDirectory(path: path, disk: settings.disk), settings,
      from: max(1, sequence))
  }

  /// Waits until everything appended is on the disk, then refuses more. Blocks for that sync.
  package func close() { writer.stop() }
}
