/// Swift text without what is not code: comments go, and strings keep their quotes only, so that
/// braces and words inside them count for nothing. Lines stay lines.
enum CodeText {
  static func of(_ lines: [Substring]) -> [String] {
    var state = State.code
    return lines.map { strip(Array($0.utf8), &state) }
  }

  private enum State { case code, string, longString, comment }

  private static let quote = UInt8(ascii: "\"")
  private static let slash = UInt8(ascii: "/")
  private static let star = UInt8(ascii: "*")
  private static let backslash = UInt8(ascii: "\\")

  private static func strip(_ line: [UInt8], _ state: inout State) -> String {
    var code: [UInt8] = []
    var index = 0
    func follows(_ first: UInt8, _ second: UInt8) -> Bool {
      index + 1 < line.count && line[index] == first && line[index + 1] == second
    }
    while index < line.count {
      let isLongQuote = follows(quote, quote) && index + 2 < line.count && line[index + 2] == quote
      switch state {
      case .longString where isLongQuote, .code where isLongQuote:
        state = state == .code ? .longString : .code
        index += 3
      case .longString: index += 1
      case .comment:
        if follows(star, slash) { state = .code }
        index += state == .code ? 2 : 1
      case .string:
        if line[index] == quote {
          state = .code
          code.append(quote)
        }
        index += line[index] == backslash ? 2 : 1
      case .code:
        if follows(slash, slash) { return String(decoding: code, as: UTF8.self) }
        if follows(slash, star) {
          state = .comment
          index += 2
          continue
        }
        if line[index] == quote { state = .string }
        code.append(line[index])
        index += 1
      }
    }
    // A string ends with its line: what looks like a quote may stand in a raw string.
    if state == .string { state = .code }
    return String(decoding: code, as: UTF8.self)
  }
}
