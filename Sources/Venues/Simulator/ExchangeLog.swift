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
final class ExchangeLog {
  private let path: String
  private let names: RecordNames
  private var file: Int32 = -1

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
    for (number, line) in bytes[..<end].split(separator: UInt8(ascii: "\n")).enumerated() {
      do throws(JSONError) {
        if let record = try ExchangeRecord(line: Array(line), names) { records.append(record) }
      } catch {
        throw ExchangeLogError(path, "line \(number + 1): \(error)")
      }
    }
    return records
  }

  /// Behind the last group that is whole; files of earlier versions have no groups, and lines instead.
  private static func end(_ bytes: [UInt8]) -> Int {
    let newline = UInt8(ascii: "\n")
    var next = bytes.endIndex
    while let last = bytes[..<next].lastIndex(of: newline), last > bytes.startIndex {
      if bytes[last - 1] == newline { return last }
      next = last
    }
    return bytes.lastIndex(of: newline) ?? bytes.startIndex
  }

  /// Begins a fresh file that holds `records`; the old one stays until the new one is whole.
  func begin(with records: [ExchangeRecord]) throws(ExchangeLogError) {
    let fresh = path + ".new"
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(fresh, "open") }
    if file >= 0 { Glibc.close(file) }
    file = descriptor
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
    let before = lseek(file, 0, SEEK_END)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + done, $0.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = ExchangeLogError.system(path, "write")
        _ = ftruncate(file, before)
        throw error
      }
      done += count
    }
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
