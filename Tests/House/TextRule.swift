import Testing

/// A rule about the text of one file, with a sample that breaks it: a rule that cannot fail is none.
struct TextRule: Sendable, CustomTestStringConvertible {
  /// A sentence: what holds.
  let name: String
  let remedy: String
  /// Folders from the root, and the endings of the files that are read there.
  let folders: [String]
  let endings: [String]
  /// Files that may break it, each with the reason.
  let exceptions: [String: String]
  /// A path and a text that break the rule.
  let bad: (path: String, text: String)
  /// A text that looks alike and keeps it.
  let good: String
  /// The rule is about names of files: the good sample is at another path than the bad one.
  let isAboutPath: Bool
  /// Lines that break it, from 1; 0 for the file as a whole.
  let offences: @Sendable (Tree.File) -> [Int]

  init(
    _ name: String, remedy: String, in folders: [String], endings: [String] = ["swift"],
    except exceptions: [String: String] = [:], bad: (path: String, text: String), good: String,
    isAboutPath: Bool = false,
    offences: @escaping @Sendable (Tree.File) -> [Int]
  ) {
    self.name = name
    self.remedy = remedy
    self.folders = folders
    self.endings = endings
    self.exceptions = exceptions
    self.bad = bad
    self.good = good
    self.isAboutPath = isAboutPath
    self.offences = offences
  }

  var testDescription: String { name }
  var goodPath: String { isAboutPath ? "Sources/Base/Units/Price.swift" : bad.path }

  func violations(in file: Tree.File) -> [Violation] {
    guard exceptions[file.path] == nil else { return [] }
    return offences(file).map {
      Violation(path: file.path, line: $0 == 0 ? nil : $0, rule: name, remedy: remedy)
    }
  }

  func violations() throws -> [Violation] {
    try folders.flatMap { try Tree.files($0, endings) }.flatMap { violations(in: $0) }
  }

  /// Lines of code (comments and the insides of strings left out) for which `isBad` holds.
  static func code(_ isBad: @escaping @Sendable (String) -> Bool) -> @Sendable (Tree.File) -> [Int]
  {
    { file in
      file.code.enumerated().filter { isBad($0.element) }.map { $0.offset + 1 }
    }
  }

  /// Lines as they are, comments and strings included, for which `isBad` holds.
  static func text(_ isBad: @escaping @Sendable (Substring) -> Bool)
    -> @Sendable (Tree.File) -> [Int]
  {
    { file in
      file.lines.enumerated().filter { isBad($0.element) }.map { $0.offset + 1 }
    }
  }
}

extension String {
  /// The identifiers of a line of code.
  var words: [Substring] {
    split { !$0.isLetter && !$0.isNumber && $0 != "_" }
  }
}
