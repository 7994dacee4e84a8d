/// Writes a message as a struct with its codec.
struct MessageWriter {
  private enum Shape {
    case single, optional, repeated, packed
    /// A message that holds itself: kept in an array of at most one.
    case boxed
    case map(key: FieldCode, value: FieldCode)
    case member(of: Int)
  }

  private let message: MessageSchema
  private let index: SchemaIndex
  /// In order of number, as they are written.
  private let fields: [(code: FieldCode, shape: Shape)]

  init(_ message: MessageSchema, _ index: SchemaIndex) {
    self.message = message
    self.index = index
    self.fields = message.fields.sorted { $0.number < $1.number }.map { field in
      let code = FieldCode(field, index)
      if let oneof = field.oneof { return (code, .member(of: oneof)) }
      if let entry = index.mapEntry(field) {
        return (
          code,
          .map(key: FieldCode(entry.fields[0], index), value: FieldCode(entry.fields[1], index))
        )
      }
      if field.isRepeated { return (code, code.packedCodec == nil ? .repeated : .packed) }
      guard code.isMessage else { return (code, .single) }
      return (code, index.holds(field.typeName, message.fullName) ? .boxed : .optional)
    }
  }

  func write(_ out: inout SwiftText) {
    out.comment(message.comment)
    out.block("package struct \(SwiftName.type(message.name)): Message") { out in
      out.line("package static let typeName = \(SwiftText.literal(message.fullName))")
      writeProperties(&out)
      out.line("package var unknownFields = UnknownFields()")
      out.line()
      out.line("package init() {}")
      out.line()
      writeSize(&out)
      out.line()
      writeEncode(&out)
      out.line()
      writeMerge(&out)
      for declaration in message.enums {
        out.line()
        EnumWriter(declaration).write(&out)
      }
      for oneof in message.oneofs.indices {
        out.line()
        writeOneof(oneof, &out)
      }
      for nested in message.messages {
        out.line()
        MessageWriter(nested, index).write(&out)
      }
    }
  }

  private func oneofType(_ oneof: Int) -> String { SwiftName.upperCamel(message.oneofs[oneof]) }

  private func oneofProperty(_ oneof: Int) -> String { SwiftName.property(message.oneofs[oneof]) }

  private func members(_ oneof: Int) -> [FieldCode] {
    fields.compactMap { if case .member(oneof) = $0.shape { $0.code } else { nil } }
  }

  private func storage(_ code: FieldCode) -> String {
    SwiftName.lowerCamel(code.field.name) + "Box"
  }

  private func writeProperties(_ out: inout SwiftText) {
    var written: Set<Int> = []
    for (code, shape) in fields {
      if case .member(let oneof) = shape {
        guard written.insert(oneof).inserted else { continue }
        out.line("package var \(oneofProperty(oneof)): \(oneofType(oneof))?")
        continue
      }
      out.comment(code.field.comment)
      let head = "package var \(code.property)"
      switch shape {
      case .single: out.line("\(head): \(code.elementType) = \(code.defaultValue)")
      case .optional: out.line("\(head): \(code.elementType)?")
      case .repeated, .packed: out.line("\(head): [\(code.elementType)] = []")
      case .map(let key, let value):
        out.line("\(head): [\(key.elementType): \(value.elementType)] = [:]")
      case .boxed:
        out.block("\(head): \(code.elementType)?") { out in
          out.line("get { \(storage(code)).first }")
          out.line("set { \(storage(code)) = newValue.map { [$0] } ?? [] }")
        }
        out.line("private var \(storage(code)): [\(code.elementType)] = []")
      case .member: break
      }
    }
  }

  private func writeOneof(_ oneof: Int, _ out: inout SwiftText) {
    let members = members(oneof)
    let holdsItself = members.contains {
      $0.isMessage && index.holds($0.field.typeName, message.fullName)
    }
    let head = holdsItself ? "package indirect enum" : "package enum"
    out.block("\(head) \(oneofType(oneof)): Sendable, Equatable") { out in
      for code in members {
        out.comment(code.field.comment)
        out.line("case \(code.property)(\(code.elementType))")
      }
    }
  }

  private func writeSize(_ out: inout SwiftText) {
    guard !fields.isEmpty else {
      out.line("package var encodedSize: Int { self.unknownFields.bytes.count }")
      return
    }
    out.block("package var encodedSize: Int") { out in
      out.line("var size = self.unknownFields.bytes.count")
      var written: Set<Int> = []
      for (code, shape) in fields {
        let value = "self.\(code.property)"
        switch shape {
        case .single: out.line("if \(code.isSet(value)) { size += \(code.size(value)) }")
        case .optional, .boxed:
          out.line("if let value = \(value) { size += \(code.size("value")) }")
        case .packed:
          out.line("size += WireSize.packed(\(code.tagSize), \(value), \(code.packedCodec!).self)")
        case .repeated where code.isMessage:
          out.line("size += WireSize.messages(\(code.tagSize), \(value))")
        case .repeated: out.line("for value in \(value) { size += \(code.size("value")) }")
        case .map:
          out.block("for (key, value) in \(value)") { out in
            out.line("size += \(code.size("\(code.elementType)(key, value)"))")
          }
        case .member(let oneof):
          guard written.insert(oneof).inserted else { continue }
          writeSwitch(oneof, &out) { "size += \($0.size("value"))" }
        }
      }
      out.line("return size")
    }
  }

