internal import CLinux
package import Chrono

/// Many event loops on one thread and on a clock of their own, so that a whole mesh is one
/// deterministic run: whose turn it is is drawn from a seed, and time moves to the next timer only when
/// nobody has anything to do. A job takes no time.
///
/// A loop's own jobs run in the order in which they came, as on its thread; jobs of different loops
/// interleave at will, as processes do.
///
/// `@unchecked Sendable`: all of it happens on the one thread that calls `run`.
package final class SimulatedScheduler: @unchecked Sendable {
  /// Drawn from by whoever makes chance part of the run.
  package var random: SeededRandom
  /// Jobs run so far, and a number that any difference in their order or time changes.
  package private(set) var steps: UInt64 = 0
  package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Why the run cannot go on.
  package private(set) var fault: String?

  private var turns: SeededRandom
  private var elapsed: Int64 = 0
  private var ready: [EventLoop] = []
  private var timers = TimerHeap()
  private var loops = 0
  private var stepsOfInstant = 0
  /// What died with its loop: its tasks never run again, and are never freed.
  private var graves: [AnyObject] = []
  private var buried: [() -> Void] = []

  private static let stepsOfInstantMax = 20_000_000

  package init(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    turns = random.fork()
    self.random = random
  }

  // MARK: Time

  package var uptime: Uptime { Uptime(nanoseconds: UInt64(elapsed)) }

  /// A process's clock; `start` is what it shows when the run begins.
  package func clock(start: Instant) -> SimulatedClock { SimulatedClock(self, start: start) }

  // MARK: Loops

  package func loop(_ name: String) -> EventLoop {
    loops += 1
    return EventLoop(name: name, scheduler: self, number: loops)
  }

  /// A process that dies: nothing of the loop ever runs again.
  package func drop(_ loop: EventLoop) {
    loop.simulation.isDropped = true
    park(loop)
    graves.append(loop)
  }

  /// Called after each step of the loop, whatever it was.
  package func watch(_ loop: EventLoop, _ body: @escaping () -> Void) {
    loop.simulation.afterStep = body
  }

  /// Called once, after so many more steps of the loop.
  package func interrupt(_ loop: EventLoop, after steps: Int, _ body: @escaping () -> Void) {
    loop.simulation.stepsLeft = steps
    loop.simulation.interruption = body
  }

  /// It is not interrupted after all.
  package func letBe(_ loop: EventLoop) { loop.simulation.interruption = nil }

  /// A process that is stopped, or starved: nothing of the loop runs before the moment.
  package func pause(_ loop: EventLoop, until moment: Uptime) {
    loop.simulation.pausedUntil = max(loop.simulation.pausedUntil, moment)
    park(loop)
    schedule(on: nil, at: moment) { [self] in makeReady(loop) }
  }

  private func park(_ loop: EventLoop) {
    loop.simulation.isReady = false
    guard let place = ready.firstIndex(where: { $0 === loop }) else { return }
    ready.swapAt(place, ready.count - 1)
    ready.removeLast()
  }

  func makeReady(_ loop: EventLoop) {
    let state = loop.simulation
    guard !state.isReady, !state.isDropped, state.pausedUntil <= uptime, state.hasWork
    else { return }
    state.isReady = true
    ready.append(loop)
  }

  // MARK: Timers

  /// `loop`: whose work it is; nil for the world itself.
  @discardableResult
  package func schedule(
    on loop: EventLoop?, at deadline: Uptime, _ body: @escaping () -> Void
  ) -> TimerToken {
    guard let loop else { return timers.add(max(deadline, uptime), body) }
    return timers.add(max(deadline, uptime)) { [self] in
      if loop.simulation.isDropped {
        buried.append(body)
      } else if loop.simulation.pausedUntil > uptime || loop.simulation.hasWork {
        loop.simulation.work.append(.body(body))
        makeReady(loop)
      } else {
        enter(loop, body)
      }
    }
  }

  package func cancel(_ timer: TimerToken) { _ = timers.cancel(timer) }

  // MARK: Running

  /// Runs until the clock reads `end`, nothing is left to happen, or `isOver`.
  package func run(until end: Uptime, _ isOver: () -> Bool = { false }) {
    precondition(clinux_thread_loop() == nil, "this thread already runs an event loop")
    while fault == nil, !isOver() {
      if !ready.isEmpty {
        runOne()
        continue
      }
      guard let next = timers.next, next <= end else {
        elapsed = max(elapsed, Int64(end.nanoseconds))
        return
      }
      if next > uptime {
        elapsed = Int64(next.nanoseconds)
        stepsOfInstant = 0
      }
      timers.popDue(uptime)?()
    }
  }

  private func runOne() {
    let index = ready.count == 1 ? 0 : turns.below(ready.count)
    let loop = ready[index]
    let work = loop.simulation.work.removeFirst()
    switch work {
    case .job(let job):
      enter(loop) { job.runSynchronously(on: loop.asUnownedTaskExecutor()) }
    case .body(let body): enter(loop, body)
    }
    if !loop.simulation.hasWork { park(loop) }
  }

  private func enter(_ loop: EventLoop, _ body: () -> Void) {
    steps &+= 1
    note(UInt64(truncatingIfNeeded: elapsed) &* 31 &+ UInt64(loop.simulation.number))
    stepsOfInstant += 1
    if stepsOfInstant > Self.stepsOfInstantMax {
      fault = "\(loop.name) and others never come to rest at \(elapsed) ns"
    }
    let outer = clinux_thread_loop()
    clinux_set_thread_loop(Unmanaged.passUnretained(loop).toOpaque())
    body()
    clinux_set_thread_loop(outer)
    loop.simulation.stepped()
  }

  /// Makes something part of the digest.
  package func note(_ value: UInt64) {
    digest = (digest ^ value) &* 0x0000_0100_0000_01b3
    digest ^= digest >> 29
  }
}

