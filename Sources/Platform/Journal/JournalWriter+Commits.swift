internal import Chrono
internal import Synchronization

/// Where commits are carried out: one turn after the other, on the thread or in steps.
extension JournalWriter {
  private enum Turn {
    case again
    /// Until there is something to write, or this long: then the disk is asked again.
    case wait(Duration?)
    case end
  }

  func run() {
    while true {
      switch turn() {
      case .again: continue
      case .wait(let limit): bell?.wait(limit)
      case .end: return
      }
    }
  }

  /// One turn, and the next one when there is reason for it.
  func step() {
    switch turn() {
    case .again: wake(after: latency)
    case .wait(let delay?) where !timerIsSet:
      timerIsSet = true
      guard case .steps(let steps) = settings.driver else { return }
      steps.schedule(delay) { [self] in
        timerIsSet = false
        step()
      }
    case .wait, .end: break
    }
  }

  private func turn() -> Turn {
    if let (batch, from) = doubtful {
      let isLastTry = state.withLock { $0.isStopping }
      if let delay = waitBeforeAsking, delay > .zero, !isLastTry { return .wait(delay) }
      doubtful = nil
      begin(again: batch, from: from)
      return isLastTry && doubtful != nil ? end() : .again
    }
    let batch = state.withLock { state -> CommitBatch in
      let batch = state.pending
      // The next one is about as large.
      state.pending = CommitBatch(reserving: batch.bytes.count)
      state.isIdle = batch.isEmpty && !state.isStopping
      return batch
    }
    if !batch.isEmpty {
      commit(batch, from: 0)
      doChores()
      return .again
    }
    if state.withLock({ $0.isStopping }) { return end() }
    doChores()
    return .wait(waitBeforeAsking)
  }

  private func end() -> Turn {
    let (waiting, error) = state.withLock { state in
      state.hasEnded = true
      return (state.release { _ in true }, state.writeFailure ?? .closed)
    }
    for waiter in waiting { waiter.durable.resume(returning: .failure(error)) }
    resumeFollowers()
    return .end
  }

  // MARK: A commit

  private func commit(_ batch: CommitBatch, from: Int) {
    let start = settings.time.uptime
    var durable = from
    do throws(JournalError) {
      while durable < batch.ends.count { try write(batch, &durable) }
      finish(batch, took: settings.time.uptime - start)
    } catch {
      failed(error, batch, durable)
    }
  }

  private func failed(_ error: JournalError, _ batch: CommitBatch, _ from: Int) {
    doubtful = (batch, from)
    askAgainLater()
    let told = state.withLock { state in
      state.writeFailure = error
      return state.release { $0.untilFailure }
    }
    tellObservers()
    for waiter in told { waiter.durable.resume(returning: .failure(error)) }
  }

  /// Writes and syncs as many appends as fit into the segment; a full one is followed by the next.
  private func write(_ batch: CommitBatch, _ durable: inout Int) throws(JournalError) {
    let start = batch.start(of: durable)
    var fitting = durable
    for end in batch.groups where end > durable {
      guard batch.ends[end - 1] - start <= segment.remaining else { break }
      fitting = end
    }
    if fitting == durable {
      try rotate(to: batch.first + UInt64(durable), void: nil)
      return
    }
    let before = segment
    do throws(JournalError) {
      try segment.append(
        batch.bytes, start..<batch.ends[fitting - 1], last: batch.start(of: fitting - 1))
      try segment.sync()
    } catch {
      // The data of the segment ends where it ended before.
      segment = before
      throw error
    }
    durable = fitting
  }

  /// After a failure: the end of the segment is in doubt, and what was to be there is written into a
  /// new one that says so. A sync that is repeated proves nothing: the kernel calls pages clean whose
  /// writing failed.
  private func begin(again batch: CommitBatch, from: Int) {
    do throws(JournalError) {
      let first = batch.first + UInt64(from)
      try rotate(to: first, void: segment.isEmpty ? segment.void : segment.voidedTail)
    } catch {
      failed(error, batch, from)
      return
    }
    commit(batch, from: from)
    guard doubtful == nil else { return }
    asksAgain = nil
    state.withLock { $0.writeFailure = nil }
    tellObservers()
    doChores()
  }

