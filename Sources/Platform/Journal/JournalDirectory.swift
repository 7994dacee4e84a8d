/// The folder of one journal: its lock, and its segments by the sequence they begin with.
struct JournalDirectory: Sendable {
  let path: String
  let disk: any JournalDisk

  static let suffix = ".journal"
  static let spareName = "spare"

  var spare: String { path + "/" + Self.spareName }

  func file(first: UInt64) -> String { path + "/" + Self.digits(first) + Self.suffix }

  /// Of a name, so that names sort as sequences do.
  static func digits(_ sequence: UInt64) -> String {
    let digits = String(sequence)
    return String(repeating: "0", count: 20 - digits.count) + digits
  }

  func create() throws(JournalError) { try disk.makeFolder(path) }

  func lock() throws(JournalError) -> any DiskLock { try disk.lock(path + "/lock", of: path) }

  /// First sequences of the segments, ascending.
  func segments() throws(JournalError) -> [UInt64] {
    var found: [UInt64] = []
    for name in try disk.names(in: path) where name.hasSuffix(Self.suffix) {
      let digits = name.dropLast(Self.suffix.count)
      guard digits.utf8.count == 20, let first = UInt64(digits), first > 0 else {
        throw .notAJournal(file: path + "/" + name)
      }
      found.append(first)
    }
    return found.sorted()
  }

  func open(first: UInt64, _ mode: DiskMode) throws(JournalError) -> any DiskFile {
    try disk.open(file(first: first), mode)
  }

  /// A new name is durable only when its directory is synced.
  func sync() throws(JournalError) { try disk.sync(folder: path) }

  func remove(first: UInt64) throws(JournalError) { try disk.remove(file(first: first)) }
}
