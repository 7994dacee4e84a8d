import Testing

@Suite struct `Rules of the text` {
  @Test func `a file fits a head: under 500 lines`() throws {
    for file in try Tree.files("Sources") + Tree.files("Tests") where file.lines.count > 500 {
      Issue.record("\(file): \(file.lines.count) lines; split it by organ before 500")
    }
  }

  @Test func `no file is a drawer`() throws {
    let drawers = ["Utils", "Utilities", "Helpers", "Extensions", "Types", "Constants", "Common"]
    for file in try Tree.files("Sources") + Tree.files("Tests") {
      let stem = file.name.dropLast(".swift".count)
      if drawers.contains(String(stem)) {
        Issue.record("\(file): name it for the type inside, or for its topic (Type+Topic.swift)")
      }
    }
  }

  @Test func `nothing is public`() throws {
    for file in try Tree.files("Sources") {
      for (index, line) in file.lines.enumerated()
      where line.drop(while: { $0 == " " }).hasPrefix("public ") {
        Issue.record("\(file):\(index + 1): nobody outside uses us; say package")
      }
    }
  }

  @Test func `what is unfinished does not merge`() throws {
    // Spelled in two parts so that this file does not name them.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    for file in try Tree.files("Sources", ["swift", "c", "h", "cpp"]) + Tree.files("Tests")
      + Tree.files("Protos", ["proto"]) + Tree.files("docs", ["md"])
    {
      for (index, line) in file.lines.enumerated() {
        for word in words where line.contains("// \(word)") || line.contains("\(word):") {
          Issue.record("\(file):\(index + 1): \(word): build it, or leave it out")
        }
      }
    }
  }

  @Test func `a path of one machine is in no file`() throws {
    let places = ["/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/"]
    for file in try Tree.files("Sources", ["swift", "c", "h", "cpp"]) + Tree.files("Tests")
      + Tree.files("docs", ["md"])
    {
      for (index, line) in file.lines.enumerated() {
        for place in places where line.contains("\"\(place)") || line.contains(" \(place)") {
          Issue.record("\(file):\(index + 1): \(place) is a place of one machine")
        }
      }
    }
  }

  @Test func `Foundation stays out of Base, Domain, Platform, Bridges and Services`() throws {
    for shelf in ["Base", "Bridges", "Contracts", "Domain", "Platform", "Services"] {
      for file in try Tree.files("Sources/\(shelf)") {
        for (index, line) in file.lines.enumerated()
        where line.hasSuffix("import Foundation") || line.hasSuffix("import FoundationEssentials") {
          Issue.record("\(file):\(index + 1): Foundation costs 60 MB of disk and 11 of memory")
        }
      }
    }
  }

  @Test func `money is never a Double`() throws {
    for folder in ["Base/Units", "Domain/Orders", "Domain/OrderBook", "Domain/Risk", "Domain/Execution",
      "Domain/Portfolio", "Domain/Venue"]
    {
      for file in try Tree.files("Sources/\(folder)") {
        for (index, line) in file.lines.enumerated() {
          let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
          let words = code.split { !$0.isLetter && !$0.isNumber }
          if words.contains("Double") || words.contains("Float") {
            Issue.record("\(file):\(index + 1): integers with a scale, from Units")
          }
        }
      }
    }
  }

  @Test func `domain code has no clock, no chance, no threads and no I-O of its own`() throws {
    let banned = [
      "SystemTime(", "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator",
      ".random(in", "import Glibc", "import Synchronization", "Task {", "Task.detached", "print(",
    ]
    for file in try Tree.files("Sources/Domain") {
      for (index, line) in file.lines.enumerated() {
        for word in banned where line.contains(word) {
          Issue.record("\(file):\(index + 1): \(word) here; take it as an argument")
        }
      }
    }
  }

  @Test func `print is for nobody: logs go through Telemetry, answers through the commands`() throws {
    for file in try Tree.files("Sources") where !file.path.hasPrefix("Sources/Apps") {
      for (index, line) in file.lines.enumerated() where line.contains(" print(") {
        Issue.record("\(file):\(index + 1): print is block-buffered and lost on a crash")
      }
    }
  }

  @Test func `every unchecked Sendable says why it is safe`() throws {
    for file in try Tree.files("Sources") {
      for (index, line) in file.lines.enumerated() where line.contains("@unchecked Sendable {") {
        let around = file.lines[max(0, index - 20)...index].joined(separator: "\n")
        if !around.contains("///") && !around.contains("//") {
          Issue.record("\(file):\(index + 1): prove it in a comment above")
        }
      }
    }
  }
}
