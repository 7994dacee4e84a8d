internal import CLinux
internal import Glibc

/// A file that could not be read or written, with the reason.
package struct FileError: Error, CustomStringConvertible {
  package let path: String
  package let problem: String

  package init(_ path: String, code: Int32 = clinux_errno()) {
    self.path = path
    self.problem = String(cString: strerror(code))
  }

  package init(_ path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  package var description: String { "\(path): \(problem)" }
}

/// Settings, certificates and credentials are small; anything over this is somebody's mistake.
package let smallFileBytesMax = 16 << 20

package func readFile(_ path: String) throws(FileError) -> [UInt8] {
  let file = clinux_open(path, O_RDONLY, 0)
  guard file >= 0 else { throw FileError(path) }
  defer { close(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(file, &chunk, chunk.count)
    if count < 0 && clinux_errno() == EINTR { continue }
    guard count >= 0 else { throw FileError(path) }
    if count == 0 { return bytes }
    bytes += chunk[0..<count]
    guard bytes.count <= smallFileBytesMax else {
      throw FileError(path, problem: "is larger than \(smallFileBytesMax) bytes")
    }
  }
}

package func readText(_ path: String) throws(FileError) -> String {
  guard let text = String(validating: try readFile(path), as: UTF8.self) else {
    throw FileError(path, problem: "is not UTF-8 text")
  }
  return text
}

/// Writes beside and renames, so that a reader sees the old file or the new one, never half of one.
package func writeFile(_ path: String, _ text: String, mode: UInt32) throws(FileError) {
  try replaceFile(path, text, mode: mode) { file in fsync(file) == 0 }
}

/// The same, there at once and not durable yet.
package func placeFile(_ path: String, _ text: String, mode: UInt32) throws(FileError) {
  try replaceFile(path, text, mode: mode) { _ in true }
}

private func replaceFile(
  _ path: String, _ text: String, mode: UInt32, _ settles: (Int32) -> Bool
) throws(FileError) {
  let draft = "\(path).\(getpid()).new"
  unlink(draft)
  let file = clinux_open(draft, O_WRONLY | O_CREAT | O_EXCL, mode_t(mode))
  guard file >= 0 else { throw FileError(draft) }
  var isPlaced = false
  defer {
    close(file)
    if !isPlaced { unlink(draft) }
  }
  // The umask may have taken bits away; the mode asked for is the mode meant.
  fchmod(file, mode_t(mode))
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(file, $0.baseAddress!, $0.count) }
    if count < 0 && clinux_errno() == EINTR { continue }
    guard count > 0 else { throw FileError(draft) }
    bytes = bytes.dropFirst(count)
  }
  guard settles(file), rename(draft, path) == 0 else { throw FileError(path) }
  isPlaced = true
}

/// The folder and those above it.
package func makeFolder(_ path: String, mode: UInt32 = 0o755) throws(FileError) {
  if isFolder(path) { return }
  if let cut = path.lastIndex(of: "/"), cut != path.startIndex {
    try makeFolder(String(path[..<cut]))
  }
  guard mkdir(path, mode_t(mode)) == 0 || clinux_errno() == EEXIST else { throw FileError(path) }
}

package func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

package func fileExists(_ path: String) -> Bool {
  access(path, F_OK) == 0
}

package func currentFolder() -> String {
  var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
  guard getcwd(&buffer, buffer.count) != nil else { return "/" }
  return text(buffer)
}

/// The path of the program that runs.
package func executablePath() -> String {
  var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
  guard readlink("/proc/self/exe", &buffer, buffer.count - 1) > 0 else { return "" }
  return text(buffer)
}

private func text(_ buffer: [CChar]) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// `path` made absolute against the working folder, without `.` and `..`.
package func absolutePath(_ path: String) -> String {
  var parts: [Substring] = []
  let whole = path.hasPrefix("/") ? path : currentFolder() + "/" + path
  for part in whole.split(separator: "/") where part != "." {
    if part == ".." { _ = parts.popLast() } else { parts.append(part) }
  }
  return "/" + parts.joined(separator: "/")
}

/// The process's environment.
package func processEnvironment() -> [String: String] {
  var variables: [String: String] = [:]
  var next = clinux_environment()
  while let entry = next.pointee {
    let pair = String(cString: entry).split(
      separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
    next += 1
  }
  return variables
}

package func processID() -> Int32 { getpid() }