/// What a simulated loop has instead of an epoll.
final class LoopSimulation {
  enum Work {
    case job(UnownedJob)
    case body(() -> Void)
  }

  unowned let scheduler: SimulatedScheduler
  let number: Int
  var work = WorkQueue()
  var isReady = false
  var isDropped = false
  var pausedUntil = Uptime(nanoseconds: 0)

  init(_ scheduler: SimulatedScheduler, number: Int) {
    self.scheduler = scheduler
    self.number = number
  }

  var hasWork: Bool { !work.isEmpty }

  var afterStep: (() -> Void)?
  var stepsLeft = 0
  var interruption: (() -> Void)?

  func stepped() {
    afterStep?()
    guard let interruption else { return }
    stepsLeft -= 1
    guard stepsLeft <= 0 else { return }
    self.interruption = nil
    interruption()
  }

  /// First in, first out, in one array.
  struct WorkQueue {
    private var elements: [Work?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }

    mutating func append(_ work: Work) { elements.append(work) }

    mutating func removeFirst() -> Work {
      let first = elements[head]!
      elements[head] = nil
      head += 1
      if head == elements.count {
        elements.removeAll(keepingCapacity: true)
        head = 0
      } else if head > 256, head > elements.count / 2 {
        elements.removeFirst(head)
        head = 0
      }
      return first
    }
  }
}

/// A process's clocks: a wall clock that may jump, and an uptime that never does.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
package final class SimulatedClock: TimeSource, @unchecked Sendable {
  private let scheduler: SimulatedScheduler
  private let start: Instant
  private var offset = Duration.zero

  init(_ scheduler: SimulatedScheduler, start: Instant) {
    self.scheduler = scheduler
    self.start = start
  }

  package var now: Instant {
    start + .nanoseconds(Int64(scheduler.uptime.nanoseconds)) + offset
  }

  package var uptime: Uptime { scheduler.uptime }

  package func jump(by step: Duration) { offset += step }
}
