internal import Chrono
internal import Glibc
internal import Loop
internal import ServiceKit

/// Keeps child processes alive: starts them, starts them again when they die (100 ms, doubled up to
/// 10 s, forgiven after 30 s of life), stops them.
///
/// `@unchecked Sendable`: confined to its loop, which is asserted.
final class Supervisor: @unchecked Sendable {
  struct Child {
    let plan: ChildPlan
    var pid: Int32 = 0
    var started: Uptime
    var restarts = 0
    var backoff = RestartBackoff()
    var lastEnding: ChildProcess.Ending?
  }

  private let loop: EventLoop
  private let program: String
  private let announce: (String) -> Void
  private var isStopping = false
  private(set) var children: [String: Child] = [:]
  /// Called after every start, with the processes as they are now.
  var changed: ([String: Int32]) -> Void = { _ in }

  init(_ loop: EventLoop, program: String, announce: @escaping (String) -> Void) {
    self.loop = loop
    self.program = program
    self.announce = announce
  }

  func start(_ plan: ChildPlan) {
    loop.assertInLoop()
    children[plan.name] = Child(plan: plan, started: loop.uptime)
    launch(plan.name)
  }

  private func launch(_ name: String) {
    guard !isStopping, var child = children[name] else { return }
    do throws(SystemError) {
      child.pid = try ChildProcess.start(child.plan, program: program)
    } catch {
      announce("\(name) cannot be started: \(error)")
      child.pid = 0
    }
    child.started = loop.uptime
    child.backoff.began(at: child.started)
    children[name] = child
    changed(processes)
    if child.pid == 0 {
      relaunch(name, after: children[name]!.backoff.next(endedAt: loop.uptime))
    }
  }

  /// After SIGCHLD: finds who ended.
  func reap() {
    loop.assertInLoop()
    for (name, child) in children where child.pid != 0 {
      guard let ending = ChildProcess.ending(of: child.pid) else { continue }
      children[name]?.pid = 0
      children[name]?.lastEnding = ending
      if !isStopping { ended(name, child, ending) }
    }
  }

  private func ended(_ name: String, _ child: Child, _ ending: ChildProcess.Ending) {
    let wait = children[name]!.backoff.next(endedAt: loop.uptime)
    announce("\(name) (process \(child.pid)) \(ending); starting it again in \(shown(wait))")
    relaunch(name, after: wait)
  }

  private func relaunch(_ name: String, after wait: Duration) {
    children[name]!.restarts += 1
    loop.schedule(after: wait) { self.launch(name) }
  }

  private func shown(_ wait: Duration) -> String {
    "\(Double(wait.wholeNanoseconds / 1_000_000) / 1000) s"
  }

  var processes: [String: Int32] { children.mapValues(\.pid).filter { $0.value != 0 } }

  /// From here on nobody is started again.
  func beginStopping() { isStopping = true }

  /// SIGTERM to these, then SIGKILL to those that outlive `patience`; returns when they are gone.
  func stop(_ names: [String], patience: Duration) async {
    loop.assertInLoop()
    beginStopping()
    let pids = names.compactMap { processes[$0] }
    for pid in pids { kill(pid, SIGTERM) }
    let deadline = loop.uptime + patience
    while !running(names).isEmpty, loop.uptime < deadline {
      await loop.sleep(for: .milliseconds(20))
      reap()
    }
    for name in running(names) {
      announce("\(name) did not stop within \(shown(patience)): killed")
      if let pid = processes[name] { kill(pid, SIGKILL) }
    }
    while !running(names).isEmpty {
      await loop.sleep(for: .milliseconds(20))
      reap()
    }
  }

  private func running(_ names: [String]) -> [String] { names.filter { processes[$0] != nil } }
}
