import Foundation
import JSON
import Testing

/// Nicolas Seriot's JSONTestSuite, read from beside the project when it is there.
private let suiteFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "../../../../shared/vectors/JSONTestSuite/test_parsing").standardizedFileURL

private func cases(_ prefix: String) -> [String] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: suiteFolder.path)) ?? []
  return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }.sorted()
}

private func parse(_ name: String) throws -> Result<JSONDocument, JSONError> {
  let bytes = [UInt8](try Data(contentsOf: suiteFolder.appending(path: name)))
  return Result { () throws(JSONError) in try JSONDocument(parsing: bytes) }
}

@Suite(
  .enabled(
    if: !cases("y_").isEmpty,
    "SKIPPED: JSONTestSuite is not at ../shared/vectors/JSONTestSuite, nothing was checked here"))
struct `JSON test suite` {
  @Test func `every text that must be accepted is`() throws {
    let names = cases("y_")

    for name in names {
      if case .failure(let error) = try parse(name) {
        Issue.record("\(name) was refused: \(error)")
      }
    }

    #expect(names.count > 90)
  }

  @Test func `every text that must be refused is, at a place inside it`() throws {
    let names = cases("n_")

    for name in names {
      switch try parse(name) {
      case .success: Issue.record("\(name) was accepted")
      case .failure(.malformed(_, let offset)):
        let size = try Data(contentsOf: suiteFolder.appending(path: name)).count
        #expect(offset >= 0 && offset <= size, "\(name)")
      case .failure(let error): Issue.record("\(name): \(error)")
      }
    }

    #expect(names.count > 180)
  }

  @Test func `texts that are left to the parser are answered, not crashed on`() throws {
    for name in cases("i_") {
      guard case .success(let document) = try parse(name) else { continue }
      touch(document.root)
    }
  }
}

/// Reads everything there is to read of a value.
func touch(_ value: JSONValue) {
  _ = (value.string, value.numberText, value.double, value.int64, value.uint64, value.bool)
  _ = value.description
  for element in value.array?.map({ $0 }) ?? [] { touch(element) }
  for member in value.object?.map({ $0 }) ?? [] {
    _ = member.name
    touch(member.value)
  }
}
