/// Where a function begins, and how many lines of code it has.
struct FunctionSpan: Sendable {
  /// From 1.
  let line: Int
  /// Blank lines and comments are not counted.
  let codeLines: Int

  private static let openers: Set<Substring> = ["func", "init", "deinit", "subscript"]

  /// Functions of a file, by counting braces. It knows no grammar: a function whose braces do not come
  /// out even is left out.
  static func all(in code: [String]) -> [FunctionSpan] {
    code.indices.filter { begins(code[$0]) }.compactMap { first in
      guard let last = end(of: code, from: first) else { return nil }
      let filled = code[first...last].count { !$0.allSatisfy(\.isWhitespace) }
      return FunctionSpan(line: first + 1, codeLines: filled)
    }
  }

  private static func begins(_ line: String) -> Bool {
    let head = line.prefix { $0 != "(" && $0 != "<" && $0 != "{" && $0 != "=" && $0 != "." }
    let words = head.split(separator: " ")
    guard
      let word = words.first(where: {
        openers.contains($0) || openers.contains($0.prefix { $0 != "?" })
      })
    else { return false }
    // `init` as a call is preceded by a dot or a type, a declaration by modifiers only.
    return word == "func" || words.last == word || words.dropLast().last == "func"
  }

  private static func end(of code: [String], from first: Int) -> Int? {
    var (braces, parentheses, isOpen) = (0, 0, false)
    for index in first..<code.count {
      for character in code[index] {
        switch character {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{" where isOpen || parentheses == 0:
          isOpen = true
          braces += 1
        case "}" where isOpen:
          braces -= 1
          if braces == 0 { return index }
        default: break
        }
      }
      // A requirement of a protocol has no body.
      if !isOpen, parentheses == 0, index + 1 < code.count, endsHead(code[index + 1]) { return nil }
    }
    return nil
  }

  private static func endsHead(_ next: String) -> Bool {
    let trimmed = next.drop { $0 == " " }
    return trimmed.isEmpty || trimmed.hasPrefix("}") || begins(next)
  }
}
