/// A path of google.api.http, parsed:
///
///     Template = "/" [ Segment { "/" Segment } ] [ ":" Verb ]
///     Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
///
/// `**` stands once, and only literals may follow it (as Envoy's library has it; http.proto itself
/// wants it last).
package struct PathTemplate: Sendable {
  package enum Segment: Sendable, Hashable {
    case literal(String)
    case any
    case rest
  }

  /// Which segments of a matched path make a field's value.
  package struct Variable: Sendable, Hashable {
    package let field: String
    package let start: Int
    /// One past the last; counted from the path's end, as 0 and below, when `**` stands before it.
    package let end: Int
    package let endCountsBackwards: Bool
    /// More than one segment, or as many as there are: an escaped slash in it stays escaped.
    package let isMultiple: Bool
  }

  package private(set) var segments: [Segment] = []
  package private(set) var variables: [Variable] = []
  package private(set) var verb = ""

  package init(_ text: String) throws(RouteError) {
    func refuse(_ problem: String) -> RouteError { .badTemplate(text, problem) }
    guard text.first == "/" else { throw refuse("does not begin with a slash") }
    var rest = text.dropFirst()
    if rest.isEmpty { return }
    while true {
      let segment = try Self.cutSegment(&rest, of: text)
      if segment.first == "{" {
        guard segment.last == "}" else { throw refuse("has text after a variable in one segment") }
        try addVariable(segment.dropFirst().dropLast(), of: text)
      } else {
        try add(segment, of: text)
      }
      guard let next = rest.popFirst() else { break }
      if next == ":" {
        verb = String(rest)
        guard Self.isLiteral(rest) else { throw refuse("has an empty or malformed verb") }
        break
      }
    }
    try check(text)
  }

  /// Up to the next slash outside braces, or to the colon of the verb in the last segment.
  private static func cutSegment(
    _ rest: inout Substring, of text: String
  ) throws(RouteError) -> Substring {
    var depth = 0
    var end = rest.startIndex
    while end < rest.endIndex {
      let character = rest[end]
      if character == "{" { depth += 1 }
      if character == "}" { depth -= 1 }
      guard (0...1).contains(depth) else { throw .badTemplate(text, "has unbalanced braces") }
      if depth == 0, character == "/" { break }
      if depth == 0, character == ":", !rest[end...].contains("/") { break }
      end = rest.index(after: end)
    }
    guard depth == 0 else { throw .badTemplate(text, "has unbalanced braces") }
    let segment = rest[..<end]
    rest = rest[end...]
    return segment
  }

  private mutating func add(_ segment: Substring, of text: String) throws(RouteError) {
    switch segment {
    case "*": segments.append(.any)
    case "**": segments.append(.rest)
    default:
      guard Self.isLiteral(segment) else {
        throw .badTemplate(text, "has the malformed segment \"\(segment)\"")
      }
      segments.append(.literal(String(segment)))
    }
  }

  private mutating func addVariable(_ content: Substring, of text: String) throws(RouteError) {
    let field = content.prefix { $0 != "=" }
    let names = field.split(separator: ".", omittingEmptySubsequences: false)
    guard names.allSatisfy(Self.isName) else {
      throw .badTemplate(text, "has the malformed variable \"\(content)\"")
    }
    let start = segments.count
    if field.endIndex == content.endIndex {
      segments.append(.any)
    } else {
      let pattern = content[field.endIndex...].dropFirst()
      for part in pattern.split(separator: "/", omittingEmptySubsequences: false) {
        guard !part.contains(":") else {
          throw .badTemplate(text, "has a colon inside the variable \(field)")
        }
        try add(part, of: text)
      }
    }
    let own = segments[start...]
    variables.append(
      Variable(
        field: String(field), start: start, end: segments.count, endCountsBackwards: false,
        isMultiple: own.count > 1 || own.contains(.rest)))
  }

  /// After all segments are known: `**` once, literals after it, ends counted from the right side.
  private mutating func check(_ text: String) throws(RouteError) {
    guard let rest = segments.firstIndex(of: .rest) else { return }
    for segment in segments[(rest + 1)...] {
      guard case .literal = segment else {
        throw .badTemplate(text, "has a wildcard after **")
      }
    }
    let count = segments.count
    variables = variables.map { variable in
      guard variable.end > rest else { return variable }
      return Variable(
        field: variable.field, start: variable.start, end: variable.end - count,
        endCountsBackwards: true, isMultiple: variable.isMultiple)
    }
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, first > UInt8(ascii: "9") else { return false }
    return text.utf8.allSatisfy(isWord)
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// RFC 3986's pchar but the asterisk, which means something here.
  private static func isLiteral(_ text: Substring) -> Bool {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { return false }
    let marks = Array("-._~!$&'()+,;=:@".utf8)
    for (index, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "%") {
        guard index + 2 < bytes.count, hexadecimal(bytes[index + 1]) != nil,
          hexadecimal(bytes[index + 2]) != nil
        else { return false }
      } else if !isWord(byte), !marks.contains(byte) {
        return false
      }
    }
    return true
  }
}

/// Why a set of routes is refused at start.
package enum RouteError: Error, Sendable, Hashable, CustomStringConvertible {
  case badTemplate(String, String)
  /// Two routes that match the same requests.
  case conflict(String, String)
  /// A route that its request message cannot fill.
  case unfit(String, String)

  package var description: String {
    switch self {
    case .badTemplate(let template, let problem): "the path template \"\(template)\" \(problem)"
    case .conflict(let left, let right): "\(left) and \(right) match the same requests"
    case .unfit(let route, let problem): "\(route) \(problem)"
    }
  }
}
