import Foundation

/// The bytes of a recording beside the package.
enum RecordedFile {
  struct Missing: Error {
    let name: String
  }

  static func read(_ name: String) throws -> [UInt8] {
    guard let path = RecordedData.path(name), let data = FileManager.default.contents(atPath: path)
    else { throw Missing(name: name) }
    return Array(data)
  }
}
