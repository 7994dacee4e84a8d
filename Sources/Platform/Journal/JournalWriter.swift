internal import Chrono
private import Synchronization

/// The one writer of a journal, on a thread or in steps. Appends of many tasks that arrive while it
/// syncs are written together and share the next sync.
///
/// `@unchecked Sendable`: `segment` and `spare` belong to the thread once it runs (with steps: to the
/// one thread on which everything happens), all else is behind the mutex or constant.
final class JournalWriter: @unchecked Sendable {
  typealias Appended = UnsafeContinuation<Result<UInt64, JournalError>, Never>

  private let settings: JournalSettings
  private let directory: JournalDirectory
  private let lock: any DiskLock
  /// Of the thread; nil with steps.
  private let bell: WriterBell?
  private let state: Mutex<State>
  private var segment: SegmentFile
  private var spare = Batch()

  /// Records that are written and synced together.
  private struct Batch {
    var bytes: [UInt8] = []
    /// Where each record ends in `bytes`.
    var ends: [Int] = []
    var waiting: [(sequence: UInt64, appended: Appended)] = []
    var first: UInt64 = 0
  }

  private struct State {
    var pending = Batch()
    var next: UInt64
    var durable: UInt64
    var inFlight = 0
    var bytesInFlight = 0
    var isIdle: Bool
    var isStopping = false
    var failure: JournalError?
    var segments: [Segment]
    var statistics = JournalStatistics()
    var followers: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var lastFollower: UInt64 = 0
  }

  init(
    _ segment: SegmentFile, segments: [Segment], last: UInt64, directory: JournalDirectory,
    lock: any DiskLock, settings: JournalSettings
  ) {
    self.segment = segment
    self.settings = settings
    self.directory = directory
    self.lock = lock
    if case .thread = settings.driver { self.bell = WriterBell() } else { self.bell = nil }
    self.state = Mutex(
      State(next: last + 1, durable: last, isIdle: bell == nil, segments: segments))
  }

  func start() {
    bell?.startThread { [self] in run() }
  }

  /// Writes what is pending, then ends. Once only.
  func stop() {
    let isFirst = state.withLock { state in
      defer { state.isStopping = true }
      return !state.isStopping
    }
    guard isFirst else { return }
    if let bell {
      bell.ring()
      bell.joinThread()
    } else {
      run()
    }
    lock.release()
  }

  // MARK: From any thread

  var durable: UInt64 { state.withLock { $0.durable } }
  var failure: JournalError? { state.withLock { $0.failure } }
  var statistics: JournalStatistics { state.withLock { $0.statistics } }
  var segments: [Segment] { state.withLock { $0.segments } }

  /// All of `records` or none; `appended` gets the sequence of the last.
  func enqueue(_ records: [[UInt8]], _ appended: Appended) {
    let isRefused = state.withLock { state -> (error: JournalError?, wake: Bool) in
      if let error = refusal(state, records) { return (error, false) }
      if state.pending.ends.isEmpty { state.pending.first = state.next }
      for record in records {
        RecordFormat.append(
          record, sequence: state.next,
          positionInCommit: UInt32(state.next - state.pending.first), to: &state.pending.bytes)
        state.pending.ends.append(state.pending.bytes.count)
        state.next += 1
        state.bytesInFlight += record.count
      }
      state.inFlight += records.count
      state.pending.waiting.append((state.next - 1, appended))
      defer { state.isIdle = false }
      return (nil, state.isIdle)
    }
    if let error = isRefused.error { appended.resume(returning: .failure(error)) }
    if isRefused.wake { wake() }
  }

  private func refusal(_ state: borrowing State, _ records: [[UInt8]]) -> JournalError? {
    if let failure = state.failure { return failure }
    if state.isStopping { return .closed }
    var bytes = 0
    for record in records {
      bytes += record.count
      guard record.count <= settings.recordBytesMax else {
        return .recordTooLarge(bytes: record.count, max: settings.recordBytesMax)
      }
    }
    guard state.inFlight + records.count <= settings.appendsInFlightMax,
      state.bytesInFlight + bytes <= settings.bytesInFlightMax
    else { return .tooManyInFlight(max: settings.appendsInFlightMax) }
    return nil
  }