  private func rotate(
    to first: UInt64, void: SegmentHeader.VoidedTail?
  ) throws(JournalError) {
    if spare == nil {
      spare = try SpareSegment(creating: directory, capacity: settings.segmentBytes)
    }
    guard let fresh = spare else { return }
    let old = segment
    let header = SegmentHeader(first: first, epoch: old.epoch, void: void)
    spare = nil
    hasRotated = true
    segment = try SegmentFile(of: fresh, header, in: directory)
    if old.first != first { finished.append(old) }
    let now = settings.time.now
    let capacity = fresh.capacity
    state.withLock { state in
      let index = state.segments.count - 1
      state.segments[index].bytes = old.used
      state.segments[index].lastWritten = now
      if old.first == first { state.segments.removeLast() }
      state.segments.append(
        Segment(first: first, bytes: capacity, lastWritten: now, epoch: header.epoch))
    }
  }

  private func finish(_ batch: CommitBatch, took: Duration) {
    let (waiting, followers) = state.withLock { state in
      state.durable = batch.last
      state.tail.append(batch)
      state.inFlight -= batch.ends.count
      state.bytesInFlight -= batch.bytes.count
      state.statistics.records += UInt64(batch.ends.count)
      state.statistics.bytes += UInt64(batch.bytes.count)
      state.statistics.commits += 1
      state.statistics.busy += took
      let due = state.release { $0.sequence <= batch.last }
      defer { state.followers.removeAll() }
      return (due, state.followers.sorted { $0.key < $1.key })
    }
    for waiter in waiting { waiter.durable.resume(returning: .success(waiter.sequence)) }
    for (_, follower) in followers { follower.resume() }
  }

  private func resumeFollowers() {
    let followers = state.withLock { state in
      defer { state.followers.removeAll() }
      return state.followers.sorted { $0.key < $1.key }
    }
    for (_, follower) in followers { follower.resume() }
  }

  // MARK: Chores

  /// How long until the disk is to be asked again for what it refused; nil when it refused nothing.
  var waitBeforeAsking: Duration? {
    asksAgain.map { max(.zero, $0 - settings.time.uptime) }
  }

  private var mayAsk: Bool { waitBeforeAsking.map { $0 == .zero } ?? true }

  private func askAgainLater() { asksAgain = settings.time.uptime + settings.askAgainAfter }

  /// What nobody waits for: space of full segments, old segments, the next spare one.
  func doChores() {
    for old in finished {
      // Only for the space, and what the header of the next segment says holds all the same.
      do throws(JournalError) { try old.finish() } catch { continue }
    }
    finished = []
    if hasRotated { removeExpired() }
    if spare == nil, mayAsk {
      makeSpare()
      tellObservers()
    }
    if hasRotated { replan() }
    hasRotated = false
  }

  private func replan() {
    var plan = SegmentPlan(left: segment.remaining, spareCapacity: spare?.capacity)
    state.withLock { state in
      var start = 0
      for end in state.pending.groups {
        plan.place(state.pending.ends[end - 1] - start)
        start = state.pending.ends[end - 1]
      }
      state.plan = plan
    }
  }

  private func removeExpired() {
    let segments = state.withLock { $0.segments }
    let expired = Segment.expired(segments, settings.retention, now: settings.time.now)
    // Out of the list first: a reader then learns that it came too late, not that a file is missing.
    state.withLock { $0.segments.removeFirst(expired.count) }
    for old in expired {
      do throws(JournalError) { try directory.remove(first: old.first) } catch { continue }
    }
  }

  private func makeSpare() {
    do throws(JournalError) {
      spare = try SpareSegment(creating: directory, capacity: settings.segmentBytes)
      asksAgain = nil
      hasRotated = true
      state.withLock { state in
        state.spareFailure = nil
        state.hasRefused = false
      }
    } catch {
      askAgainLater()
      state.withLock { $0.spareFailure = error }
    }
  }
}
