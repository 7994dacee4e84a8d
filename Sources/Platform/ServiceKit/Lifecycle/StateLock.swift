internal import CLinux
internal import Glibc

/// Held by the supervisor of a state folder as long as it lives; the kernel lets go of it with the
/// process, so a crash leaves nothing to clean up.
package struct StateLock: ~Copyable {
  private let descriptor: Int32

  /// Nil when another process holds it.
  package init?(_ state: StateFolder) throws(FileError) {
    try makeFolder(state.run)
    let path = Self.path(state)
    let file = clinux_open(path, O_RDWR | O_CREAT, 0o644)
    guard file >= 0 else { throw FileError(path) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      return nil
    }
    descriptor = file
  }

  deinit { close(descriptor) }

  /// Whether a supervisor lives.
  package static func isHeld(_ state: StateFolder) -> Bool {
    let file = clinux_open(path(state), O_RDWR, 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    return flock(file, LOCK_SH | LOCK_NB) != 0
  }

  private static func path(_ state: StateFolder) -> String { state.run + "/up.lock" }
}

/// In a child process: SIGTERM when the supervisor that started it ends, however it ends.
package func dieWith(supervisor: Int32) {
  _ = clinux_die_with_parent(SIGTERM)
  // It ended before the line above: nobody is left to supervise.
  if getppid() != supervisor { kill(getpid(), SIGTERM) }
}
