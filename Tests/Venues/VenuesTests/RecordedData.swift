import Foundation

/// Recorded exchange data next to the project, or where RECORDED_DATA says. The project ships none:
/// tests that need it are skipped, and say so.
enum RecordedData {
  static func path(_ name: String, from file: String = #filePath) -> String? {
    var parts = file.split(separator: "/", omittingEmptySubsequences: false)
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let root = parts.dropLast(2).joined(separator: "/")
    let folder = ProcessInfo.processInfo.environment["RECORDED_DATA"] ?? root + "/shared/data"
    let path = folder + "/" + name
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }

  static func isPresent(_ name: String) -> Bool { path(name) != nil }

  static let spot = "binance/spot_btcusdt_20240808.gz"
  static let spotNextDay = "binance/spot_btcusdt_20240809.gz"
}
