import Testing

@Suite struct `Rules of the text` {
  @Test(arguments: TextRule.all)
  func `every file obeys`(_ rule: TextRule) throws {
    for violation in try rule.violations() { violation.record() }
  }

  @Test(arguments: TextRule.all)
  func `a rule finds what breaks it, and lets its likeness pass`(_ rule: TextRule) throws {
    let bad = Tree.File(path: rule.bad.path, text: rule.bad.text)
    #expect(!rule.violations(in: bad).isEmpty, "\(rule.name) never fails")

    let good = Tree.File(path: rule.goodPath, text: rule.good)
    #expect(rule.violations(in: good).isEmpty, "\(rule.name) fails what is good")
  }

  @Test(arguments: TextRule.all)
  func `an exception is for a file that needs it`(_ rule: TextRule) throws {
    for (path, _) in rule.exceptions {
      let folder = path.split(separator: "/").dropLast().joined(separator: "/")
      let file = try Tree.files(folder, rule.endings).first { $0.path == path }
      guard let file, !rule.offences(file).isEmpty else {
        Violation(
          path: path, line: nil, rule: rule.name, remedy: "the exception is not needed any more"
        ).record()
        continue
      }
    }
  }

  @Test func `a violation says where, what and what instead`() {
    let violation = Violation(path: "Sources/A.swift", line: 3, rule: "a rule", remedy: "do b")
    #expect(violation.description == "Sources/A.swift:3: a rule: do b")
  }
}
