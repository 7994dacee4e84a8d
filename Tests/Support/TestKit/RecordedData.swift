import Glibc

/// Recorded exchange data next to the project, or where RECORDED_DATA says. The project ships none:
/// tests that need it are skipped, and say so.
package enum RecordedData {
  private static let folder = {
    if let named = getenv("RECORDED_DATA") { return String(cString: named) }
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    return parts.dropLast(2).joined(separator: "/") + "/shared/data"
  }()

  /// Nil when it is not there.
  package static func path(_ name: String) -> String? {
    let path = folder + "/" + name
    return access(path, R_OK) == 0 ? path : nil
  }

  package static func isPresent(_ name: String) -> Bool { path(name) != nil }

  package static func read(_ name: String) throws -> [UInt8] {
    guard let path = path(name), let file = fopen(path, "rb") else { throw Missing(name: name) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  package struct Missing: Error {
    package let name: String
  }

  package static let spot = "binance/spot_btcusdt_20240808.gz"
  package static let spotNextDay = "binance/spot_btcusdt_20240809.gz"
}
