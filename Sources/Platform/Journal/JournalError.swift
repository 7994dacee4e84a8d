internal import Glibc
package import Loop

package enum JournalError: Error, Hashable {
  /// As many appends as allowed wait for the disk; the caller may try again later.
  case tooManyInFlight(max: Int)
  case recordTooLarge(bytes: Int, max: Int)
  /// Another process, or another journal of this one, has the directory.
  case locked(directory: String)
  /// The disk does not do what it is asked to; it is asked again until it does.
  case storage(SystemError, file: String)
  /// The disk has no space for another segment, and what is left of this one is kept for what must
  /// be known. Nothing was changed; the journal asks for space by itself.
  case full(left: Int, reserve: Int)
  /// An acknowledged record is not what was written. Nothing is repaired and nothing is skipped.
  case damaged(file: String, offset: Int, reason: String)
  /// The file is of another program or of a later version.
  case notAJournal(file: String)
  /// The segment that holds this sequence was removed by retention, or is missing.
  case removed(sequence: UInt64)
  case closed

  package var problem: String {
    switch self {
    case .tooManyInFlight(let max): "the journal already has \(max) appends in flight"
    case .recordTooLarge(let bytes, let max):
      "a record of \(bytes) bytes is over the \(max) allowed"
    case .locked(let directory): "\(directory) is in use by another process"
    case .storage(let error, let file): "\(file): \(error)"
    case .full(let left, let reserve):
      "the disk is full: \(left) bytes are left for records, and new business leaves \(reserve)"
    case .damaged(let file, let offset, let reason):
      "\(file) is damaged at offset \(offset): \(reason)"
    case .notAJournal(let file): "\(file) is not a journal segment of this version"
    case .removed(let sequence): "record \(sequence) is no longer in the journal"
    case .closed: "the journal is closed"
    }
  }

  var isOutOfSpace: Bool {
    guard case .storage(let error, _) = self else { return false }
    return error.code == ENOSPC || error.code == EDQUOT
  }
}
