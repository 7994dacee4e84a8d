import Foundation
import Synchronization

/// The project's files, as the rules of the house see them.
enum Tree {
  static let root: URL = {
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let manifest = folder.appendingPathComponent("Package.swift").path
      if FileManager.default.fileExists(atPath: manifest) { return folder }
    }
    fatalError("no Package.swift above \(#filePath)")
  }()

  struct File: Sendable, CustomStringConvertible {
    /// From the root: `Sources/Base/Units/Decimal.swift`.
    let path: String
    let lines: [Substring]

    /// The lines without comments and the insides of strings.
    let code: [String]

    init(path: String, text: String) {
      self.path = path
      lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      code = path.hasSuffix(".swift") ? CodeText.of(lines) : lines.map(String.init)
    }

    var name: String { String(path.split(separator: "/").last ?? "") }
    var description: String { path }
  }

  /// Absolute, for a path from the root.
  static func place(_ path: String) -> String { root.appendingPathComponent(path).path }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  private static let read = Mutex<[String: [File]]>([:])

  /// Files below a folder with one of these endings, generated ones left out. Read once.
  static func files(_ folder: String, _ endings: [String] = ["swift"]) throws -> [File] {
    let key = "\(folder) \(endings)"
    if let known = read.withLock({ $0[key] }) { return known }
    let found = try walk(folder, endings)
    read.withLock { $0[key] = found }
    return found
  }

  private static func walk(_ folder: String, _ endings: [String]) throws -> [File] {
    let base = root.appendingPathComponent(folder)
    // A file is its own folder: `README.md`.
    if endings.contains(where: { folder.hasSuffix(".\($0)") }) || folder == "Makefile" {
      return [File(path: folder, text: try text(folder))]
    }
    guard let walk = FileManager.default.enumerator(atPath: base.path) else { return [] }
    var found: [File] = []
    for case let path as String in walk.allObjects.sorted(by: { "\($0)" < "\($1)" }) {
      let whole = "\(folder)/\(path)"
      guard endings.contains(where: { whole.hasSuffix(".\($0)") }) else { continue }
      if whole.contains("/Generated/") || whole.contains("/CContracts/") { continue }
      found.append(File(path: whole, text: try text(whole)))
    }
    return found
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  static func folders(_ folder: String) throws -> [String] {
    let base = root.appendingPathComponent(folder)
    return try FileManager.default.contentsOfDirectory(atPath: base.path).sorted().filter {
      var isFolder: ObjCBool = false
      let path = base.appendingPathComponent($0).path
      return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && isFolder.boolValue
    }
  }
}
