/// Everything that is wrong with the settings, said at once.
package struct SettingsError: Error, Hashable, CustomStringConvertible {
  package let problems: [String]

  package init(_ problems: [String]) { self.problems = problems }
  package init(_ problem: String) { self.problems = [problem] }

  package var description: String { problems.joined(separator: "\n") }
}
