internal import Glibc

/// A thread that runs one event loop.
package final class LoopThread: @unchecked Sendable {
  // Written once in init, before any other thread can see this object.
  private var thread = pthread_t()

  init(_ loop: EventLoop) {
    let box = Unmanaged.passRetained(loop)
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<EventLoop>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "no thread for an event loop: errno \(code)")
  }

  /// Waits until the loop has stopped.
  package func join() { pthread_join(thread, nil) }
}

/// Pins an actor to a loop. Separate from the loop's task executor; see `EventLoop`.
package final class LoopSerialExecutor: SerialExecutor {
  private unowned let loop: EventLoop

  init(loop: EventLoop) { self.loop = loop }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.onLoopSoon { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }

  package func checkIsolated() {
    precondition(loop.isCurrent, "not on event loop \(loop.name)")
  }
}

extension EventLoop {
  /// Like `execute`, for jobs that must not run inside the enqueuing call.
  func onLoopSoon(_ body: @escaping @Sendable () -> Void) { execute(body) }
}
