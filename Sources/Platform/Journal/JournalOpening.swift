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

  mutating func run(
    from start: UInt64, replay: (JournalRecord) -> Void
  ) throws(JournalError) -> JournalWriter {
    try directory.create()
    let lock = try directory.lock()
    var firsts = try directory.segments()
    guard start >= firsts.first ?? 1 else { throw .removed(sequence: start) }
    let (last, used, cutBytes) = try scan(&firsts, from: start, replay)
    let segment = try open(&firsts, last: last, used: used)
    var segments: [Segment] = []
    for first in firsts { segments.append(try Segment(first: first, in: directory)) }
    segments = try removeExpired(segments)
    recovery = JournalRecovery(
      first: segments.first?.first ?? 1, last: last, segments: segments.count, cutBytes: cutBytes)
    return JournalWriter(
      segment, segments: segments, last: last, directory: directory, lock: lock,
      settings: settings)
  }

  /// Checks the segments that hold `start` and later. A last segment without a header is removed.
  private func scan(
    _ firsts: inout [UInt64], from start: UInt64, _ replay: (JournalRecord) -> Void
  ) throws(JournalError) -> (last: UInt64, used: Int, cutBytes: Int) {
    var last = (firsts.first ?? 1) - 1
    var used = 0
    var cutBytes = 0
    for (index, first) in firsts.enumerated() {
      let isLast = index == firsts.count - 1
      if !isLast, firsts[index + 1] <= start {
        last = firsts[index + 1] - 1
        continue
      }
      guard first == last + 1 else { throw .removed(sequence: last + 1) }
      let scan = SegmentScan(
        isLast: isLast, segment: try directory.open(first: first, .reading),
        payloadMax: settings.recordBytesMax)
      let outcome = try scan.run(first: first) { sequence, payload in
        if sequence >= start { replay(JournalRecord(sequence: sequence, payload: Array(payload))) }
      }
      cutBytes += outcome.cutBytes
      last = outcome.last
      used = outcome.used
      if !outcome.hasHeader { try removeUnfinished(first) }
    }
    if used == 0, !firsts.isEmpty { firsts.removeLast() }
    return (last, used, cutBytes)
  }

  private func removeUnfinished(_ first: UInt64) throws(JournalError) {
    try directory.remove(first: first)
    try directory.sync()
  }

  private func open(
    _ firsts: inout [UInt64], last: UInt64, used: Int
  ) throws(JournalError) -> SegmentFile {
    if used > 0, let first = firsts.last {
      return try SegmentFile(
        continuing: first, in: directory, used: used, capacity: settings.segmentBytes)
    }
    firsts.append(last + 1)
    return try SegmentFile(
      creating: last + 1, in: directory, capacity: settings.segmentBytes)
  }

  private func removeExpired(_ segments: [Segment]) throws(JournalError) -> [Segment] {
    let expired = Segment.expired(segments, settings.retention, now: settings.time.now)
    for segment in expired { try directory.remove(first: segment.first) }
    return Array(segments.dropFirst(expired.count))
  }
}
