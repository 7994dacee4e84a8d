/// Reads a journal in order while it is being written; only what is durable is shown. The newest
/// records come from memory, older ones from the disk.
package struct JournalCursor: Sendable {
  /// The sequence that the next record will have.
  package private(set) var next: UInt64

  private let writer: JournalWriter
  private let directory: JournalDirectory
  private let settings: JournalSettings
  private var batch: CommitBatch?
  private var file: (any DiskFile)?
  /// First sequence of the segment that is read.
  private var opened: UInt64 = 0
  private var path = ""
  private var bytes: [UInt8] = []
  /// Offset in the file of `bytes[0]`.
  private var base = 0
  private var position = 0

  private static let chunkSize = 256 * 1024

  init(
    _ writer: JournalWriter, _ directory: JournalDirectory, _ settings: JournalSettings,
    from sequence: UInt64
  ) {
    self.writer = writer
    self.directory = directory
    self.settings = settings
    self.next = sequence
  }

  /// The next record, or nil when it is not durable yet. Reads memory or the page cache, does not
  /// wait.
  package mutating func nextRecord() throws(JournalError) -> JournalRecord? {
    if let batch, (batch.first...batch.last).contains(next) { return recordInMemory(batch) }
    batch = nil
    switch writer.place(of: next) {
    case .notYet: return nil
    case .removed: throw .removed(sequence: next)
    case .memory(let found):
      batch = found
      file = nil
      return recordInMemory(found)
    case .segment(let first):
      if file == nil || opened != first { try openSegment(first) }
      return try recordOnDisk()
    }
  }

  /// The next record as soon as it is durable; nil when the journal is closed, or the task is
  /// cancelled.
  package mutating func followingRecord() async throws(JournalError) -> JournalRecord? {
    while !Task.isCancelled {
      if let record = try nextRecord() { return record }
      guard await writer.waitForDurable(after: next - 1) else { return try nextRecord() }
    }
    return nil
  }

  private mutating func recordInMemory(_ batch: CommitBatch) -> JournalRecord {
    defer { next += 1 }
    return JournalRecord(
      sequence: next, payload: Array(batch.payload(Int(next - batch.first))))
  }

  private mutating func openSegment(_ first: UInt64) throws(JournalError) {
    do throws(JournalError) { file = try directory.open(first: first, .reading) } catch {
      throw .removed(sequence: next)
    }
    opened = first
    path = directory.file(first: first)
    bytes = []
    base = 0
    position = 0
    try refill(Self.chunkSize)
    let found = bytes.withUnsafeBytes { SegmentHeader.find(in: $0, first: first) }
    guard case .header(let header) = found else {
      throw .damaged(file: path, offset: 0, reason: "the segment's header does not check")
    }
    position = header.size
  }

  private mutating func recordOnDisk() throws(JournalError) -> JournalRecord {
    while true {
      let record = try readRecord()
      guard record.sequence >= next else { continue }
      guard record.sequence == next else {
        throw .damaged(
          file: path, offset: base + position,
          reason: "sequence \(record.sequence) where \(next) was expected")
      }
      next += 1
      return record
    }
  }

  private mutating func readRecord() throws(JournalError) -> JournalRecord {
    // Bytes read before they were written are stale, so a fault counts only when they are fresh.
    for size in [0, Self.chunkSize, settings.recordBytesMax + RecordFormat.headerSize] {
      if size > 0 { try refill(size) }
      let found = bytes.withUnsafeBytes {
        RecordFormat.find(in: $0, at: position, payloadMax: settings.recordBytesMax)
      }
      guard case .record(let record) = found else { continue }
      defer { position = record.end }
      return JournalRecord(sequence: record.sequence, payload: Array(bytes[record.payload]))
    }
    throw .damaged(file: path, offset: base + position, reason: "durable record \(next) is missing")
  }

  /// Reads a chunk that begins at the current position.
  private mutating func refill(_ size: Int) throws(JournalError) {
    guard let file else { return }
    base += position
    position = 0
    bytes = try file.read(size, at: base)
  }
}
