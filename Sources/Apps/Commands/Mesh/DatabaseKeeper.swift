internal import Chrono
internal import Loop
internal import Postgres

/// Starts the private PostgreSQL again when it dies, with the pauses of the services. It is no child of
/// `up`, so that it outlives a killed one: it is looked at twice a second.
///
/// `@unchecked Sendable`: confined to its loop; only the cluster goes to the worker's thread.
final class DatabaseKeeper: @unchecked Sendable {
  private let cluster: PrivateCluster
  private let loop: EventLoop
  /// Starting blocks for as long as a recovery takes, and services must be looked after meanwhile.
  private let worker: EventLoop
  private let thread: LoopThread
  private let say: (String) -> Void
  private var backoff = RestartBackoff()
  private var known: Int32?
  private var isStarting = false
  private var isStopping = false
  private var stopped: CheckedContinuation<Void, Never>?

  private static let period = Duration.milliseconds(500)

  init(_ cluster: PrivateCluster, _ loop: EventLoop, say: @escaping (String) -> Void) {
    self.cluster = cluster
    self.loop = loop
    self.say = say
    worker = EventLoop(name: "postgres")
    thread = worker.start()
    known = cluster.server
    backoff.began(at: loop.uptime)
    look()
  }

  private func look() {
    loop.assertInLoop()
    guard !isStopping else { return }
    let server = cluster.server
    if server != nil {
      known = server
      loop.schedule(after: Self.period) { [self] in look() }
      return
    }
    let wait = backoff.next(endedAt: loop.uptime)
    say(
      "PostgreSQL\(known.map { " (process \($0))" } ?? "") is gone; starting it again in "
        + "\(Double(wait.wholeNanoseconds / 1_000_000) / 1000) s")
    known = nil
    loop.schedule(after: wait) { [self] in start() }
  }

  private func start() {
    guard !isStopping else { return }
    isStarting = true
    worker.execute { [self, cluster] in
      var lines: [String] = []
      do throws(ClusterError) {
        try cluster.run { lines.append($0) }
        lines.append("PostgreSQL is back")
      } catch {
        lines.append("PostgreSQL does not start: \(error.problem)")
      }
      let said = lines
      loop.execute { [self] in started(said) }
    }
  }

  private func started(_ lines: [String]) {
    for line in lines { say(line) }
    isStarting = false
    backoff.began(at: loop.uptime)
    stopped?.resume()
    stopped = nil
    look()
  }

  /// From here on it is not started again; a start that is under way is waited for.
  func stop() async {
    loop.assertInLoop()
    guard !isStopping else { return }
    isStopping = true
    if isStarting { await withCheckedContinuation { stopped = $0 } }
    worker.stop()
    thread.join()
  }
}
