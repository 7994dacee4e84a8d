/// What descriptor.proto says of the files, as far as code generation needs it.
struct FileSchema {
  var name = ""
  var package = ""
  var dependencies: [String] = []
  var messages: [MessageSchema] = []
  var enums: [EnumSchema] = []
  var services: [ServiceSchema] = []
  var extensions: [FieldSchema] = []
  /// The FileDescriptorProto without its source locations.
  var descriptor: [UInt8] = []
}

struct MessageSchema {
  var name = ""
  /// `shrivenquant.oms.v1.Order`, without the leading dot.
  var fullName = ""
  var comment = ""
  var fields: [FieldSchema] = []
  var oneofs: [String] = []
  var messages: [MessageSchema] = []
  var enums: [EnumSchema] = []
  var isMapEntry = false
}

struct FieldSchema {
  var name = ""
  var comment = ""
  var number: UInt32 = 0
  var isRepeated = false
  var kind: FieldKind = .int32
  /// Full name of the message or enum, without the leading dot.
  var typeName = ""
  /// The message that an extension extends.
  var extendee = ""
  var oneof: Int?
}

/// FieldDescriptorProto.Type.
enum FieldKind: Int64 {
  case double = 1
  case float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message, bytes, uint32
  case enumeration, sfixed32, sfixed64, sint32, sint64
}

struct EnumSchema {
  var name = ""
  var fullName = ""
  var comment = ""
  var values: [(name: String, number: Int32, comment: String)] = []
}

struct ServiceSchema {
  var name = ""
  var fullName = ""
  var comment = ""
  var methods: [MethodSchema] = []
}

struct MethodSchema {
  var name = ""
  var comment = ""
  var input = ""
  var output = ""
  var requestsStream = false
  var responsesStream = false
  var isIdempotent = false
  var options: RawMessage?
}

/// Why no code is generated; printed by protoc with the file's name.
struct GenerationError: Error {
  let text: String

  init(_ text: String) { self.text = text }
}
