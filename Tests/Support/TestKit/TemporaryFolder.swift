internal import Foundation
private import Synchronization

/// A folder that exists as long as this object, and never longer than the process: services that a test
/// has not freed hold theirs.
package final class TemporaryFolder: Sendable {
  package let path: String

  package init() throws {
    var template = Array((NSTemporaryDirectory() + "/shrivenquant-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    _ = Self.removesAtExit
    Self.open.withLock { _ = $0.insert(path) }
  }

  deinit {
    Self.open.withLock { _ = $0.remove(path) }
    Self.remove(path)
  }

  private static let open = Mutex<Set<String>>([])
  private static let removesAtExit: Void = {
    atexit { for path in TemporaryFolder.open.withLock({ $0 }) { TemporaryFolder.remove(path) } }
  }()

  private static func remove(_ path: String) {
    _ = try? FileManager.default.removeItem(atPath: path)
  }

  /// Writes a file and returns its path.
  package func write(_ name: String, _ text: String) throws -> String {
    let file = path + "/" + name
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    return file
  }
}
