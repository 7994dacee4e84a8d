package import Chrono

/// Everything that a journal asks of a disk: the machine's own (`SystemDisk`), or one in memory whose
/// every failure is chosen (`SimulatedDisk`).
///
/// What is promised is what POSIX promises and no more: bytes are safe after `sync` of their file, a
/// name after `sync(folder:)`.
package protocol JournalDisk: Sendable {
  /// The disk as one process has it, from the opening of a journal until that process ends.
  func attached() -> any JournalDisk
  /// Makes the folder and those above it, as far as they are missing.
  func makeFolder(_ path: String) throws(JournalError)
  /// Takes `file` for its own, or throws `locked`.
  func lock(_ file: String, of folder: String) throws(JournalError) -> any DiskLock
  /// The names in a folder, in no order.
  func names(in folder: String) throws(JournalError) -> [String]
  func open(_ file: String, _ mode: DiskMode) throws(JournalError) -> any DiskFile
  func rename(_ file: String, to name: String) throws(JournalError)
  func remove(_ file: String) throws(JournalError)
  func sync(folder: String) throws(JournalError)
}

extension JournalDisk {
  package func attached() -> any JournalDisk { self }
}

package enum DiskMode: Sendable {
  case reading, writing
  /// A new file, for writing; one of that name must not exist.
  case creating
}

/// An open file; it closes with its last owner.
package protocol DiskFile: AnyObject, Sendable {
  var path: String { get }
  func status() throws(JournalError) -> DiskFileStatus
  /// Makes the file `size` bytes long and their space its own: no later write inside fails for space.
  func preallocate(_ size: Int) throws(JournalError)
  /// Writes all of `bytes`, or throws after having written a part of them or nothing.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(JournalError)
  /// `count` bytes, or as many as the file has there.
  func read(_ count: Int, at offset: Int) throws(JournalError) -> [UInt8]
  /// The whole file in memory while `body` runs.
  func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws(JournalError) -> Result
  ) throws(JournalError) -> Result
  /// The data, and what is needed to find it again: `fdatasync`.
  func sync() throws(JournalError)
  /// The data and all that is known of the file: `fsync`.
  func syncWhole() throws(JournalError)
  func truncate(to size: Int) throws(JournalError)
}

package struct DiskFileStatus: Sendable, Hashable {
  package let bytes: Int
  package let lastWritten: Instant

  package init(bytes: Int, lastWritten: Instant) {
    self.bytes = bytes
    self.lastWritten = lastWritten
  }
}

/// Held until it is released or its process ends.
package protocol DiskLock: AnyObject, Sendable {
  func release()
}
