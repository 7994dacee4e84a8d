internal import Wire

/// Reads a FileDescriptorProto. Field numbers are those of google/protobuf/descriptor.proto.
struct SchemaReader {
  private let package: String
  /// SourceCodeInfo's path of each commented declaration: `[4, 0, 2, 1]` is message 0's field 1.
  private let comments: [[Int32]: String]

  static func read(_ bytes: [UInt8]) throws -> FileSchema {
    let raw = try RawMessage(bytes)
    let reader = SchemaReader(
      package: raw.text(2), comments: try readComments(try raw.message(9)))
    var file = FileSchema()
    file.name = raw.text(1)
    file.package = raw.text(2)
    file.dependencies = raw.texts(3)
    for (index, message) in try raw.messages(4).enumerated() {
      file.messages.append(
        try reader.message(message, in: reader.package, path: [4, Int32(index)]))
    }
    for (index, declaration) in try raw.messages(5).enumerated() {
      file.enums.append(
        try reader.enumeration(declaration, in: reader.package, path: [5, Int32(index)]))
    }
    for (index, service) in try raw.messages(6).enumerated() {
      file.services.append(try reader.service(service, path: [6, Int32(index)]))
    }
    for (index, field) in try raw.messages(7).enumerated() {
      file.extensions.append(try reader.field(field, path: [7, Int32(index)]))
    }
    file.descriptor = try withoutLocations(bytes)
    return file
  }

  /// Everything but field 9, source_code_info, byte for byte.
  private static func withoutLocations(_ bytes: [UInt8]) throws(WireError) -> [UInt8] {
    var kept: [UInt8] = []
    try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
      var reader = WireReader(UnsafeRawBufferPointer(buffer))
      while true {
        let began = reader.offset
        let tag = try reader.tag()
        if tag == 0 { return }
        try reader.skip(tag)
        if tag >> 3 != 9 { kept += bytes[began..<reader.offset] }
      }
    }
    return kept
  }

  private static func readComments(_ info: RawMessage) throws -> [[Int32]: String] {
    var comments: [[Int32]: String] = [:]
    for location in try info.messages(1) {
      let text = location.text(3).isEmpty ? location.text(4) : location.text(3)
      if !text.isEmpty { comments[try location.numbers(1)] = text }
    }
    return comments
  }

  private func comment(_ path: [Int32]) -> String { comments[path] ?? "" }

  private func join(_ scope: String, _ name: String) -> String {
    scope.isEmpty ? name : "\(scope).\(name)"
  }

  private func message(
    _ raw: RawMessage, in scope: String, path: [Int32]
  ) throws -> MessageSchema {
    var message = MessageSchema()
    message.name = raw.text(1)
    message.fullName = join(scope, message.name)
    message.comment = comment(path)
    for (index, field) in try raw.messages(2).enumerated() {
      message.fields.append(try self.field(field, path: path + [2, Int32(index)]))
    }
    for (index, nested) in try raw.messages(3).enumerated() {
      message.messages.append(
        try self.message(nested, in: message.fullName, path: path + [3, Int32(index)]))
    }
    for (index, nested) in try raw.messages(4).enumerated() {
      message.enums.append(
        try enumeration(nested, in: message.fullName, path: path + [4, Int32(index)]))
    }
    message.oneofs = try raw.messages(8).map { $0.text(1) }
    message.isMapEntry = try raw.message(7).number(7) == 1
    return message
  }

  private func field(_ raw: RawMessage, path: [Int32]) throws -> FieldSchema {
    var field = FieldSchema()
    field.name = raw.text(1)
    field.comment = comment(path)
    field.number = UInt32(raw.number(3) ?? 0)
    field.isRepeated = raw.number(4) == 3
    guard let kind = FieldKind(rawValue: raw.number(5) ?? 0), kind != .group else {
      throw GenerationError("field \(field.name) has a type that proto3 does not")
    }
    guard raw.number(17) != 1 else {
      throw GenerationError(
        "field \(field.name) is `optional`, which protoc-c refuses: use a oneof")
    }
    guard field.name != "base" else {
      throw GenerationError("a field may not be called base: protoc-c's structs begin with one")
    }
    field.kind = kind
    field.typeName = String(raw.text(6).drop { $0 == "." })
    field.extendee = String(raw.text(2).drop { $0 == "." })
    field.oneof = raw.number(9).map(Int.init)
    return field
  }

  private func enumeration(
    _ raw: RawMessage, in scope: String, path: [Int32]
  ) throws -> EnumSchema {
    var declaration = EnumSchema()
    declaration.name = raw.text(1)
    declaration.fullName = join(scope, declaration.name)
    declaration.comment = comment(path)
    for (index, value) in try raw.messages(2).enumerated() {
      declaration.values.append(
        (value.text(1), Int32(value.number(2) ?? 0), comment(path + [2, Int32(index)])))
    }
    return declaration
  }

  private func service(_ raw: RawMessage, path: [Int32]) throws -> ServiceSchema {
    var service = ServiceSchema()
    service.name = raw.text(1)
    service.fullName = join(package, service.name)
    service.comment = comment(path)
    for (index, method) in try raw.messages(2).enumerated() {
      var schema = MethodSchema()
      schema.name = method.text(1)
      schema.comment = comment(path + [2, Int32(index)])
      schema.input = String(method.text(2).drop { $0 == "." })
      schema.output = String(method.text(3).drop { $0 == "." })
      schema.requestsStream = method.number(5) == 1
      schema.responsesStream = method.number(6) == 1
      let options = try method.message(4)
      // idempotency_level: 1 is NO_SIDE_EFFECTS, 2 is IDEMPOTENT.
      schema.isIdempotent = (options.number(34) ?? 0) > 0
      schema.options = options
      service.methods.append(schema)
    }
    return service
  }
}
