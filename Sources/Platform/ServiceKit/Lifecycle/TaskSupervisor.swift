internal import Chrono
internal import Loop
private import Synchronization
internal import Telemetry

/// The only place where tasks without an owner begin: they are named, restarted when they fail, and
/// cancelled when the service stops.
final class TaskSupervisor: Sendable {
  struct Backoff: Sendable {
    var first: Duration = .milliseconds(100)
    var maximum: Duration = .seconds(5)
    /// A task that ran this long before it failed starts over with `first`.
    var forgivenAfter: Duration = .seconds(30)

    init() {}
  }

  private let loop: EventLoop
  private let log: Log
  private let readiness: ReadinessBoard
  private let restarts: CounterFamily
  private let tasks = Mutex(Tasks())

  private struct Tasks {
    var running: [Int: Task<Void, Never>] = [:]
    var ended: Set<Int> = []
    var last = 0
    var stopped = false
  }

  init(loop: EventLoop, log: Log, readiness: ReadinessBoard, metrics: MetricsRegistry) {
    self.loop = loop
    self.log = log
    self.readiness = readiness
    self.restarts = metrics.counters(
      "background_task_restarts_total", help: "Background tasks that failed and were run again.",
      labels: ["task"])
  }

  /// Runs `body` on the loop until it returns. When it throws, the error is logged and `body` runs
  /// again after a backoff. `isNeeded`: the service is not ready between a failure and the next
  /// second of health.
  func spawn(
    _ name: String, isNeeded: Bool, backoff: Backoff,
    _ body: @escaping @Sendable () async throws -> Void
  ) {
    let id = tasks.withLock { tasks -> Int? in
      guard !tasks.stopped else { return nil }
      tasks.last += 1
      return tasks.last
    }
    guard let id else { return }
    let task = loop.spawn { [self] in
      await supervise(name, isNeeded: isNeeded, backoff: backoff, body)
      tasks.withLock { tasks in
        // A task that ends at once does so before its handle is in the table.
        if tasks.running.removeValue(forKey: id) == nil { tasks.ended.insert(id) }
      }
    }
    let stopped = tasks.withLock { tasks in
      if tasks.ended.remove(id) == nil { tasks.running[id] = task }
      return tasks.stopped
    }
    if stopped { task.cancel() }
  }

  private func supervise(
    _ name: String, isNeeded: Bool, backoff: Backoff,
    _ body: @escaping @Sendable () async throws -> Void
  ) async {
    let requirement = isNeeded ? readiness.require("task \(name)") : nil
    requirement?.hold()
    var wait = backoff.first
    while !Task.isCancelled {
      let began = loop.uptime
      do {
        try await body()
        requirement?.hold()
        return
      } catch {
        if Task.isCancelled || error is CancellationError { return }
        if loop.uptime - began >= backoff.forgivenAfter { wait = backoff.first }
        log.warning(
          "background task failed",
          [
            "task": .text(name), "error": .text(errorText(error)),
            "again_in": LogValue(describing: wait),
          ])
        restarts.with(name).increment()
        requirement?.fail(errorText(error))
        await loop.sleep(for: wait)
        requirement?.hold()
        wait = min(wait * 2, backoff.maximum)
      }
    }
  }

  /// Cancels every task and waits until they have ended.
  func stop() async {
    let running = tasks.withLock { tasks -> [Task<Void, Never>] in
      tasks.stopped = true
      return Array(tasks.running.values)
    }
    for task in running { task.cancel() }
    for task in running { await task.value }
  }
}
