internal import CLinux
internal import Glibc

/// A word between processes of one machine that is there before any call could be: `run/orders-held`.
///
/// Who engages the kill switch touches it first; the market-connector looks at it before it lets an
/// order out, so that neither has to be woken for the other. It counts for a short while: by then calls
/// have said the same, for longer.
package struct HoldMark: Sendable {
  package let path: String

  /// For so long after the touch it counts.
  package static let time = Duration.seconds(2)

  package init(_ state: StateFolder) { path = state.run + "/orders-held" }

  package func touch() throws(FileError) {
    let file = clinux_open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileError(path) }
    defer { close(file) }
    guard futimens(file, nil) == 0 else { throw FileError(path) }
  }

  /// A `stat` of a microsecond.
  package var isFresh: Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let age =
      Duration.seconds(now.tv_sec - status.st_mtim.tv_sec)
      + .nanoseconds(now.tv_nsec - status.st_mtim.tv_nsec)
    // A clock that was set back makes it old, not eternal.
    return age < Self.time && age > .zero - Self.time
  }

  package func remove() throws(FileError) {
    guard unlink(path) == 0 || clinux_errno() == ENOENT else { throw FileError(path) }
  }
}