  /// True when something after `sequence` is durable; false when the journal has ended or the task is
  /// cancelled.
  func waitForDurable(after sequence: UInt64) async -> Bool {
    let ticket = state.withLock { state in
      state.lastFollower += 1
      return state.lastFollower
    }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          let isOver = state.durable > sequence || state.failure != nil || state.isStopping
          if isOver || Task.isCancelled { return true }
          state.followers[ticket] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.followers.removeValue(forKey: ticket) }?.resume()
    }
    return state.withLock { $0.durable > sequence }
  }

  private func wake() {
    switch settings.driver {
    case .thread: bell?.ring()
    case .steps(let steps): steps.schedule(steps.latency) { [self] in step() }
    }
  }

  // MARK: Where commits are carried out

  private enum Step {
    case commit(Batch)
    case wait
    case end
  }

  private func run() {
    while true {
      switch nextStep() {
      case .commit(let batch): commit(batch)
      case .wait: bell?.wait()
      case .end:
        finishFollowers()
        return
      }
    }
  }

  /// One commit, and the next one when more has come meanwhile.
  private func step() {
    if case .commit(let batch) = nextStep() {
      commit(batch)
      let goesOn = state.withLock { state in
        state.isIdle = state.pending.ends.isEmpty
        return !state.isIdle
      }
      if goesOn { wake() }
    }
  }

  private func nextStep() -> Step {
    let empty = spare
    spare = Batch()
    let step = state.withLock { state -> Step in
      if !state.pending.ends.isEmpty {
        let batch = state.pending
        state.pending = empty
        return .commit(batch)
      }
      if state.isStopping { return .end }
      state.isIdle = true
      return .wait
    }
    if case .commit = step { return step }
    spare = empty
    return step
  }

  private func commit(_ batch: Batch) {
    let start = settings.time.uptime
    do throws(JournalError) {
      if let failure { throw failure }
      try persist(batch)
      finish(batch, took: settings.time.uptime - start)
    } catch {
      fail(batch, error)
    }
    spare = batch
    spare.bytes.removeAll(keepingCapacity: true)
    spare.ends.removeAll(keepingCapacity: true)
    spare.waiting.removeAll(keepingCapacity: true)
  }

  private func persist(_ batch: Batch) throws(JournalError) {
    var start = 0
    var record = 0
    while record < batch.ends.count {
      var fitting = record
      while fitting < batch.ends.count, batch.ends[fitting] - start <= segment.remaining {
        fitting += 1
      }
      if fitting == record {
        try rotate(first: batch.first + UInt64(record))
        continue
      }
      let end = batch.ends[fitting - 1]
      try segment.write(batch.bytes, start..<end)
      try segment.sync()
      start = end
      record = fitting
    }
  }

  private func rotate(first: UInt64) throws(JournalError) {
    try segment.finish()
    let finished = segment
    segment = try SegmentFile(
      creating: first, in: directory, capacity: settings.segmentBytes)
    let now = settings.time.now
    let capacity = settings.segmentBytes
    let segments = state.withLock { state in
      state.segments[state.segments.count - 1].bytes = finished.used
      state.segments[state.segments.count - 1].lastWritten = now
      state.segments.append(Segment(first: first, bytes: capacity, lastWritten: now))
      return state.segments
    }
    let expired = Segment.expired(segments, settings.retention, now: now)
    // Out of the list first: a reader then learns that it came too late, not that a file is missing.
    state.withLock { $0.segments.removeFirst(expired.count) }
    for old in expired { try directory.remove(first: old.first) }
  }

  private func finish(_ batch: Batch, took: Duration) {
    let followers = state.withLock { state in
      state.durable = batch.first + UInt64(batch.ends.count) - 1
      release(batch, &state)
      state.statistics.records += UInt64(batch.ends.count)
      state.statistics.bytes += UInt64(batch.bytes.count)
      state.statistics.commits += 1
      state.statistics.busy += took
      defer { state.followers.removeAll() }
      return state.followers
    }
    for (sequence, appended) in batch.waiting { appended.resume(returning: .success(sequence)) }
    for follower in followers.values { follower.resume() }
  }

  private func fail(_ batch: Batch, _ error: JournalError) {
    state.withLock { state in
      state.failure = state.failure ?? error
      release(batch, &state)
    }
    for (_, appended) in batch.waiting { appended.resume(returning: .failure(error)) }
    finishFollowers()
  }

  private func release(_ batch: Batch, _ state: inout State) {
    state.inFlight -= batch.ends.count
    state.bytesInFlight -= batch.bytes.count - batch.ends.count * RecordFormat.headerSize
  }

  private func finishFollowers() {
    let followers = state.withLock { state in
      defer { state.followers.removeAll() }
      return state.followers
    }
    for follower in followers.values { follower.resume() }
  }
}
