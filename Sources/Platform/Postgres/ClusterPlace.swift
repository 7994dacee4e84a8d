internal import CLinux
internal import Glibc

/// Where the data of a private cluster lies, and what is known of it before its server is asked.
///
/// A folder that root asks for and the server's user cannot reach, such as one in a home, has a stand-in
/// under /var/lib: `location` in the folder links there, and `state` in the stand-in names the folder.
package struct ClusterPlace: Sendable, Hashable {
  /// The folder that was asked for, in the state of a mesh.
  package let asked: String
  /// Where `data` is: the same, or the stand-in.
  package let folder: String

  package var isStandIn: Bool { asked != folder }

  init(asked: String, folder: String) {
    self.asked = asked
    self.folder = folder
  }

  /// A cluster whose folder is known.
  package init(at folder: String) { self.init(asked: folder, folder: folder) }

  private static let standIns = "/var/lib"
  private static let prefix = "shrivenquant-"

  /// Nil when no cluster was ever made for the folder. Throws when one may have been made and cannot be
  /// looked at: nobody may take that for none.
  package static func find(_ asked: String) throws(ClusterError) -> ClusterPlace? {
    let place = ClusterPlace(asked: asked, folder: try location(in: asked) ?? asked)
    guard try place.hasData else {
      guard place.isStandIn else { return nil }
      throw .lost(
        "\(asked)/location says that the cluster is in \(place.folder), and there is none")
    }
    return place
  }

  /// The place of a cluster that is yet to be made.
  static func make(_ asked: String, isReachable: Bool) throws(ClusterError) -> ClusterPlace {
    if isReachable { return ClusterPlace(asked: asked, folder: asked) }
    var template = Array("\(standIns)/\(prefix)XXXXXX".utf8CString)
    guard let made = template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) else {
      throw .system("no folder in \(standIns): \(errorText())")
    }
    let place = ClusterPlace(asked: asked, folder: String(cString: made))
    try place.claim()
    guard symlink(place.folder, asked + "/location") == 0 else {
      throw .system("\(asked)/location cannot be made: \(errorText())")
    }
    return place
  }

  /// Every stand-in on this machine, with the folder that it says it stands in for: nil when it does not
  /// say, as those of earlier versions.
  package static func standInsFound() -> [(folder: String, asked: String?)] {
    guard let folder = opendir(standIns) else { return [] }
    defer { closedir(folder) }
    var found: [(folder: String, asked: String?)] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      let path = "\(standIns)/\(name)"
      guard name.hasPrefix(prefix), access(path + "/data/PG_VERSION", F_OK) == 0 else { continue }
      found.append((path, ClusterPlace(asked: path, folder: path).claimant))
    }
    return found.sorted { $0.folder < $1.folder }
  }

  /// Whether the folder that a stand-in stands in for still says so.
  package static func isNeeded(standIn: String, by asked: String) -> Bool {
    do throws(ClusterError) { return try location(in: asked) == standIn } catch { return true }
  }

  private static func location(in asked: String) throws(ClusterError) -> String? {
    let note = asked + "/location"
    var target = [UInt8](repeating: 0, count: 4096)
    let count = target.withUnsafeMutableBytes {
      readlink(note, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    if count >= 0 { return String(decoding: target[0..<count], as: UTF8.self) }
    guard errno == ENOENT || errno == ENOTDIR else { throw .lost("\(note): \(errorText())") }
    return nil
  }

  private var hasData: Bool {
    get throws(ClusterError) {
      var status = stat()
      let version = folder + "/data/PG_VERSION"
      if stat(version, &status) == 0 { return true }
      guard errno == ENOENT || errno == ENOTDIR else {
        throw .lost("\(version): \(errorText())")
      }
      guard stat(folder + "/data", &status) != 0 else {
        throw .lost("\(folder)/data is there, and is no cluster of PostgreSQL")
      }
      guard errno == ENOENT || errno == ENOTDIR else {
        throw .lost("\(folder)/data: \(errorText())")
      }
      return false
    }
  }

  // MARK: Whose it is

  private var claimant: String? { readFile(folder + "/state") }

  /// False for a stand-in that another folder needs, which the one that was asked for is a copy of.
  package var isOwn: Bool {
    guard isStandIn, let claimant, claimant != asked else { return true }
    return !Self.isNeeded(standIn: folder, by: claimant)
  }

  /// Writes into a stand-in whom it belongs to. A state folder that was copied links to the cluster of
  /// the first one: using it would be two meshes on one set of limits.
  func claim(say: (String) -> Void = { _ in }) throws(ClusterError) {
    guard isStandIn else { return }
    let before = claimant
    if before == asked { return }
    if let before {
      guard !Self.isNeeded(standIn: folder, by: before) else {
        throw .lost(
          "\(folder) is the cluster of \(before): \(asked) is a copy of that folder, and a copy of a "
            + "state folder does not bring a cluster along that lies outside of it")
      }
      say("the cluster in \(folder) was that of \(before), which is gone: it is \(asked)'s now")
    }
    try writeFile(folder + "/state", asked)
  }

  // MARK: Whether its server runs

  /// The server's process, found by the file it keeps while it runs; nil when none runs here.
  package var server: Int32? {
    guard let (pid, data) = noted, data == folder + "/data", Self.isServer(pid, of: data) else {
      return nil
    }
    return pid
  }

  /// What `postmaster.pid` says: the server's process and its data folder.
  private var noted: (pid: Int32, data: String)? {
    guard let text = readFile(folder + "/data/postmaster.pid") else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count > 1, let pid = Int32(lines[0]), pid > 0 else { return nil }
    return (pid, String(lines[1]))
  }

  /// A process that lives, is PostgreSQL's, and stands in that data folder. A dead one that nobody has
  /// waited for is not alive, and a process that got a dead one's number is another one.
  private static func isServer(_ pid: Int32, of data: String) -> Bool {
    guard let status = readFile("/proc/\(pid)/stat"), let end = status.lastIndex(of: ")") else {
      return false
    }
    let state = status[status.index(after: end)...].drop { $0 == " " }.first
    return state != "Z" && state != "X" && status.contains("(postgres)")
      && isSameFile("/proc/\(pid)/cwd", data)
  }

  private static func isSameFile(_ left: String, _ right: String) -> Bool {
    var (one, other) = (stat(), stat())
    return stat(left, &one) == 0 && stat(right, &other) == 0 && one.st_dev == other.st_dev
      && one.st_ino == other.st_ino
  }

  /// Processes of a server whose first process is dead: a new one refuses to start beside them.
  var leftBackends: [Int32] {
    guard server == nil, let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let pid = Int32(name), Self.isServer(pid, of: self.folder + "/data") { found.append(pid) }
    }
    return found
  }

  /// Takes away the note of a server that is dead, which would keep the next one from starting. A note
  /// that names another folder was copied with the data: while that server lives, the copy is torn.
  func forgetDeadServer(say: (String) -> Void) throws(ClusterError) {
    guard let (pid, data) = noted, server == nil else { return }
    guard data == folder + "/data" || !Self.isServer(pid, of: data) else {
      throw .lost(
        "\(folder)/data was copied from \(data) while its server ran (process \(pid)): such a copy "
          + "may be torn. Stop that mesh and copy again, or use pg_dump")
    }
    if data != folder + "/data" {
      say("the data was copied or moved from \(data) without a clean stop: PostgreSQL recovers it")
    }
    let note = folder + "/data/postmaster.pid"
    guard unlink(note) == 0 || errno == ENOENT else {
      throw .system("\(note) cannot be removed: \(errorText())")
    }
  }
}

func errorText() -> String { String(cString: strerror(errno)) }

/// Nil when it cannot be read; of a small file.
private func readFile(_ path: String) -> String? {
  let fd = clinux_open(path, O_RDONLY, 0)
  guard fd >= 0 else { return nil }
  defer { close(fd) }
  var bytes = [UInt8](repeating: 0, count: 8192)
  let count = read(fd, &bytes, bytes.count)
  return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
}

private func writeFile(_ path: String, _ text: String) throws(ClusterError) {
  let fd = clinux_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  guard fd >= 0 else { throw .system("\(path) cannot be written: \(errorText())") }
  defer { close(fd) }
  let bytes = Array(text.utf8)
  guard write(fd, bytes, bytes.count) == bytes.count, fsync(fd) == 0 else {
    throw .system("\(path) cannot be written: \(errorText())")
  }
}
