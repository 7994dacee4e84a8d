internal import Glibc
internal import JSON

/// A file operation that failed, with the path and the system's words.
package struct ExchangeLogError: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String

  init(_ path: String, _ problem: String) { description = "\(path): \(problem)" }

  static func system(_ path: String, _ call: String) -> ExchangeLogError {
    ExchangeLogError(path, "\(call): \(String(cString: strerror(errno)))")
  }
}

/// The accounts' orders, fills and balances in a file of JSON lines, so that a killed simulator
/// comes back knowing every order that it has acknowledged.
///
/// What happens at once goes out in one write(2), before the answer does, and ends with an empty line:
/// the page cache outlives the process. Of what a kill or a full disk has torn, nobody was told: all of
/// it is cut, for an order with half of what happened to it would trade again.
///
/// An exchange does not stop because our disk is full: some megabytes are taken ahead, and a start
/// that finds no room for a fresh file goes on with the old one.
final class ExchangeLog {
  private let path: String
  private let names: RecordNames
  private var file: Int32 = -1
  /// Bytes in the file, and those that the file system has given it.
  private var size: off_t = 0
  private var taken: off_t = 0
  /// Of the old file, up to the end of its last whole group.
  private var loaded: off_t = 0

  private static let ahead: off_t = 8 << 20

  /// Each dialect's exchange has a file of its own.
  init(directory: String, _ dialect: VenueDialect = .binance, names: RecordNames) {
    path = directory + (dialect == .binance ? "/orders.jsonl" : "/\(dialect)-orders.jsonl")
    self.names = names
  }

  deinit { if file >= 0 { Glibc.close(file) } }

  /// Everything that was recorded; empty when there is no file yet.
  func load() throws(ExchangeLogError) -> [ExchangeRecord] {
    guard access(path, F_OK) == 0 else { return [] }
    let bytes = try FileBytes.read(path)
    var records: [ExchangeRecord] = []
    let end = Self.end(bytes)
    loaded = off_t(end)
    for (number, line) in bytes[..<end].split(separator: UInt8(ascii: "\n")).enumerated() {
      do throws(JSONError) {
        if let record = try ExchangeRecord(line: Array(line), names) { records.append(record) }
      } catch {
        throw ExchangeLogError(path, "line \(number + 1): \(error)")
      }
    }
    return records
  }

  /// The length up to the end of the last whole group; files of earlier versions have lines instead.
  private static func end(_ bytes: [UInt8]) -> Int {
    let newline = UInt8(ascii: "\n")
    var next = bytes.endIndex
    while let last = bytes[..<next].lastIndex(of: newline), last > bytes.startIndex {
      if bytes[last - 1] == newline { return last + 1 }
      next = last
    }
    return bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
  }

  /// Begins a fresh file that holds `records`; the old one stays until the new one is whole.
  func begin(with records: [ExchangeRecord]) throws(ExchangeLogError) {
    do throws(ExchangeLogError) {
      try beginFresh(with: records)
    } catch {
      unlink(path + ".new")
      guard access(path, F_OK) == 0 else { throw error }
      try goOn()
    }
  }

  /// Behind what was loaded.
  private func goOn() throws(ExchangeLogError) {
    let old = open(path, O_WRONLY | O_CLOEXEC)
    guard old >= 0 else { throw .system(path, "open") }
    if file >= 0 { Glibc.close(file) }
    file = old
    guard ftruncate(file, loaded) == 0 else { throw .system(path, "ftruncate") }
    (size, taken) = (loaded, loaded)
    reserve()
  }

  /// Room for what comes, zeros until then; where there is none, the file grows as long as it can.
  private func reserve() {
    guard taken - size < Self.ahead / 2 else { return }
    if posix_fallocate(file, size, Self.ahead) == 0 { taken = size + Self.ahead }
  }

  private func beginFresh(with records: [ExchangeRecord]) throws(ExchangeLogError) {
    let fresh = path + ".new"
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(fresh, "open") }
    if file >= 0 { Glibc.close(file) }
    file = descriptor
    (size, taken) = (0, 0)
    try append(records)
    guard fsync(file) == 0 else { throw .system(fresh, "fsync") }
    guard rename(fresh, path) == 0 else { throw .system(path, "rename") }
  }

  func append(_ records: [ExchangeRecord]) throws(ExchangeLogError) {
    guard !records.isEmpty else { return }
    var bytes: [UInt8] = []
    for record in records {
      bytes += record.line(names)
      bytes.append(UInt8(ascii: "\n"))
    }
    bytes.append(UInt8(ascii: "\n"))
    reserve()
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(file, $0.baseAddress! + done, $0.count - done, size + off_t(done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(path, "write") }
      done += count
    }
    size += off_t(done)
  }
}

/// Whole files into memory.
enum FileBytes {
  private static let chunk = 1 << 20

  static func read(_ path: String) throws(ExchangeLogError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, "open") }
    defer { Glibc.close(descriptor) }
    var bytes: [UInt8] = []
    while true {
      var failed = false
      let piece = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
        let got = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
        failed = got < 0
        count = max(0, got)
      }
      guard !failed else { throw .system(path, "read") }
      if piece.isEmpty { return bytes }
      bytes += piece
    }
  }
}