  private func writeSwitch(
    _ oneof: Int, _ out: inout SwiftText, _ statement: (FieldCode) -> String
  ) {
    out.line("switch self.\(oneofProperty(oneof)) {")
    for code in members(oneof) {
      let statement = statement(code)
      // The size of a fixed-width member does not depend on its value.
      let binding = statement.contains("value") ? "(let value)" : ""
      out.line("case .\(code.property)\(binding)?: \(statement)")
    }
    out.line("case nil: break")
    out.line("}")
  }

  private func writeEncode(_ out: inout SwiftText) {
    out.block("package func encode(into writer: inout WireWriter)") { out in
      var written: Set<Int> = []
      for (code, shape) in fields {
        let value = "self.\(code.property)"
        switch shape {
        case .single: out.line("if \(code.isSet(value)) { \(code.write(value)) }")
        case .optional, .boxed: out.line("if let value = \(value) { \(code.write("value")) }")
        case .packed:
          out.line("writer.packed(\(code.packedTag), \(value), \(code.packedCodec!).self)")
        case .repeated where code.isMessage: out.line("writer.messages(\(code.tag), \(value))")
        case .repeated: out.line("for value in \(value) { \(code.write("value")) }")
        case .map:
          // Sorted, so that equal messages are equal bytes.
          out.block("for (key, value) in \(value).sorted(by: { $0.key < $1.key })") { out in
            out.line(code.write("\(code.elementType)(key, value)"))
          }
        case .member(let oneof):
          guard written.insert(oneof).inserted else { continue }
          writeSwitch(oneof, &out) { $0.write("value") }
        }
      }
      out.line("writer.unknown(self.unknownFields)")
    }
    guard message.isMapEntry else { return }
    let (key, value) = (FieldCode(message.fields[0], index), FieldCode(message.fields[1], index))
    out.line()
    out.block("init(_ key: \(key.elementType), _ value: \(value.elementType))") { out in
      out.line("self.key = key")
      out.line("self.value = value")
    }
  }

  private func writeMerge(_ out: inout SwiftText) {
    let head = "package mutating func merge(from reader: inout WireReader) throws(WireError)"
    out.block(head) { out in
      out.block("while true") { out in
        out.line("let tag = try reader.tag()")
        out.line("switch tag {")
        out.line("case 0: return")
        for (code, shape) in fields { writeCase(code, shape, &out) }
        out.line("default: try reader.unknown(tag, &self.unknownFields)")
        out.line("}")
      }
    }
  }

  private func writeCase(_ code: FieldCode, _ shape: Shape, _ out: inout SwiftText) {
    let target = "self.\(code.property)"
    switch shape {
    case .single: out.line("case \(code.tag): \(target) = \(code.read)")
    case .optional: out.line("case \(code.tag): try reader.message(&\(target))")
    case .boxed: out.line("case \(code.tag): try reader.message(&\(target))")
    case .repeated where code.isMessage:
      out.line("case \(code.tag): try reader.message(appendingTo: &\(target))")
    case .repeated: out.line("case \(code.tag): \(target).append(\(code.read))")
    case .packed:
      out.line("case \(code.tag): \(target).append(\(code.read))")
      out.line(
        "case \(code.packedTag): try reader.packed(&\(target), \(code.packedCodec!).self)")
    case .map(_, let value):
      out.line("case \(code.tag):")
      out.line("  var entry = \(code.elementType)()")
      out.line("  try reader.message(&entry)")
      let entryValue = value.isMessage ? "entry.value ?? \(value.elementType)()" : "entry.value"
      out.line("  \(target)[entry.key] = \(entryValue)")
    case .member(let oneof) where code.isMessage:
      out.line("case \(code.tag):")
      out.line("  var value = \(code.elementType)()")
      out.line(
        "  if case .\(code.property)(let known)? = self.\(oneofProperty(oneof)) { value = known }")
      out.line("  try reader.message(&value)")
      out.line("  self.\(oneofProperty(oneof)) = .\(code.property)(value)")
    case .member(let oneof):
      out.line("case \(code.tag): self.\(oneofProperty(oneof)) = .\(code.property)(\(code.read))")
    }
  }
}
