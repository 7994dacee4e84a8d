internal import CContracts

/// Every message and enum of the contracts, read once from protoc-c's descriptors.
struct Schema: Sendable {
  static let contracts = Schema()

  let messages: [MessageType]
  let enums: [EnumType]
  private let byName: [String: Int]

  private init() {
    let enumDescriptors = (0..<ccontracts_enums_count).map { ccontracts_enum_at($0)! }
    let descriptors = (0..<ccontracts_messages_count).map { ccontracts_message_at($0)! }
    var enumIndex: [UnsafeRawPointer: Int] = [:]
    for (index, descriptor) in enumDescriptors.enumerated() {
      enumIndex[UnsafeRawPointer(descriptor)] = index
    }
    var messageIndex: [UnsafeRawPointer: Int] = [:]
    for (index, descriptor) in descriptors.enumerated() {
      messageIndex[UnsafeRawPointer(descriptor)] = index
    }
    enums = enumDescriptors.map { EnumType($0.pointee) }
    messages = descriptors.enumerated().map { index, descriptor in
      MessageType(descriptor, index: index, messageIndex, enumIndex)
    }
    byName = Dictionary(uniqueKeysWithValues: messages.enumerated().map { ($1.name, $0) })
  }

  func message(named name: String) -> MessageType? { byName[name].map { messages[$0] } }
}

/// Messages whose JSON is not an object of their fields.
enum WellKnown: String, Sendable {
  case timestamp = "google.protobuf.Timestamp"
  case duration = "google.protobuf.Duration"
  case fieldMask = "google.protobuf.FieldMask"
  case any = "google.protobuf.Any"
  case decimal = "shrivenquant.type.v1.Decimal"
  /// google.protobuf.StringValue and its siblings: the JSON of their only field.
  case wrapper

  private static let wrappers: Set<String> = Set(
    ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"]
      .map { "google.protobuf.\($0)Value" })

  init?(message name: String) {
    if Self.wrappers.contains(name) {
      self = .wrapper
    } else {
      self.init(rawValue: name)
    }
  }
}

struct MessageType: Sendable {
  let name: String
  let index: Int
  /// In order of number.
  let fields: [FieldType]
  let wellKnown: WellKnown?
  let isMapEntry: Bool
  private let slotByNumber: [UInt32: Int]
  private let slotByName: [String: Int]

  init(
    _ pointer: UnsafePointer<ProtobufCMessageDescriptor>, index: Int,
    _ messages: [UnsafeRawPointer: Int], _ enums: [UnsafeRawPointer: Int]
  ) {
    let descriptor = pointer.pointee
    self.name = String(cString: descriptor.name)
    self.index = index
    self.wellKnown = WellKnown(message: name)
    self.isMapEntry = ccontracts_is_map_entry(pointer) != 0
    self.fields = (0..<Int(descriptor.n_fields)).map {
      FieldType(descriptor.fields[$0], messages, enums)
    }
    var byNumber: [UInt32: Int] = [:]
    var byName: [String: Int] = [:]
    for (slot, field) in fields.enumerated() {
      byNumber[field.number] = slot
      byName[field.name] = slot
      byName[field.jsonName] = slot
    }
    slotByNumber = byNumber
    slotByName = byName
  }

  func slot(number: UInt32) -> Int? { slotByNumber[number] }

  /// Both spellings: `order_id` and `orderId`.
  func slot(named name: String) -> Int? { slotByName[name] }
}

struct FieldType: Sendable {
  enum Kind: Sendable, Equatable {
    case double, float, int32, sint32, sfixed32, int64, sint64, sfixed64
    case uint32, fixed32, uint64, fixed64, bool, text, bytes
    case enumeration(Int)
    case message(Int)
  }

  let name: String
  let jsonName: String
  let number: UInt32
  let kind: Kind
  let isRepeated: Bool
  /// Members of one oneof share this; nil for other fields.
  let oneof: UInt32?

  init(
    _ field: ProtobufCFieldDescriptor, _ messages: [UnsafeRawPointer: Int],
    _ enums: [UnsafeRawPointer: Int]
  ) {
    name = String(cString: field.name)
    jsonName = lowerCamel(name)
    number = field.id
    isRepeated = field.label == PROTOBUF_C_LABEL_REPEATED
    // The offset of the oneof's discriminator: the same for its members, another for each oneof.
    oneof = field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0 ? field.quantifier_offset : nil
    kind =
      switch field.type {
      case PROTOBUF_C_TYPE_DOUBLE: .double
      case PROTOBUF_C_TYPE_FLOAT: .float
      case PROTOBUF_C_TYPE_INT32: .int32
      case PROTOBUF_C_TYPE_SINT32: .sint32
      case PROTOBUF_C_TYPE_SFIXED32: .sfixed32
      case PROTOBUF_C_TYPE_INT64: .int64
      case PROTOBUF_C_TYPE_SINT64: .sint64
      case PROTOBUF_C_TYPE_SFIXED64: .sfixed64
      case PROTOBUF_C_TYPE_UINT32: .uint32
      case PROTOBUF_C_TYPE_FIXED32: .fixed32
      case PROTOBUF_C_TYPE_UINT64: .uint64
      case PROTOBUF_C_TYPE_FIXED64: .fixed64
      case PROTOBUF_C_TYPE_BOOL: .bool
      case PROTOBUF_C_TYPE_STRING: .text
      case PROTOBUF_C_TYPE_BYTES: .bytes
      case PROTOBUF_C_TYPE_ENUM: .enumeration(enums[field.descriptor]!)
      default: .message(messages[field.descriptor]!)
      }
  }

  var isMessage: Bool { if case .message = kind { true } else { false } }
}

struct EnumType: Sendable {
  let name: String
  private let names: [Int32: String]
  private let numbers: [String: Int32]

  init(_ descriptor: ProtobufCEnumDescriptor) {
    name = String(cString: descriptor.name)
    var names: [Int32: String] = [:]
    var numbers: [String: Int32] = [:]
    for index in 0..<Int(descriptor.n_values) {
      names[descriptor.values[index].value] = String(cString: descriptor.values[index].name)
    }
    for index in 0..<Int(descriptor.n_value_names) {
      let entry = descriptor.values_by_name[index]
      numbers[String(cString: entry.name)] = descriptor.values[Int(entry.index)].value
    }
    self.names = names
    self.numbers = numbers
  }

  func name(of number: Int32) -> String? { names[number] }
  func number(of name: String) -> Int32? { numbers[name] }
}

/// As protoc's json_name: an underscore goes, the letter after it is raised.
func lowerCamel(_ name: String) -> String {
  var camel = ""
  var raises = false
  for character in name {
    if character == "_" {
      raises = true
    } else {
      camel += raises ? character.uppercased() : String(character)
      raises = false
    }
  }
  return camel
}
