internal import Chrono

/// Recovery: from the files of a directory to a writer that goes on behind them.
struct JournalOpening {
  let directory: JournalDirectory
  let settings: JournalSettings
  private(set) var recovery = JournalRecovery(first: 1, last: 0, segments: 0, cutBytes: 0)

  init(directory: JournalDirectory, settings: JournalSettings) {
    self.directory = directory
    self.settings = settings
  }

  /// What the scan has found.
  private struct Found {
    /// Of every segment, ascending.
    var headers: [SegmentHeader] = []
    var last: UInt64
    /// Of the last segment; nil when there is none.
    var end: SegmentScan.Outcome?
    var cutBytes = 0
  }

  mutating func run(
    from start: UInt64, replay: (JournalRecord) -> Void
  ) throws(JournalError) -> JournalWriter {
    try directory.create()
    let lock = try directory.lock()
    let firsts = try directory.segments()
    guard start >= firsts.first ?? 1 else { throw .removed(sequence: start) }
    let found = try scan(firsts, from: start, replay)
    var spare = try SpareSegment(found: directory, capacity: settings.segmentBytes)
    let segment = try open(found, &spare)
    var headers = found.headers
    if headers.last?.first == segment.first { headers.removeLast() }
    headers.append(SegmentHeader(first: segment.first, epoch: segment.epoch, void: segment.void))
    var segments: [Segment] = []
    for header in headers { segments.append(try Segment(header, in: directory)) }
    segments = try removeExpired(segments)
    recovery = JournalRecovery(
      first: segments.first?.first ?? 1, last: found.last, segments: segments.count,
      cutBytes: found.cutBytes)
    return JournalWriter(
      segment, spare, segments: segments, last: found.last, directory: directory, lock: lock,
      settings: settings)
  }

  /// Checks the segments that hold `start` and later, and some before. A last segment without a header
  /// is removed.
  private func scan(
    _ firsts: [UInt64], from start: UInt64, _ replay: (JournalRecord) -> Void
  ) throws(JournalError) -> Found {
    var found = Found(last: (firsts.first ?? 1) - 1)
    var headers: [SegmentHeader?] = []
    for first in firsts { headers.append(try header(first)) }
    let unchecked = try unchecked(firsts, before: start)
    for (index, first) in firsts.enumerated() {
      let isLast = index == firsts.count - 1
      if index < unchecked, let header = headers[index] {
        found.last = firsts[index + 1] - 1
        found.headers.append(header)
        continue
      }
      guard first == found.last + 1 else { throw .removed(sequence: found.last + 1) }
      let scan = SegmentScan(
        isLast: isLast, segment: try directory.open(first: first, .reading),
        payloadMax: settings.recordBytesMax, void: isLast ? nil : headers[index + 1]?.void)
      let outcome = try scan.run(first: first) { sequence, payload in
        if sequence >= start { replay(JournalRecord(sequence: sequence, payload: Array(payload))) }
      }
      found.cutBytes += outcome.cutBytes
      found.last = outcome.last
      if let header = headers[index], outcome.hasHeader {
        found.headers.append(header)
        found.end = outcome
      } else {
        try directory.remove(first: first)
        try directory.sync()
      }
    }
    return found
  }

  /// How many segments are passed over: those before `start`, but for the newest of them, of which a
  /// reader would find out otherwise, long after whoever opens it has said that all is well.
  private func unchecked(
    _ firsts: [UInt64], before start: UInt64
  ) throws(JournalError) -> Int {
    var count = firsts.dropFirst().prefix { $0 <= start }.count
    var left = settings.checkedBytes
    while count > 0 {
      left -= try directory.open(first: firsts[count - 1], .reading).status().bytes
      guard left >= 0 else { break }
      count -= 1
    }
    return count
  }

  /// Nil when it does not check; the scan says what that means.
  private func header(_ first: UInt64) throws(JournalError) -> SegmentHeader? {
    let bytes = try directory.open(first: first, .reading).read(SegmentHeader.size, at: 0)
    let found = bytes.withUnsafeBytes { SegmentHeader.find(in: $0, first: first) }
    guard case .header(let header) = found else { return nil }
    return header
  }

  /// The segment to write to. An opening that brings an epoch begins one of its own, so that a copy
  /// of this journal that goes on elsewhere is another log from here on.
  private func open(
    _ found: Found, _ spare: inout SpareSegment?
  ) throws(JournalError) -> SegmentFile {
    guard let header = found.headers.last, let end = found.end else {
      return try begin(found.last + 1, void: nil, &spare)
    }
    try secure(end, of: header)
    let isEmpty = end.used == header.size
    if settings.epoch != 0, settings.epoch != header.epoch {
      do throws(JournalError) {
        // What is behind the data of the one before was never acknowledged.
        let void = SegmentHeader.VoidedTail(offset: end.used, checksum: end.lastChecksum)
        let segment = try begin(
          found.last + 1, void: isEmpty ? header.void : end.cutBytes > 0 ? void : nil, &spare)
        if !isEmpty { try trim(header.first, to: end.used) }
        return segment
      } catch {
        guard error.isOutOfSpace else { throw error }
        // The old epoch goes on: what must be known has the room that is left.
      }
    }
    return try SegmentFile(
      continuing: header, end, in: directory, capacity: settings.segmentBytes)
  }

  /// Writes the last commit again. When its sync had failed and the process ended before it could
  /// write it elsewhere, it is in the page cache only, and counts as clean there: it would be believed
  /// now, and a loss of power later would take it away.
  private func secure(
    _ end: SegmentScan.Outcome, of header: SegmentHeader
  ) throws(JournalError) {
    guard end.used > end.lastCommit else { return }
    let file = try directory.open(first: header.first, .writing)
    let commit = try file.read(end.used - end.lastCommit, at: end.lastCommit)
    try commit.span.bytes.withUnsafeBytes { bytes throws(JournalError) in
      try file.write(bytes, at: end.lastCommit)
    }
    try file.syncWhole()
  }

  /// Gives back what was preallocated and not used.
  private func trim(_ first: UInt64, to used: Int) throws(JournalError) {
    let file = try directory.open(first: first, .writing)
    try file.truncate(to: used)
    try file.syncWhole()
  }

  private func begin(
    _ first: UInt64, void: SegmentHeader.VoidedTail?, _ spare: inout SpareSegment?
  ) throws(JournalError) -> SegmentFile {
    let fresh: SpareSegment
    if let spare {
      fresh = spare
    } else {
      fresh = try SpareSegment(creating: directory, capacity: settings.segmentBytes)
    }
    spare = nil
    return try SegmentFile(
      of: fresh, SegmentHeader(first: first, epoch: settings.epoch, void: void), in: directory)
  }

  private func removeExpired(_ segments: [Segment]) throws(JournalError) -> [Segment] {
    let expired = Segment.expired(segments, settings.retention, now: settings.time.now)
    for segment in expired { try directory.remove(first: segment.first) }
    return Array(segments.dropFirst(expired.count))
  }
}
