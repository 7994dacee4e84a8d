internal import Chrono
internal import Loop
internal import Synchronization

/// The one writer of a journal, on a thread or in steps: what any thread may ask of it. Appends of
/// many tasks that arrive while it syncs are written together and share the next sync.
///
/// What is admitted comes to be durable, however long that takes: a commit that fails is written
/// again, in a new segment that declares the doubtful end of the old one void. Meanwhile nothing more
/// is admitted.
///
/// `@unchecked Sendable`: everything but `state` belongs to the thread once it runs (with steps: to
/// the one thread on which everything happens), or is constant.
final class JournalWriter: @unchecked Sendable {
  typealias Durable = UnsafeContinuation<Result<UInt64, JournalError>, Never>

  let settings: JournalSettings
  let directory: JournalDirectory
  let state: Mutex<WriterState>
  private let lock: any DiskLock
  /// Of the thread; nil with steps.
  let bell: WriterBell?

  var segment: SegmentFile
  var spare: SpareSegment?
  /// The commit whose write or sync has failed, and the first of its records that is not durable.
  var doubtful: (batch: CommitBatch, from: Int)?
  /// Segments that are full, whose unused space can be given back.
  var finished: [SegmentFile] = []
  /// When the disk is asked again for what it refused.
  var asksAgain: Uptime?
  /// The plan was made for other segments.
  var hasRotated = false
  var timerIsSet = false

  init(
    _ segment: SegmentFile, _ spare: SpareSegment?, segments: [Segment], last: UInt64,
    directory: JournalDirectory, lock: any DiskLock, settings: JournalSettings
  ) {
    self.segment = segment
    self.spare = spare
    self.settings = settings
    self.directory = directory
    self.lock = lock
    if case .thread = settings.driver { self.bell = WriterBell() } else { self.bell = nil }
    self.state = Mutex(
      WriterState(
        next: last + 1, durable: last, isIdle: bell == nil,
        plan: SegmentPlan(left: segment.remaining, spareCapacity: spare?.capacity),
        segments: segments, tail: RecentRecords(bytesMax: settings.tailBytesMax)))
  }

  func start() {
    doChores()
    bell?.startThread { [self] in run() }
    if bell == nil, let delay = waitBeforeAsking { wake(after: delay) }
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

  func wake(after delay: Duration) {
    guard case .steps(let steps) = settings.driver else {
      bell?.ring()
      return
    }
    steps.schedule(delay) { [self] in step() }
  }

  var latency: Duration {
    guard case .steps(let steps) = settings.driver else { return .zero }
    return steps.latency
  }

  // MARK: Appending

  /// Refuses what could not be appended now; changes nothing.
  func admit(_ room: JournalRoom.Size, _ use: JournalUse) throws(JournalError) {
    let refusal = state.withLock { state -> JournalError? in
      let refusal = Self.refusal(state, settings, room, use)
      if case .full = refusal { state.hasRefused = true }
      return refusal
    }
    if case .full = refusal { tellObservers() }
    if let refusal { throw refusal }
  }

  private static func refusal(
    _ state: borrowing WriterState, _ settings: JournalSettings, _ room: JournalRoom.Size,
    _ use: JournalUse
  ) -> JournalError? {
    if state.isStopping { return .closed }
    if let failure = state.writeFailure { return failure }
    guard room.largest <= settings.recordBytesMax else {
      return .recordTooLarge(bytes: room.largest, max: settings.recordBytesMax)
    }
    let bytes = room.bytesOnDisk
    let bytesMax = settings.segmentBytes - SegmentHeader.size
    guard bytes <= bytesMax else { return .recordTooLarge(bytes: bytes, max: bytesMax) }
    let isFull = state.spareFailure != nil && !state.plan.hasSpare
    let full = JournalError.full(left: max(0, state.plan.left), reserve: settings.reserve)
    guard state.inFlight + room.records <= settings.appendsInFlightMax,
      state.bytesInFlight + bytes <= settings.bytesInFlightMax
    else { return .tooManyInFlight(max: settings.appendsInFlightMax) }
    guard state.plan.fits(bytes) else {
      return isFull ? full : .tooManyInFlight(max: settings.appendsInFlightMax)
    }
    let left = state.plan.left(after: bytes)
    return use == .business && isFull && left < settings.reserve ? full : nil
  }

  /// Puts records that were admitted into the queue; returns the sequence of the last.
  func enqueue(_ records: [[UInt8]]) -> UInt64 {
    let (last, wakes, isFilling) = state.withLock { state -> (UInt64, Bool, Bool) in
      let before = state.pending.bytes.count
      state.pending.append(records, first: state.next)
      let size = state.pending.bytes.count - before
      state.plan.place(size)
      state.next += UInt64(records.count)
      state.bytesInFlight += size
      state.inFlight += records.count
      defer { state.isIdle = false }
      return (state.next - 1, state.isIdle, state.spareFailure != nil)
    }
    if wakes { wakeWriter() }
    if isFilling { tellObservers() }
    return last
  }

  /// A loop's turn that appends more than once is one commit, so that the writer is woken at its end.
  private func wakeWriter() {
    guard let bell, let loop = EventLoop.current else { return wake(after: latency) }
    loop.atTickEnd { bell.ring() }
  }

  /// Waits until a sequence that was given is on the disk; `untilFailure`: or until the disk fails.
  func waitUntilDurable(
    _ sequence: UInt64, untilFailure: Bool
  ) async -> Result<UInt64, JournalError> {
    await withUnsafeContinuation { (durable: Durable) in
      let result = state.withLock { state -> Result<UInt64, JournalError>? in
        if state.durable >= sequence { return .success(sequence) }
        if state.hasEnded { return .failure(state.writeFailure ?? .closed) }
        if untilFailure, let failure = state.writeFailure { return .failure(failure) }
        state.waiting.append(WriterState.Waiter(sequence, durable, untilFailure))
        return nil
      }
      if let result { durable.resume(returning: result) }
    }
  }

  // MARK: Reading

  enum Place {
    case notYet
    case memory(CommitBatch)
    case segment(first: UInt64)
    case removed
  }

  /// Where a durable record is to be read.
  func place(of sequence: UInt64) -> Place {
    state.withLock { state in
      guard sequence <= state.durable else { return .notYet }
      if let batch = state.tail.batch(with: sequence) { return .memory(batch) }
      var (low, high) = (0, state.segments.count)
      while low < high {
        let middle = (low + high) / 2
        if state.segments[middle].first <= sequence { low = middle + 1 } else { high = middle }
      }
      return low == 0 ? .removed : .segment(first: state.segments[low - 1].first)
    }
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
          let isOver = state.durable > sequence || state.isStopping
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

  // MARK: Its condition

  var failure: JournalError? { state.withLock { $0.failure(reserve: settings.reserve) } }

  func observe(_ body: @escaping @Sendable (JournalError?) -> Void) {
    let now = state.withLock { state in
      state.observers.append(body)
      return state.told
    }
    body(now)
  }

  /// Tells a change of the condition, if there is one.
  func tellObservers() {
    let (now, observers) = state.withLock { state -> (JournalError?, WriterState.Observers) in
      let now = state.failure(reserve: settings.reserve)
      // The number of bytes that are left is no change.
      guard !now.isSameKind(as: state.told) else { return (nil, []) }
      state.told = now
      return (now, state.observers)
    }
    for observer in observers { observer(now) }
  }
}

extension JournalError? {
  fileprivate func isSameKind(as other: JournalError?) -> Bool {
    switch (self, other) {
    case (nil, nil), (.full?, .full?): true
    default: self == other
    }
  }
}
