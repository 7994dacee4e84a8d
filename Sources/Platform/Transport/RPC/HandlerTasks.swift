internal import Loop

/// The tasks that run the handlers of one loop's calls, one call after another.
///
/// A task of its own for each call costs a fifth of the call: its memory and frames, its executor, its
/// lock. So calls queue, and a task takes the next one as soon as its handler has returned. When a
/// handler waits, another task, made or woken beforehand, goes on with the queue. Confined to its loop.
final class HandlerTasks {
  private let loop: EventLoop
  @exclusivity(unchecked) private var queue: [ServerStream] = []
  private var first = 0
  @exclusivity(unchecked) private var idle: [HandlerTask] = []
  /// A task is on its way to the queue.
  private var isSummoned = false

  /// Tasks kept for calls to come; beyond it they end with their call.
  private static let idleMax = 512

  init(_ loop: EventLoop) { self.loop = loop }

  deinit { for task in idle { task.end() } }

  /// Runs the stream's handler in a task of this loop, within this tick.
  func run(_ stream: ServerStream) {
    queue.append(stream)
    if !isSummoned { summon() }
  }

  private func summon() {
    isSummoned = true
    let task = idle.popLast() ?? HandlerTask(self)
    task.wake(on: loop)
  }

  fileprivate func arrived() { isSummoned = false }

  /// The next call, for a task that runs now. If that waits, somebody must look after the others.
  fileprivate func next() -> ServerStream? {
    guard first < queue.count else { return nil }
    let stream = queue[first]
    first += 1
    if first == queue.count {
      queue.removeAll(keepingCapacity: true)
      first = 0
    } else if !isSummoned {
      summon()
    }
    return stream
  }

  /// Whether a task with nothing to do is to wait for more.
  fileprivate func keeps(_ task: HandlerTask) -> Bool {
    guard idle.count < Self.idleMax else { return false }
    idle.append(task)
    return true
  }
}

/// One task. `@unchecked Sendable`: confined to its loop, which its task runs on too.
final class HandlerTask: @unchecked Sendable {
  /// Nil when the server is gone.
  private weak var tasks: HandlerTasks?
  private var task: Task<Void, Never>?
  private var waiter: UnsafeContinuation<Void, Never>?
  private var isCancelled = false

  fileprivate init(_ tasks: HandlerTasks) { self.tasks = tasks }

  fileprivate func wake(on loop: EventLoop) {
    if let waiter {
      self.waiter = nil
      waiter.resume()
    } else {
      task = loop.spawnSoon { await self.work() }
    }
  }

  /// Cancels the handler that runs; the task is not used again.
  func cancel() {
    isCancelled = true
    task?.cancel()
  }

  fileprivate func end() {
    waiter?.resume()
    waiter = nil
  }

  private func work() async {
    while await serve() { await withUnsafeContinuation { waiter = $0 } }
  }

  /// Runs what is queued; whether this task is to wait for more.
  private func serve() async -> Bool {
    guard let tasks else { return false }
    tasks.arrived()
    while let stream = tasks.next() {
      if let call = stream.beginBare(in: self) {
        do {
          stream.ended(.success(try await call.handler(call.request, call.context)))
        } catch {
          stream.ended(.failure(error))
        }
      } else {
        await stream.run(in: self)
      }
      if isCancelled { return false }
    }
    return tasks.keeps(self)
  }
}
