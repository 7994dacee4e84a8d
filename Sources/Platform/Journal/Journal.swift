internal import Synchronization

/// A durable, ordered log of records in the files of one directory.
///
/// An append returns when its record is on the disk (`fdatasync`), and many appends share one sync.
/// A crash loses nothing that was acknowledged; recovery cuts a write that was never acknowledged and
/// refuses everything else that does not check. A full or failing disk refuses new appends before
/// anything has changed; the journal goes on by itself when the disk does.
package final class Journal: Sendable {
  package let path: String
  package let recovery: JournalRecovery
  private let writer: JournalWriter
  private let settings: JournalSettings

  /// Opens or creates the journal in `path` and calls `replay` with each record from `first` on, in
  /// order, before it returns. Segments that end before `first` are not read, but for the newest of
  /// them, which are checked.
  ///
  /// Blocks on the disk: for the start of a service, not for a loop that serves.
  package static func open(
    _ path: String, _ settings: JournalSettings = JournalSettings(), from first: UInt64 = 1,
    replay: (JournalRecord) -> Void = { _ in }
  ) throws(JournalError) -> Journal {
    let smallest = SegmentHeader.size + RecordFormat.headerSize + settings.recordBytesMax
    precondition(
      settings.segmentBytes >= smallest,
      "a segment of \(settings.segmentBytes) bytes cannot hold a record of \(settings.recordBytesMax)"
    )
    var opening = JournalOpening(
      directory: JournalDirectory(path: path, disk: settings.disk.attached()), settings: settings)
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

  /// Takes room for records before anything is changed that they will tell of, or refuses: then
  /// nothing need be taken back.
  ///
  /// The room is the writer's word that an `append` into it, before the caller lets others append,
  /// becomes durable; it needs no release.
  package func reserve(
    _ size: JournalRoom.Size, for use: JournalUse
  ) throws(JournalError) -> JournalRoom {
    try writer.admit(size, use)
    return JournalRoom(size: size)
  }

  /// Puts records into the queue now, next to each other; the ticket tells when they are on the disk.
  package func append(_ records: [[UInt8]], in room: consuming JournalRoom) -> JournalTicket {
    precondition(!records.isEmpty, "an append of nothing has no sequence")
    let (size, most) = (JournalRoom.Size(records), room.size)
    precondition(
      size.records <= most.records && size.bytes <= most.bytes && size.largest <= most.largest,
      "\(size) where \(most) was reserved")
    return JournalTicket(last: writer.enqueue(records), writer: writer)
  }

  /// Returns the record's sequence when the record is on the disk; like `append(contentsOf:for:)`.
  package func append(_ record: [UInt8]) async throws(JournalError) -> UInt64 {
    try await append(contentsOf: [record], for: .essential)
  }

  package func append(contentsOf records: [[UInt8]]) async throws(JournalError) -> UInt64 {
    try await append(contentsOf: records, for: .essential)
  }

  /// Appends all of `records` next to each other, or refuses and appends none; returns the last
  /// sequence. A crash leaves all of them or none.
  ///
  /// Sequences are given in the order of the calls, before the first suspension; the callers may go
  /// on in another order. Cancelling the task does not take a record back. A failure of the disk while
  /// this waits is thrown, and leaves it open whether the records come to be on it.
  package func append(
    contentsOf records: [[UInt8]], for use: JournalUse
  ) async throws(JournalError) -> UInt64 {
    let room = try reserve(JournalRoom.Size(records), for: use)
    return try await append(records, in: room).durableUnlessDiskFails()
  }

  /// The newest sequence on the disk.
  package var durable: UInt64 { writer.state.withLock { $0.durable } }

  /// Why the journal takes no appends now, or only what must be known; nil while it takes all. It
  /// comes and goes with its cause.
  package var failure: JournalError? { writer.failure }

  /// Calls `body` with `failure` now and at each change, on any thread.
  package func onFailureChange(_ body: @escaping @Sendable (JournalError?) -> Void) {
    writer.observe(body)
  }

  package var statistics: JournalStatistics { writer.state.withLock { $0.statistics } }

  /// The oldest sequence that `records(from:)` can still give.
  package var oldest: UInt64 { writer.state.withLock { $0.segments.first?.first ?? 1 } }

  /// Of this opening, unless it found no space to begin a segment.
  package var epoch: UInt64 { writer.state.withLock { $0.segments.last?.epoch ?? 0 } }

  /// Of the opening under which a record was written, or would be written next; nil for what is no
  /// longer here. Who has read up to a sequence, and finds another epoch there than it read, has read
  /// from another log, as after the restoring of a copy.
  package func epoch(of sequence: UInt64) -> UInt64? {
    writer.state.withLock { $0.segments.last { $0.first <= sequence }?.epoch }
  }

  /// Records from `sequence` on, as far as they are durable, while others append.
  package func records(from sequence: UInt64) -> JournalCursor {
    JournalCursor(writer, writer.directory, settings, from: max(1, sequence))
  }

  /// Waits until everything appended is on the disk, then refuses more. Blocks for that sync.
  package func close() { writer.stop() }
}
