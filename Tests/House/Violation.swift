import Testing

/// Where a rule is broken, which rule, and what to do instead.
struct Violation: Sendable, CustomStringConvertible {
  let path: String
  /// From 1; nil when the file as a whole is meant.
  let line: Int?
  let rule: String
  let remedy: String

  var description: String {
    "\(path)\(line.map { ":\($0)" } ?? ""): \(rule): \(remedy)"
  }

  func record() { Issue.record("\(description)") }
}
