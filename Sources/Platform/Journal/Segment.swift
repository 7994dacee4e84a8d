internal import Chrono

/// What is known of a segment on disk.
struct Segment: Sendable {
  let first: UInt64
  var bytes: Int
  var lastWritten: Instant
  /// Of the opening that made it; 0 before there were epochs.
  let epoch: UInt64
}

extension Segment {
  /// The segments to remove, oldest first, so that no gap appears: the first one that must stay
  /// keeps all behind it.
  static func expired(
    _ segments: [Segment], _ retention: JournalSettings.Retention, now: Instant
  ) -> [Segment] {
    var total = segments.reduce(0) { $0 + $1.bytes }
    var expired: [Segment] = []
    for (segment, next) in zip(segments, segments.dropFirst()) {
      let isOld = retention.ageMax.map { now - segment.lastWritten > $0 } ?? false
      let isTooMuch = retention.bytesMax.map { total > $0 } ?? false
      guard isOld || isTooMuch, retention.mayRemove(next.first - 1) else { break }
      total -= segment.bytes
      expired.append(segment)
    }
    return expired
  }

  init(_ header: SegmentHeader, in directory: JournalDirectory) throws(JournalError) {
    let status = try directory.open(first: header.first, .reading).status()
    self.init(
      first: header.first, bytes: status.bytes, lastWritten: status.lastWritten,
      epoch: header.epoch)
  }
}
