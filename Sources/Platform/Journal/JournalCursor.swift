/// Reads a journal in order while it is being written; only what is durable is shown.
package struct JournalCursor: Sendable {
  /// The sequence that the next record will have.
  package private(set) var next: UInt64

  private let writer: JournalWriter
  private let directory: JournalDirectory
  private let settings: JournalSettings
  private var file: (any DiskFile)?
  private var path = ""
  private var bytes: [UInt8] = []
  /// Offset in the file of `bytes[0]`.
  private var base = 0
  private var position = 0
  /// First sequences of the segment that is read, and of the one that was read to its end.
  private var opened: UInt64 = 0
  private var ended: UInt64 = 0

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

  /// The next record, or nil when it is not durable yet. Reads the page cache, does not wait.
  package mutating func nextRecord() throws(JournalError) -> JournalRecord? {
    guard next <= writer.durable else { return nil }
    while true {
      if file == nil { try openSegment() }
      guard let record = try readRecord() else {
        // The end of this segment, and the record is durable: it begins the next one.
        file = nil
        ended = opened
        continue
      }
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

  /// The next record as soon as it is durable; nil when the journal is closed or has failed, or the
  /// task is cancelled.
  package mutating func followingRecord() async throws(JournalError) -> JournalRecord? {
    while !Task.isCancelled {
      if let record = try nextRecord() { return record }
      guard await writer.waitForDurable(after: next - 1) else { return try nextRecord() }
    }
    return nil
  }

  private mutating func openSegment() throws(JournalError) {
    guard let segment = writer.segments.last(where: { $0.first <= next }) else {
      throw .removed(sequence: next)
    }
    guard segment.first != ended else {
      throw .damaged(
        file: path, offset: base + position, reason: "durable record \(next) is missing")
    }
    opened = segment.first
    path = directory.file(first: segment.first)
    do throws(JournalError) { file = try directory.open(first: segment.first, .reading) } catch {
      throw .removed(sequence: next)
    }
    bytes = []
    base = SegmentFile.headerSize
    position = 0
  }

  /// Nil at the end of the segment's data.
  private mutating func readRecord() throws(JournalError) -> JournalRecord? {
    // Bytes read before they were written are stale, so an end or a fault counts only when fresh.
    for isFresh in [false, true] {
      if isFresh { try refill() }
      let found = bytes.withUnsafeBytes {
        RecordFormat.find(in: $0, at: position, payloadMax: settings.recordBytesMax)
      }
      switch found {
      case .record(let record):
        defer { position = record.end }
        return JournalRecord(sequence: record.sequence, payload: Array(bytes[record.payload]))
      case .end where isFresh: return nil
      case .truncated where isFresh:
        throw .damaged(file: path, offset: base + position, reason: "the record is cut")
      case .invalid(let reason) where isFresh:
        throw .damaged(file: path, offset: base + position, reason: reason)
      default: continue
      }
    }
    return nil
  }

  /// Reads a chunk that begins at the current position and holds at least one whole record.
  private mutating func refill() throws(JournalError) {
    guard let file else { return }
    base += position
    position = 0
    let size = max(Self.chunkSize, settings.recordBytesMax + RecordFormat.headerSize)
    bytes = try file.read(size, at: base)
  }
}
