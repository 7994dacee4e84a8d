package import Loop

/// Who carries a journal's commits out.
package enum JournalDriver: Sendable {
  /// A thread of its own, which waits for the disk while others work.
  case thread
  /// Bodies that somebody schedules, all on one thread, which is also the thread of whoever appends:
  /// for a mesh on simulated loops.
  case steps(JournalSteps)

  /// Each commit is a body of `loop`, so long after the first append that it carries.
  package static func on(_ loop: EventLoop, latency: Duration) -> JournalDriver {
    .steps(
      JournalSteps(latency: latency) { delay, body in
        loop.onLoop { loop.schedule(after: delay, body) }
      })
  }
}

package struct JournalSteps: Sendable {
  /// Runs a body once, after a delay.
  package typealias Schedule =
    @Sendable (_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Void

  /// From the first append of a commit to its being on the disk.
  package let latency: Duration
  package let schedule: Schedule

  package init(latency: Duration, schedule: @escaping Schedule) {
    self.latency = latency
    self.schedule = schedule
  }
}
