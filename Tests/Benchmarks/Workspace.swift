import Glibc

/// A folder below `.build` for what a benchmark writes: on the disk of the project, as a journal is.
final class Workspace {
  let path: String

  init(_ name: String) throws {
    path = "\(Self.root)/.build/benchmarks/\(name)-\(getpid())"
    try Self.make(path)
  }

  deinit { Self.remove(path) }

  /// The project, two folders above this one's.
  static let root: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()

  static func make(_ path: String) throws {
    var made = ""
    for part in path.split(separator: "/") {
      made += "/\(part)"
      guard mkdir(made, 0o755) == 0 || errno == EEXIST else {
        throw Broken("\(made): \(SystemCall.lastError)")
      }
    }
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    let file = "\(path)/\(name)"
    if let slash = file.lastIndex(of: "/") { try Self.make(String(file[..<slash])) }
    guard let handle = fopen(file, "wb") else { throw Broken("\(file): \(SystemCall.lastError)") }
    defer { fclose(handle) }
    guard fwrite(bytes, 1, bytes.count, handle) == bytes.count else {
      throw Broken("\(file): \(SystemCall.lastError)")
    }
  }

  private static func remove(_ path: String) {
    do {
      _ = try Child.output(of: ["rm", "-rf", path])
    } catch {
      note("\(path) is left behind: \(error)")
    }
  }
}
