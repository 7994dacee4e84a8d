internal import Glibc
internal import ServiceKit

/// Removes what `up` made in a state folder; what a person put there stays.
func removeState(_ state: StateFolder) throws(FileError) {
  for folder in [state.pki, state.postgres, state.path + "/journal", state.log, state.bootstrap] {
    try removeTree(folder)
  }
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
