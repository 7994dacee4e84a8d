import Foundation

/// A folder that goes with its last owner; in memory, so that thousands of syncs cost nothing.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
    path = "\(parent)/journal-test-\(UUID().uuidString)"
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ first: Int) -> String {
    "\(path)/\(String(repeating: "0", count: 20 - "\(first)".count))\(first).journal"
  }

  var files: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.filter { $0.hasSuffix(".journal") }.sorted()
  }

  func read(_ first: Int) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: file(first))))
  }

  func write(_ bytes: [UInt8], _ first: Int) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file(first)))
  }
}
