import Glibc

/// The folder of recorded exchange data beside the package, or where RECORDED_DATA says.
enum RecordedFolder {
  private static let path = {
    if let named = getenv("RECORDED_DATA") { return String(cString: named) }
    // .../Tests/Platform/RecordingTests/RecordedFolder.swift
    let parts = #filePath.split(separator: "/").dropLast(5)
    return "/" + parts.joined(separator: "/") + "/shared/data"
  }()

  static var exists: Bool { access(path, R_OK) == 0 }

  static func read(_ file: String) throws -> [UInt8] {
    guard let stream = fopen("\(path)/\(file)", "rb") else { throw MissingFile(path: file) }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  struct MissingFile: Error {
    let path: String
  }
}
