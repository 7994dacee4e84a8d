/// Records that are written and synced together.
struct CommitBatch: Sendable {
  var bytes: [UInt8] = []
  /// Where each record ends in `bytes`.
  var ends: [Int] = []
  /// How many records there are up to the end of each append.
  var groups: [Int] = []
  var first: UInt64 = 0

  init(reserving bytesCount: Int = 0) {
    if bytesCount > 0 { bytes.reserveCapacity(bytesCount) }
  }

  var isEmpty: Bool { ends.isEmpty }
  var last: UInt64 { first + UInt64(ends.count) - 1 }

  func start(of record: Int) -> Int { record == 0 ? 0 : ends[record - 1] }

  /// All of one append.
  mutating func append(_ payloads: [[UInt8]], first next: UInt64) {
    if ends.isEmpty { first = next }
    for (index, payload) in payloads.enumerated() {
      let sequence = next + UInt64(index)
      RecordFormat.append(
        payload, sequence: sequence, positionInCommit: UInt32(sequence - first),
        continues: index < payloads.count - 1, to: &bytes)
      ends.append(bytes.count)
    }
    groups.append(ends.count)
  }

  func payload(_ record: Int) -> ArraySlice<UInt8> {
    bytes[start(of: record) + RecordFormat.headerSize..<ends[record]]
  }
}

/// Where the records that are under way will come to lie: in the segment that is written to, and then
/// in the spare one. What is admitted by it needs no more space from the disk.
struct SegmentPlan: Sendable {
  /// Left of the segment that the last admitted record lies in.
  private(set) var left: Int
  /// Whether there is a segment behind that one.
  private(set) var hasSpare: Bool
  private var spareCapacity: Int

  init(left: Int, spareCapacity: Int?) {
    self.left = left
    self.hasSpare = spareCapacity != nil
    self.spareCapacity = spareCapacity ?? 0
  }

  /// Whether an append of `size` bytes has a place.
  func fits(_ size: Int) -> Bool { size <= left || (hasSpare && size <= spareLeft) }

  /// What is left after it.
  func left(after size: Int) -> Int { size <= left ? left - size : spareLeft - size }

  mutating func place(_ size: Int) {
    if size <= left {
      left -= size
    } else {
      left = hasSpare ? spareLeft - size : 0
      hasSpare = false
    }
  }

  private var spareLeft: Int { spareCapacity - SegmentHeader.size }
}

/// What all threads see of a writer.
struct WriterState {
  var pending = CommitBatch()
  var next: UInt64
  var durable: UInt64
  var inFlight = 0
  var bytesInFlight = 0
  var isIdle: Bool
  var isStopping = false
  /// It writes no more: everything that was admitted is on the disk, or never will be.
  var hasEnded = false
  var plan: SegmentPlan
  /// Why there is no spare segment; nil while there is one, or while it is being made.
  var spareFailure: JournalError?
  /// New business was turned away since there was a spare segment.
  var hasRefused = false
  /// Why the last write did not reach the disk; nil once one has.
  var writeFailure: JournalError?
  var segments: [Segment]
  var statistics = JournalStatistics()
  var tail: RecentRecords
  var followers: [UInt64: UnsafeContinuation<Void, Never>] = [:]
  var lastFollower: UInt64 = 0
  var waiting: [Waiter] = []
  typealias Observers = [@Sendable (JournalError?) -> Void]
  var observers: Observers = []
  var told: JournalError?

  struct Waiter {
    let sequence: UInt64
    let durable: JournalWriter.Durable
    let untilFailure: Bool

    init(_ sequence: UInt64, _ durable: JournalWriter.Durable, _ untilFailure: Bool) {
      self.sequence = sequence
      self.durable = durable
      self.untilFailure = untilFailure
    }
  }

  /// Those who wait and for whom `isDue` holds wait no longer.
  mutating func release(_ isDue: (Waiter) -> Bool) -> [Waiter] {
    let due = waiting.filter(isDue)
    waiting.removeAll(where: isDue)
    return due
  }

  /// Near the end of the reserve nothing but a small record fits: then it is said to be full already.
  private static let smallest = 4096

  func failure(reserve: Int) -> JournalError? {
    if let writeFailure { return writeFailure }
    guard spareFailure != nil, !plan.hasSpare,
      hasRefused || plan.left < reserve + Self.smallest
    else { return nil }
    return .full(left: max(0, plan.left), reserve: reserve)
  }
}

/// The newest durable records, for those who follow closely; the disk is asked by the others only.
struct RecentRecords: Sendable {
  private var batches: [CommitBatch] = []
  private var start = 0
  private var bytes = 0
  private let bytesMax: Int

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  mutating func append(_ batch: CommitBatch) {
    batches.append(batch)
    bytes += batch.bytes.count
    while bytes > bytesMax, start < batches.count {
      bytes -= batches[start].bytes.count
      batches[start] = CommitBatch()
      start += 1
    }
    if start > 64, start > batches.count / 2 {
      batches.removeFirst(start)
      start = 0
    }
  }

  /// The commit that holds a record; nil when it is no longer, or not yet, here.
  func batch(with sequence: UInt64) -> CommitBatch? {
    guard start < batches.count, sequence >= batches[start].first else { return nil }
    var (low, high) = (start, batches.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if batches[middle].first <= sequence { low = middle } else { high = middle - 1 }
    }
    return batches[low].last >= sequence ? batches[low] : nil
  }
}
