internal import CLinux
package import Chrono
internal import Glibc
private import Synchronization

/// One epoll loop on one thread, and the executor of every task that serves its connections.
///
/// It is a `TaskExecutor` and nothing more: a class that is a `SerialExecutor` as well re-enqueues at
/// every `await` of a nonisolated async function (170 ns against 45). Actors that want to be pinned
/// use `serialExecutor`.
///
/// A tick: wait for readiness, dispatch it, fire due timers, run jobs until none is left, then the
/// end-of-tick work (flushes, and freeing connections that stale events of this batch may still name).
///
/// `@unchecked Sendable`: everything but `inbox` and `stopping` is touched on the loop's thread only,
/// which `assertInLoop` checks.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
  package let name: String
  /// Spin this long before sleeping in epoll_wait; zero unless a core may be spent on latency.
  package private(set) var spin: Duration
  private let spinAtRest: Duration
  /// Set in a loop of a simulation, which has no epoll.
  private let simulated: LoopSimulation?

  private let epoll: Int32
  private let wakeup: Int32
  private let inbox = Mutex(Inbox())
  private let stopping = Atomic<Bool>(false)

  private var jobs: [UnownedJob] = []
  private var slots: [Slot] = []
  private var freeSlots: [Int] = []
  private var timers = TimerHeap()
  private var tickEnds: [() -> Void] = []
  private var watched: [(memory: any WatchedMemory, spin: Duration)] = []
  private var events: [epoll_event]

  private struct Inbox {
    var jobs: [UnownedJob] = []
    var bodies: [@Sendable () -> Void] = []
    var signalled = false
  }

  private struct Slot {
    var generation: UInt32 = 0
    var fd: Int32 = -1
    var handler: (any Pollable)?
  }

  private static let eventsPerTickMax = 256
  private static let wakeupTag = UInt64.max

  package init(name: String = "loop", spin: Duration = .zero) {
    self.name = name
    self.spin = spin
    self.spinAtRest = spin
    self.simulated = nil
    self.epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    self.wakeup = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    precondition(epoll >= 0 && wakeup >= 0, "no file descriptors left for an event loop")
    self.events = Array(repeating: epoll_event(), count: Self.eventsPerTickMax)
    // Edge-triggered: each write is an event, and nobody has to read the count back.
    let armed = clinux_epoll_control(
      epoll, EPOLL_CTL_ADD, wakeup, CLINUX_READABLE | CLINUX_EDGE, Self.wakeupTag)
    precondition(armed == 0, "the event loop's eventfd could not be armed")
  }

  /// A loop that runs when its scheduler says so, and has no descriptors.
  init(name: String, scheduler: SimulatedScheduler, number: Int) {
    self.name = name
    (spin, spinAtRest) = (.zero, .zero)
    simulated = LoopSimulation(scheduler, number: number)
    (epoll, wakeup) = (-1, -1)
    events = []
  }

  deinit {
    guard simulated == nil else { return }
    close(epoll)
    close(wakeup)
  }

  var simulation: LoopSimulation {
    guard let simulated else { preconditionFailure("\(name) is a loop of the machine") }
    return simulated
  }

  /// The scheduler that this loop belongs to; nil for a loop of the machine.
  package var scheduler: SimulatedScheduler? { simulated?.scheduler }

  /// Chance: the machine's, or the simulation's.
  package func randomNumber() -> UInt64 {
    if let simulated { return simulated.scheduler.random.next() }
    var random = SystemRandomNumberGenerator()
    return random.next()
  }

  /// For actors pinned to this loop: `nonisolated var unownedExecutor { loop.serialExecutor... }`.
  package private(set) lazy var serialExecutor = LoopSerialExecutor(loop: self)

  // MARK: Running

  /// Runs on the calling thread until `stop`.
  package func run() {
    precondition(simulated == nil, "a simulated loop is run by its scheduler")
    precondition(clinux_thread_loop() == nil, "this thread already runs an event loop")
    clinux_set_thread_loop(Unmanaged.passUnretained(self).toOpaque())
    defer { clinux_set_thread_loop(nil) }
    while !stopping.load(ordering: .acquiring) { tick() }
    runJobs()
  }

  /// Runs on a thread of its own; `LoopThread.join` waits for its end.
  package func start() -> LoopThread { LoopThread(self) }

  /// From any thread: the loop ends after its current tick.
  package func stop() {
    stopping.store(true, ordering: .releasing)
    wake()
  }

  /// The loop that runs on this thread; nil on others.
  package static var current: EventLoop? {
    clinux_thread_loop().map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
  }

  package var isCurrent: Bool {
    clinux_thread_loop() == Unmanaged.passUnretained(self).toOpaque()
  }

  package func assertInLoop(_ what: StaticString = #function) {
    assert(isCurrent, "\(what) off its event loop")
  }

  private func tick() {
    let count = poll()
    for index in 0..<max(0, count) { dispatch(index) }
    _ = look()
    fireTimers()
    runJobs()
    while !tickEnds.isEmpty {
      let ends = tickEnds
      tickEnds.removeAll(keepingCapacity: true)
      for end in ends { end() }
      runJobs()
    }
  }

  /// One at a time, and outside of any access to the heap: a body may add and cancel timers.
  private func fireTimers() {
    let now = uptime
    while let body = timers.popDue(now) { body() }
  }

  private func poll() -> Int {
    if waitMilliseconds() != 0, spin > .zero {
      let until = uptime + spin
      repeat {
        let ready = epoll_wait(epoll, &events, Int32(events.count), 0)
        if ready != 0 { return Int(ready) }
        if look() { return 0 }
        clinux_pause()
      } while uptime < until && waitMilliseconds() != 0
    }
    guard waitMilliseconds() != 0, !watched.isEmpty else {
      return Int(epoll_wait(epoll, &events, Int32(events.count), waitMilliseconds()))
    }
    defer { for (memory, _) in watched { memory.wakes() } }
    guard watched.allSatisfy({ $0.memory.sleeps() }) else { return 0 }
    return Int(epoll_wait(epoll, &events, Int32(events.count), waitMilliseconds()))
  }

  private func look() -> Bool {
    var found = false
    for (memory, _) in watched where memory.look() { found = true }
    return found
  }

  /// On the loop: memory that it looks at in every turn. `spin`: how long it looks before it sleeps.
  package func watch(_ memory: any WatchedMemory, spin: Duration) {
    assertInLoop()
    watched.append((memory, spin))
    self.spin = max(self.spin, spin)
  }

  package func unwatch(_ memory: any WatchedMemory) {
    assertInLoop()
    watched.removeAll { $0.memory === memory }
    spin = watched.map(\.spin).reduce(spinAtRest, max)
  }

  private func waitMilliseconds() -> Int32 {
    if !jobs.isEmpty || !tickEnds.isEmpty || stopping.load(ordering: .relaxed) { return 0 }
    guard let next = timers.next else { return -1 }
    let wait = (next - uptime).wholeNanoseconds
    // Rounded up, so that a timer is due when epoll_wait returns.
    return wait <= 0 ? 0 : Int32(min((wait + 999_999) / 1_000_000, 60_000))
  }

  private func dispatch(_ index: Int) {
    let (mask, tag) = (clinux_event_mask(&events[index]), clinux_event_tag(&events[index]))
    if tag == Self.wakeupTag { return }
    let slot = slots[Int(tag & 0xffff_ffff)]
    // A stale event of this batch: its descriptor was let go by an earlier handler.
    guard slot.generation == UInt32(tag >> 32), let handler = slot.handler else { return }
    handler.ready(Readiness(mask: mask))
  }

  /// Jobs that keep making jobs give way to the sockets and timers after so many rounds, or so long.
  private static let roundsMax = 64
  private static let roundsTimeMax = Duration.milliseconds(1)

  private func runJobs() {
    let until = uptime + Self.roundsTimeMax
    for round in 0..<Self.roundsMax {
      if round > 0, uptime >= until { return }
      takeInbox()
      if jobs.isEmpty { return }
      let batch = jobs
      jobs.removeAll(keepingCapacity: true)
      for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }

  private func takeInbox() {
    var bodies: [@Sendable () -> Void] = []
    inbox.withLock { inbox in
      inbox.signalled = false
      if !inbox.jobs.isEmpty {
        jobs.append(contentsOf: inbox.jobs)
        inbox.jobs.removeAll(keepingCapacity: true)
      }
      if !inbox.bodies.isEmpty { swap(&bodies, &inbox.bodies) }
    }
    for body in bodies { body() }
  }

  // MARK: Work

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if let simulated {
      simulated.work.append(.job(job))
      return simulated.scheduler.makeReady(self)
    }
    if isCurrent {
      jobs.append(job)
      return
    }
    let first = inbox.withLock { inbox in
      inbox.jobs.append(job)
      defer { inbox.signalled = true }
      return !inbox.signalled
    }
    if first { wake() }
  }

  /// From any thread: runs `body` on the loop, soon.
  package func execute(_ body: @escaping @Sendable () -> Void) {
    if let simulated {
      simulated.work.append(.body(body))
      return simulated.scheduler.makeReady(self)
    }
    let first = inbox.withLock { inbox in
      inbox.bodies.append(body)
      defer { inbox.signalled = true }
      return !inbox.signalled
    }
    if first || isCurrent { wake() }
  }

  /// Starts a task on this loop. On the loop's thread it begins at once and runs to its first suspension.
  @discardableResult
  package func spawn(
    _ operation: @escaping @Sendable () async -> Void
  ) -> Task<Void, Never> {
    if isCurrent {
      return Task.immediate(executorPreference: self) { await operation() }
    }
    return Task(executorPreference: self) { await operation() }
  }

  /// Starts a task on this loop that begins after the caller has returned.
  package func spawnSoon(
    _ operation: @escaping @Sendable () async -> Void
  ) -> Task<Void, Never> {
    Task(executorPreference: self) { await operation() }
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }

  /// On the loop: runs `body` when this tick's events, timers and jobs are done.
  package func atTickEnd(_ body: @escaping () -> Void) {
    assertInLoop()
    if let simulated {
      simulated.work.append(.body(body))
      return simulated.scheduler.makeReady(self)
    }
    tickEnds.append(body)
  }

  // MARK: Descriptors

  /// On the loop: `handler.ready` is called whenever `fd` is ready in one of these ways
  /// (level-triggered). The loop keeps the handler until `unregister`; it never closes `fd`.
  package func register(
    _ fd: Int32, _ interest: Readiness, _ handler: any Pollable
  ) throws(SystemError) -> Registration {
    assertInLoop()
    precondition(simulated == nil, "a simulated loop has no descriptors")
    let index = freeSlots.popLast() ?? slots.count
    if index == slots.count { slots.append(Slot()) }
    slots[index].fd = fd
    slots[index].handler = handler
    let registration = Registration(index: index, generation: slots[index].generation)
    guard clinux_epoll_control(epoll, EPOLL_CTL_ADD, fd, interest.mask, registration.tag) == 0
    else {
      let error = SystemError("epoll_ctl")
      release(registration)
      throw error
    }
    return registration
  }

  package func change(_ registration: Registration, to interest: Readiness) {
    assertInLoop()
    guard slots[registration.index].generation == registration.generation else { return }
    let fd = slots[registration.index].fd
    _ = clinux_epoll_control(epoll, EPOLL_CTL_MOD, fd, interest.mask, registration.tag)
  }

  /// On the loop: no more calls of the handler, also not from events already fetched.
  package func unregister(_ registration: Registration) {
    assertInLoop()
    guard slots[registration.index].generation == registration.generation else { return }
    _ = clinux_epoll_control(epoll, EPOLL_CTL_DEL, slots[registration.index].fd, 0, 0)
    release(registration)
  }

  private func release(_ registration: Registration) {
    slots[registration.index].generation &+= 1
    slots[registration.index].fd = -1
    slots[registration.index].handler = nil
    freeSlots.append(registration.index)
  }

  // MARK: Time

  package var uptime: Uptime { simulated?.scheduler.uptime ?? SystemTime().uptime }

  /// On the loop: calls `body` once, at or after `deadline`.
  @discardableResult
  package func schedule(at deadline: Uptime, _ body: @escaping () -> Void) -> TimerToken {
    assertInLoop()
    if let simulated { return simulated.scheduler.schedule(on: self, at: deadline, body) }
    return timers.add(deadline, body)
  }

  @discardableResult
  package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerToken {
    schedule(at: uptime + delay, body)
  }

  package func cancel(_ timer: TimerToken) {
    assertInLoop()
    if let simulated { return simulated.scheduler.cancel(timer) }
    _ = timers.cancel(timer)
  }

  /// Suspends the calling task; returns early (without throwing) when it is cancelled.
  package func sleep(for delay: Duration) async {
    let wait = TimerWait()
    let deadline = uptime + delay
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        wait.begin(continuation)
        onLoop { self.schedule(at: deadline) { wait.finish() } }
      }
    } onCancel: {
      wait.finish()
    }
  }

  /// Runs `body` now when on the loop, else soon on it.
  package func onLoop(_ body: @escaping @Sendable () -> Void) {
    if isCurrent { body() } else { execute(body) }
  }
}

/// Resumes a sleeping task once: by its timer or by its cancellation, whichever comes first.
private final class TimerWait: Sendable {
  private enum State {
    case idle
    case waiting(CheckedContinuation<Void, Never>)
    case finished
  }

  private let state = Mutex(State.idle)

  func begin(_ continuation: CheckedContinuation<Void, Never>) {
    let finished = state.withLock { state -> Bool in
      if case .finished = state { return true }
      state = .waiting(continuation)
      return false
    }
    if finished { continuation.resume() }
  }

  func finish() {
    let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
      defer { state = .finished }
      if case .waiting(let continuation) = state { return continuation }
      return nil
    }
    waiting?.resume()
  }
}
