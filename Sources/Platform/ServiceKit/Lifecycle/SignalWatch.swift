internal import CLinux
internal import Glibc
package import Loop

/// SIGTERM, SIGINT, SIGHUP and SIGCHLD as events of a loop.
///
/// Loop-confined. The signals are blocked in the thread that calls `block` and in every thread it
/// starts afterwards: call it before the first thread.
package final class SignalWatch: Pollable {
  private let loop: EventLoop
  private let descriptor: Int32
  private var registration: Registration?
  private let received: (Int32) -> Void

  package static let watched = [SIGTERM, SIGINT, SIGHUP, SIGCHLD]

  /// Blocks the watched signals and ignores SIGPIPE.
  package static func block() {
    var set = mask()
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// For a child process, between fork and exec.
  package static func unblock() {
    var set = mask()
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private static func mask() -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in watched { sigaddset(&set, signal) }
    return set
  }

  /// On the loop.
  package init(_ loop: EventLoop, received: @escaping (Int32) -> Void) throws(SystemError) {
    self.loop = loop
    self.received = received
    var set = Self.mask()
    descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    guard descriptor >= 0 else { throw SystemError("signalfd") }
    registration = try loop.register(descriptor, .readable, self)
  }

  package func ready(_ readiness: Readiness) {
    var record = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while read(descriptor, &record, size) == size {
      received(Int32(record.ssi_signo))
    }
  }

  /// On the loop: no more signals.
  package func stop() {
    guard let registration else { return }
    loop.unregister(registration)
    self.registration = nil
    close(descriptor)
  }
}
