internal import CLinux
internal import Glibc
internal import Loop

/// The folder of one journal: its lock, and its segments by the sequence they begin with.
struct JournalDirectory {
  let path: String

  static let suffix = ".journal"

  func file(first: UInt64) -> String {
    let digits = String(first)
    return path + "/" + String(repeating: "0", count: 20 - digits.count) + digits + Self.suffix
  }

  /// Makes the folder and those above it, as far as they are missing.
  func create() throws(JournalError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/" + part
      guard mkdir(made, 0o700) == 0 || errno == EEXIST else {
        throw .storage(SystemError("mkdir"), file: made)
      }
    }
  }

  func lock() throws(JournalError) -> Descriptor {
    let file = path + "/lock"
    let fd = clinux_open(file, O_RDWR | O_CREAT, 0o600)
    guard fd >= 0 else { throw .storage(SystemError("open"), file: file) }
    let lock = Descriptor(fd)
    guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
      if errno == EWOULDBLOCK { throw .locked(directory: path) }
      throw .storage(SystemError("flock"), file: file)
    }
    return lock
  }

  /// First sequences of the segments, ascending.
  func segments() throws(JournalError) -> [UInt64] {
    guard let folder = opendir(path) else { throw .storage(SystemError("opendir"), file: path) }
    defer { closedir(folder) }
    var found: [UInt64] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasSuffix(Self.suffix) else { continue }
      let digits = name.dropLast(Self.suffix.count)
      guard digits.utf8.count == 20, let first = UInt64(digits), first > 0 else {
        throw .notAJournal(file: path + "/" + name)
      }
      found.append(first)
    }
    return found.sorted()
  }

  /// A new name is durable only when its directory is synced.
  func sync() throws(JournalError) {
    let fd = clinux_open(path, O_RDONLY | O_DIRECTORY, 0)
    guard fd >= 0 else { throw .storage(SystemError("open"), file: path) }
    defer { close(fd) }
    guard fsync(fd) == 0 else { throw .storage(SystemError("fsync"), file: path) }
  }

  func remove(first: UInt64) throws(JournalError) {
    let file = file(first: first)
    guard unlink(file) == 0 else { throw .storage(SystemError("unlink"), file: file) }
  }
}

/// A file descriptor that closes with its last owner.
final class Descriptor: Sendable {
  let fd: Int32
  init(_ fd: Int32) { self.fd = fd }
  deinit { close(fd) }
}
