/// Writes a proto enum as a Swift enum that keeps unknown numbers.
struct EnumWriter {
  private let declaration: EnumSchema

  init(_ declaration: EnumSchema) { self.declaration = declaration }

  func write(_ out: inout SwiftText) {
    var seen: Set<Int32> = []
    // An alias (the same number again) reads as the first name.
    let values = declaration.values.filter { seen.insert($0.number).inserted }.map {
      (
        name: SwiftName.enumCase($0.name, of: declaration.name), number: $0.number,
        comment: $0.comment
      )
    }
    out.comment(declaration.comment)
    out.block("package enum \(SwiftName.type(declaration.name)): OpenEnum, CaseIterable") { out in
      for value in values {
        out.comment(value.comment)
        out.line("case \(value.name)")
      }
      out.line("/// A number that this version of the schema does not name.")
      out.line("case unrecognized(Int32)")
      out.line()
      out.line(
        "package static let allCases: [Self] = ["
          + values.map { ".\($0.name)" }.joined(separator: ", ") + "]")
      out.line()
      out.block("package init(rawValue: Int32)") { out in
        out.line("switch rawValue {")
        for value in values { out.line("case \(value.number): self = .\(value.name)") }
        out.line("default: self = .unrecognized(rawValue)")
        out.line("}")
      }
      out.line()
      out.block("package var rawValue: Int32") { out in
        out.line("switch self {")
        for value in values { out.line("case .\(value.name): \(value.number)") }
        out.line("case .unrecognized(let number): number")
        out.line("}")
      }
    }
  }
}
