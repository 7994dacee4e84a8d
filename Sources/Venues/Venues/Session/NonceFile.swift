internal import Glibc

/// A watermark of nonces in a file of its own: a new file is written, synced and put in its place,
/// so there is always a whole one.
package struct NonceFile: NonceStore {
  private let path: String

  package init(path: String) { self.path = path }

  package func load() throws(NonceStoreError) -> UInt64? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("open")
    }
    defer { Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = read(file, &bytes, bytes.count)
    guard count >= 0 else { throw failure("read") }
    var text = bytes[..<count]
    if text.last == UInt8(ascii: "\n") { text = text.dropLast() }
    guard let watermark = UInt64(String(decoding: text, as: UTF8.self)) else {
      throw NonceStoreError("\(path) does not hold one whole number")
    }
    return watermark
  }

  package func save(_ watermark: UInt64) throws(NonceStoreError) {
    let draft = path + ".new"
    let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("open") }
    defer { Glibc.close(file) }
    let text = Array("\(watermark)\n".utf8)
    guard write(file, text, text.count) == text.count else { throw failure("write") }
    guard fsync(file) == 0 else { throw failure("fsync") }
    guard rename(draft, path) == 0 else { throw failure("rename") }
    try syncFolder()
  }

  /// Without it a loss of power could bring the old file back.
  private func syncFolder() throws(NonceStoreError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let folder = parts.isEmpty ? "." : parts == [""] ? "/" : parts.joined(separator: "/")
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw failure("open the folder") }
    defer { Glibc.close(file) }
    guard fsync(file) == 0 else { throw failure("fsync the folder") }
  }

  private func failure(_ call: String) -> NonceStoreError {
    NonceStoreError("\(path): \(call): \(String(cString: strerror(errno)))")
  }
}
