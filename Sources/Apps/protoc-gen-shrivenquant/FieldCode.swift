/// The Swift spelling of one field: its type, and how a value is sized, written and read.
struct FieldCode {
  let field: FieldSchema
  let property: String
  /// Of one element.
  let elementType: String
  /// The codec of Wire for packed runs; nil for text, bytes and messages, which are never packed.
  let packedCodec: String?
  private let wireType: UInt32

  init(_ field: FieldSchema, _ index: SchemaIndex) {
    self.field = field
    self.property = SwiftName.property(field.name)
    switch field.kind {
    case .double: (elementType, packedCodec, wireType) = ("Double", "DoubleCodec", 1)
    case .float: (elementType, packedCodec, wireType) = ("Float", "FloatCodec", 5)
    case .int64: (elementType, packedCodec, wireType) = ("Int64", "Int64Codec", 0)
    case .uint64: (elementType, packedCodec, wireType) = ("UInt64", "UInt64Codec", 0)
    case .int32: (elementType, packedCodec, wireType) = ("Int32", "Int32Codec", 0)
    case .fixed64: (elementType, packedCodec, wireType) = ("UInt64", "Fixed64Codec", 1)
    case .fixed32: (elementType, packedCodec, wireType) = ("UInt32", "Fixed32Codec", 5)
    case .bool: (elementType, packedCodec, wireType) = ("Bool", "BoolCodec", 0)
    case .string: (elementType, packedCodec, wireType) = ("String", nil, 2)
    case .bytes: (elementType, packedCodec, wireType) = ("[UInt8]", nil, 2)
    case .uint32: (elementType, packedCodec, wireType) = ("UInt32", "UInt32Codec", 0)
    case .sfixed32: (elementType, packedCodec, wireType) = ("Int32", "SFixed32Codec", 5)
    case .sfixed64: (elementType, packedCodec, wireType) = ("Int64", "SFixed64Codec", 1)
    case .sint32: (elementType, packedCodec, wireType) = ("Int32", "SInt32Codec", 0)
    case .sint64: (elementType, packedCodec, wireType) = ("Int64", "SInt64Codec", 0)
    case .group, .message:
      (elementType, packedCodec, wireType) = (index.swiftType(field.typeName), nil, 2)
    case .enumeration:
      let type = index.swiftType(field.typeName)
      (elementType, packedCodec, wireType) = (type, "EnumCodec<\(type)>", 0)
    }
  }

  /// `number << 3 | type` of one element.
  var tag: UInt32 { field.number << 3 | wireType }
  var packedTag: UInt32 { field.number << 3 | 2 }

  var tagSize: Int {
    switch tag {
    case ..<(1 << 7): 1
    case ..<(1 << 14): 2
    case ..<(1 << 21): 3
    case ..<(1 << 28): 4
    default: 5
    }
  }

  var isMessage: Bool { field.kind == .message }

  /// Proto3's default of a singular field that is no message.
  var defaultValue: String {
    switch field.kind {
    case .bool: "false"
    case .string: "\"\""
    case .bytes: "[]"
    case .enumeration: "\(elementType)(rawValue: 0)"
    default: "0"
    }
  }

  /// Whether `value` is written when its presence is not tracked.
  func isSet(_ value: String) -> String {
    switch field.kind {
    case .double, .float: "\(value).bitPattern != 0"
    case .bool: value
    case .string, .bytes: "!\(value).isEmpty"
    case .enumeration: "\(value).rawValue != 0"
    default: "\(value) != 0"
    }
  }

  /// The bytes of one element, tag included.
  func size(_ value: String) -> String {
    let body =
      switch field.kind {
      case .double, .fixed64, .sfixed64: "8"
      case .float, .fixed32, .sfixed32: "4"
      case .bool: "1"
      case .string: "WireSize.text(\(value))"
      case .bytes: "WireSize.counted(\(value).count)"
      case .message, .group: "WireSize.message(\(value))"
      default: "WireSize.varint(\(bits(value)))"
      }
    return "\(tagSize) + \(body)"
  }

  func write(_ value: String) -> String {
    switch field.kind {
    case .double, .fixed64, .sfixed64: "writer.fixed64(\(tag), \(bits(value)))"
    case .float, .fixed32, .sfixed32: "writer.fixed32(\(tag), \(bits(value)))"
    case .string: "writer.text(\(tag), \(value))"
    case .bytes: "writer.bytes(\(tag), \(value))"
    case .message, .group: "writer.message(\(tag), \(value))"
    default: "writer.varint(\(tag), \(bits(value)))"
    }
  }

  /// Reads one element that is no message.
  var read: String {
    switch field.kind {
    case .double: "try reader.double()"
    case .float: "try reader.float()"
    case .int64: "try reader.int64()"
    case .uint64: "try reader.uint64()"
    case .int32: "try reader.int32()"
    case .fixed64: "try reader.fixed64()"
    case .fixed32: "try reader.fixed32()"
    case .bool: "try reader.bool()"
    case .string: "try reader.text()"
    case .bytes: "try reader.bytes()"
    case .uint32: "try reader.uint32()"
    case .enumeration: "try reader.enumeration()"
    case .sfixed32: "try reader.sfixed32()"
    case .sfixed64: "try reader.sfixed64()"
    case .sint32: "try reader.sint32()"
    case .sint64: "try reader.sint64()"
    case .message, .group: "try reader.message()"
    }
  }

  private func bits(_ value: String) -> String {
    switch field.kind {
    case .double, .float: "\(value).bitPattern"
    case .int64, .sfixed64: "UInt64(bitPattern: \(value))"
    case .int32: "UInt64(bitPattern: Int64(\(value)))"
    case .uint32: "UInt64(\(value))"
    case .bool: "\(value) ? 1 : 0"
    case .sfixed32: "UInt32(bitPattern: \(value))"
    case .sint32, .sint64: "zigzag(\(value))"
    case .enumeration: "UInt64(bitPattern: Int64(\(value).rawValue))"
    default: value
    }
  }
}
