internal import Chrono
private import Synchronization

/// When a state is written down, so that a start need not read the whole journal.
package struct SnapshotSettings: Sendable {
  /// After so many records, and not before the journal has grown by a quarter of the one before; 0 for
  /// never.
  package var every: UInt64 = 50_000
  /// Told of each snapshot, and of each that failed; on any thread.
  package var report: @Sendable (SnapshotOutcome) -> Void = { _ in }

  package init() {}
}

package enum SnapshotOutcome: Sendable {
  case written(sequence: UInt64, bytes: Int, took: Duration)
  /// Nothing is lost by it; the next one is due after as many records again.
  case failed(sequence: UInt64, JournalError)
  /// Found at a start, and not usable: an older one is taken, or the whole journal.
  case refused(sequence: UInt64, String)
}

/// The snapshots beside a journal. One is written at a time, by a thread of its own, from a copy of
/// the state that shares its memory with it; with a journal that is driven in steps, in one of them.
package final class SnapshotKeeper: Sendable {
  typealias Encode = @Sendable (SnapshotWriter) throws(JournalError) -> Void

  private let journal: Journal
  private let directory: JournalDirectory
  private let settings: SnapshotSettings
  private let driver: JournalDriver
  private let time: any TimeSource
  private let marks: SnapshotMarks
  /// Wakes the thread from its wait for the disk.
  private let bell = WriterBell()
  /// Rung at its end.
  private let done = WriterBell()
  private let state = Mutex(State())

  private struct State {
    var isBusy = false
    var isStopping = false
    var bytes = 0
  }

  private struct Job: Sendable {
    let header: SnapshotHeader
    let encode: Encode
  }

  init(
    _ journal: Journal, _ directory: JournalDirectory, _ settings: SnapshotSettings,
    _ journaling: JournalSettings, _ marks: SnapshotMarks
  ) {
    self.journal = journal
    self.directory = directory
    self.settings = settings
    self.marks = marks
    driver = journaling.driver
    time = journaling.time
  }

  /// The last record of the newest snapshot; 0 when there is none.
  package var newest: UInt64 { marks.newest }

  /// Of the newest that this process has written; 0 before it has.
  var newestBytes: Int { state.withLock { $0.bytes } }

  /// False when one is being written.
  func take(_ header: SnapshotHeader, _ encode: @escaping Encode) -> Bool {
    let isTaken = state.withLock { state -> Bool in
      guard !state.isBusy, !state.isStopping else { return false }
      state.isBusy = true
      return true
    }
    guard isTaken else { return false }
    let job = Job(header: header, encode: encode)
    switch driver {
    case .thread: WriterBell.startDetachedThread { [self] in run(job) }
    case .steps(let steps):
      steps.schedule(steps.latency) { [self] in
        guard !isStopping, let draft = draft(job) else { return }
        publish(draft, steps)
      }
    }
    return true
  }

  /// Ends what is being written, without a result.
  func stop() {
    let isBusy = state.withLock { state in
      state.isStopping = true
      return state.isBusy
    }
    guard isBusy, case .thread = driver else { return }
    bell.ring()
    while state.withLock({ $0.isBusy }) { done.wait(nil) }
  }

  /// Writes one now, for a journal that is closed: nobody waits for this thread.
  func writeLast(_ header: SnapshotHeader, _ encode: @escaping Encode) {
    guard let draft = draft(Job(header: header, encode: encode)) else { return }
    finish(draft)
  }

  // MARK: On its thread

  private struct Draft: Sendable {
    let header: SnapshotHeader
    let writer: SnapshotWriter
    let start: Uptime
  }

  private func run(_ job: Job) {
    if let draft = draft(job) {
      while !isDurable(draft), !isHopeless { bell.wait(.milliseconds(5)) }
      conclude(draft)
    }
    done.ring()
  }

  private func publish(_ draft: Draft, _ steps: JournalSteps) {
    guard isDurable(draft) || isHopeless else {
      return steps.schedule(.milliseconds(5)) { [self] in publish(draft, steps) }
    }
    conclude(draft)
  }

  private func conclude(_ draft: Draft) {
    if isDurable(draft), !isStopping { finish(draft) } else { draft.writer.discard() }
    state.withLock { $0.isBusy = false }
  }

  private var isStopping: Bool { state.withLock { $0.isStopping } }
  /// What is not on the disk yet may never come to be.
  private var isHopeless: Bool { isStopping || journal.failure != nil }

  private func isDurable(_ draft: Draft) -> Bool { journal.durable >= draft.header.sequence }

  /// Nil when it could not be written.
  private func draft(_ job: Job) -> Draft? {
    let start = time.uptime
    do throws(JournalError) {
      let writer = try SnapshotWriter(job.header, in: directory)
      do throws(JournalError) {
        try job.encode(writer)
        try writer.finish()
      } catch {
        writer.discard()
        throw error
      }
      return Draft(header: job.header, writer: writer, start: start)
    } catch {
      fail(job.header, error)
      return nil
    }
  }

  private func finish(_ draft: Draft) {
    do throws(JournalError) {
      marks.kept = try draft.writer.publish()
      state.withLock { $0.bytes = draft.writer.bytes }
      settings.report(
        .written(
          sequence: draft.header.sequence, bytes: draft.writer.bytes,
          took: time.uptime - draft.start))
    } catch {
      fail(draft.header, error)
    }
  }

  private func fail(_ header: SnapshotHeader, _ error: JournalError) {
    state.withLock { $0.isBusy = false }
    settings.report(.failed(sequence: header.sequence, error))
  }
}

/// Which snapshots there are, for those who remove what is before them.
final class SnapshotMarks: Sendable {
  private let state = Mutex<[UInt64]>([])

  /// Ascending.
  var kept: [UInt64] {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  var newest: UInt64 { kept.last ?? 0 }

  /// Whether a segment that ends there is needed by none of them: a start reads from its snapshot's
  /// last record on, and from the older one's when the newer is not usable.
  func allowRemoval(through last: UInt64) -> Bool {
    state.withLock { $0.count > 1 && last < $0[0] }
  }
}
