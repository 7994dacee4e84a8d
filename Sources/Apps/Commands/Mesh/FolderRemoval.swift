internal import Glibc
internal import Postgres
internal import ServiceKit

/// Removes what `up` made in a state folder, and the cluster that lies outside of it; what a person put
/// there stays. The state's PostgreSQL must have been stopped.
func removeState(_ state: StateFolder, say: (String) -> Void = { _ in }) throws {
  if let standIn = try ownStandIn(state) {
    say("removing the PostgreSQL cluster \(standIn)")
    try removeTree(standIn)
  }
  for folder in [state.pki, state.postgres, state.path + "/journal", state.log, state.bootstrap] {
    try removeTree(folder)
  }
  try removeTree(ClusterMark.path(state))
  // It would engage the kill switch of a mesh that has nothing to do with it.
  let mark = KillMark(state)
  if mark.isThere {
    say("removing the mark of the kill switch, \(mark.path)")
    try mark.remove()
  }
}

/// The stand-in of this state's cluster; nil when there is none, or when it is another state's, which
/// this one is a copy of.
private func ownStandIn(_ state: StateFolder) throws -> String? {
  ClusterPlace.standInsFound().first { folder, asked in
    asked.map { $0 == state.postgres } ?? ClusterPlace.isNeeded(standIn: folder, by: state.postgres)
  }?.folder
}

/// Removes a folder and what is in it, without following links; a missing one is fine.
func removeTree(_ path: String) throws(FileError) {
  var status = stat()
  guard lstat(path, &status) == 0 else { return }
  guard status.st_mode & S_IFMT == S_IFDIR else {
    guard unlink(path) == 0 else { throw FileError(path) }
    return
  }
  guard let folder = opendir(path) else { throw FileError(path) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != ".", name != ".." { names.append(name) }
  }
  closedir(folder)
  for name in names { try removeTree("\(path)/\(name)") }
  guard rmdir(path) == 0 else { throw FileError(path) }
}
