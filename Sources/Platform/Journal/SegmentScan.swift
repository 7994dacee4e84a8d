/// Reads one segment from its start and decides where its data ends.
///
/// A crash leaves, at the end of the last segment, part of one commit that was never acknowledged:
/// that is cut. Anything else that does not check is damage, and is refused with file and offset.
struct SegmentScan {
  /// The segment that a crash may have left unfinished.
  let isLast: Bool
  let segment: any DiskFile
  let payloadMax: Int
  /// Where the next segment says that this one's data ends.
  var void: SegmentHeader.VoidedTail?

  private var file: String { segment.path }

  struct Outcome {
    /// Sequence of the last valid record; `first - 1` when there is none.
    var last: UInt64
    /// Where the data ends.
    var used: Int
    var cutBytes: Int
    /// Of the last valid record; 0 when there is none.
    var lastChecksum: UInt32 = 0
    /// Where the last commit begins in this segment.
    var lastCommit: Int
    /// False when not even the header reached the disk: the segment was being created.
    var hasHeader = true
  }

  func run(
    first: UInt64, replay: (UInt64, UnsafeRawBufferPointer) -> Void
  ) throws(JournalError) -> Outcome {
    try segment.withBytes { bytes throws(JournalError) in try scan(bytes, first, replay) }
  }

  private func scan(
    _ bytes: UnsafeRawBufferPointer, _ first: UInt64,
    _ replay: (UInt64, UnsafeRawBufferPointer) -> Void
  ) throws(JournalError) -> Outcome {
    let header: SegmentHeader
    switch SegmentHeader.find(in: bytes, first: first) {
    case .header(let found): header = found
    case .foreign: throw .notAJournal(file: file)
    case .none(let body): return try withoutHeader(bytes, first, body)
    }
    var outcome = Outcome(
      last: first - 1, used: header.size, cutBytes: 0, lastCommit: header.size)
    // How far records were seen; those of an append count when all of it was.
    var seen = outcome
    var held: [(sequence: UInt64, payload: Range<Int>)] = []
    var commit: UInt64?
    while seen.used != void?.offset {
      let found = RecordFormat.find(in: bytes, at: seen.used, payloadMax: payloadMax)
      guard case .record(let record) = found else {
        outcome.cutBytes = try tail(bytes, outcome, seen, found)
        break
      }
      guard record.sequence == seen.last + 1 else {
        throw .damaged(
          file: file, offset: seen.used,
          reason: "sequence \(record.sequence) follows \(seen.last)")
      }
      if record.firstOfCommit != commit { seen.lastCommit = seen.used }
      commit = record.firstOfCommit
      seen.last = record.sequence
      seen.lastChecksum = RecordFormat.checksum(in: bytes, at: seen.used)
      seen.used = record.end
      held.append((record.sequence, record.payload))
      if record.continues { continue }
      for (sequence, payload) in held {
        replay(sequence, UnsafeRawBufferPointer(rebasing: bytes[payload]))
      }
      held.removeAll(keepingCapacity: true)
      outcome = seen
    }
    if let void, (void.offset, void.checksum) != (outcome.used, outcome.lastChecksum) {
      throw .damaged(
        file: file, offset: outcome.used,
        reason: "the next segment says that it ends at \(void.offset)")
    }
    return outcome
  }

  /// Records come after a synced header only, so a torn creation has nothing behind it.
  private func withoutHeader(
    _ bytes: UnsafeRawBufferPointer, _ first: UInt64, _ body: Int
  ) throws(JournalError) -> Outcome {
    guard isLast, RecordFormat.isZero(bytes, min(body, bytes.count)..<bytes.count) else {
      throw .damaged(file: file, offset: 0, reason: "the segment's header does not check")
    }
    return Outcome(
      last: first - 1, used: 0, cutBytes: min(body, bytes.count), lastCommit: 0,
      hasHeader: false)
  }

  /// How many bytes to cut from the tail that begins where the data ends; zero when it is clean.
  private func tail(
    _ bytes: UnsafeRawBufferPointer, _ outcome: Outcome, _ seen: Outcome,
    _ found: RecordFormat.Found
  ) throws(JournalError) -> Int {
    let end = lastNonZero(bytes, from: outcome.used)
    guard end > outcome.used else { return 0 }
    let reason =
      switch found {
      case .invalid(let reason): reason
      case .truncated: "the record does not end inside the file"
      default: "data follows the end mark"
      }
    guard isLast else { throw .damaged(file: file, offset: seen.used, reason: reason) }
    try requireTorn(bytes, seen, end, reason)
    return end - outcome.used
  }

  /// Later valid records are forgiven only when they belong to the commit of the lost one and a sector
  /// of zeros shows that the lost one never arrived.
  private func requireTorn(
    _ bytes: UnsafeRawBufferPointer, _ outcome: Outcome, _ end: Int, _ reason: String
  ) throws(JournalError) {
    let lost = outcome.last + 1
    var offset = outcome.used + 1
    var gapEnd: Int?
    while offset + RecordFormat.headerSize <= end {
      // A record cannot be shorter than its header, which bounds the sequences that are possible.
      let sequence = RecordFormat.sequence(in: bytes, at: offset)
      let distance = UInt64((offset - outcome.used) / RecordFormat.headerSize)
      guard sequence >= lost, sequence <= lost + distance + 1,
        case .record(let record) = RecordFormat.find(in: bytes, at: offset, payloadMax: payloadMax)
      else {
        offset += 1
        continue
      }
      if record.firstOfCommit > lost {
        throw .damaged(file: file, offset: outcome.used, reason: reason)
      }
      gapEnd = gapEnd ?? offset
      offset = record.end
    }
    if let gapEnd, !hasZeroSector(bytes, outcome.used..<gapEnd) {
      throw .damaged(file: file, offset: outcome.used, reason: reason)
    }
  }

  /// Whether a sector never arrived: all of it that lies in `range` is as it was preallocated. The
  /// first of them may hold the end of an acknowledged record before `range`, the last one the start
  /// of a record behind it.
  private func hasZeroSector(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    let sector = 512
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min((start / sector + 1) * sector, range.upperBound)
      if RecordFormat.isZero(bytes, start..<end) { return true }
      start = end
    }
    return false
  }

  /// The end of the last byte that is not zero, or `from`.
  private func lastNonZero(_ bytes: UnsafeRawBufferPointer, from: Int) -> Int {
    var end = bytes.count
    while end > from {
      let start = max(from, end - 65_536)
      if !RecordFormat.isZero(bytes, start..<end) { break }
      end = start
    }
    while end > from, bytes[end - 1] == 0 { end -= 1 }
    return end
  }
}
