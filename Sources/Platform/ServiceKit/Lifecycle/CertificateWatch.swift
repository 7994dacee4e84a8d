internal import Glibc
private import Synchronization

/// Notices that the files of a service's proof were replaced, and has them read.
final class CertificateWatch: Sendable {
  private struct Stamp: Equatable {
    let device: UInt
    let file: UInt
    let size: Int
    let seconds: Int
    let nanoseconds: Int

    /// Nil while there is no such file: somebody is replacing it.
    init?(_ path: String) {
      var info = stat()
      guard stat(path, &info) == 0 else { return nil }
      device = UInt(info.st_dev)
      file = UInt(info.st_ino)
      size = Int(info.st_size)
      seconds = info.st_mtim.tv_sec
      nanoseconds = info.st_mtim.tv_nsec
    }
  }

  private let paths: [String]
  private let reload: @Sendable () throws -> Void
  private let seen: Mutex<[Stamp?]>

  init(_ paths: [String], reload: @escaping @Sendable () throws -> Void) {
    self.paths = paths
    self.reload = reload
    seen = Mutex(paths.map(Stamp.init))
  }

  /// True when there were new files and they were read. Throws when they cannot be used: what was
  /// read before holds, and the next look tries again.
  func look() throws -> Bool {
    let now = paths.map(Stamp.init)
    guard now != seen.withLock({ $0 }) else { return false }
    try reload()
    seen.withLock { $0 = now }
    return true
  }
}
