internal import Wire

/// A message of a type that is known at run time only: one slot for each field of its type.
struct DynamicMessage {
  let type: MessageType
  private(set) var slots: [DynamicValue?]

  init(_ type: MessageType) {
    self.type = type
    self.slots = Array(repeating: nil, count: type.fields.count)
  }

  subscript(_ slot: Int) -> DynamicValue? {
    get { slots[slot] }
    set { slots[slot] = newValue }
  }

  /// The member of a field's oneof that is set, if it is another than the field.
  func rival(of slot: Int) -> Int? {
    guard let oneof = type.fields[slot].oneof else { return nil }
    return type.fields.indices.first {
      $0 != slot && type.fields[$0].oneof == oneof && slots[$0] != nil
    }
  }
}

/// A field's value; its field says which integer or message it is.
indirect enum DynamicValue {
  case signed(Int64)
  case unsigned(UInt64)
  case real(Double)
  case bool(Bool)
  case text(String)
  case bytes([UInt8])
  case enumeration(Int32)
  case message(DynamicMessage)
  case list([DynamicValue])
}

// MARK: - From wire bytes

extension DynamicMessage {
  init(_ type: MessageType, decoding bytes: [UInt8], depth: Int = 0) throws(WireError) {
    self.init(type)
    try merge(bytes, depth: depth)
  }

  /// Unknown fields are dropped: JSON has no place for them.
  private mutating func merge(_ bytes: [UInt8], depth: Int) throws(WireError) {
    guard depth <= WireReader.depthMax else { throw .tooDeep(offset: 0) }
    try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
      var reader = WireReader(UnsafeRawBufferPointer(buffer))
      while true {
        let tag = try reader.tag()
        guard tag != 0 else { return }
        guard let slot = type.slot(number: tag >> 3) else {
          try reader.skip(tag)
          continue
        }
        try read(slot, tag, from: &reader, depth: depth)
      }
    }
  }

  private mutating func read(
    _ slot: Int, _ tag: UInt32, from reader: inout WireReader, depth: Int
  ) throws(WireError) {
    let field = type.fields[slot]
    let wireType = UInt8(tag & 7)
    if wireType == field.kind.wireType {
      var value: DynamicValue
      if case .message(let index) = field.kind {
        var nested = DynamicMessage(Schema.contracts.messages[index])
        if !field.isRepeated, case .message(let known)? = slots[slot] { nested = known }
        try nested.merge(try reader.bytes(), depth: depth + 1)
        value = .message(nested)
      } else {
        value = try field.kind.read(from: &reader)
      }
      if field.isRepeated { value = .list(elements(slot) + [value]) }
      set(slot, value)
    } else if field.isRepeated, wireType == 2, field.kind.isPackable {
      var elements = elements(slot)
      try readPacked(field.kind, try reader.bytes(), into: &elements)
      set(slot, .list(elements))
    } else {
      try reader.skip(tag)
    }
  }

  private func readPacked(
    _ kind: FieldType.Kind, _ run: [UInt8], into elements: inout [DynamicValue]
  ) throws(WireError) {
    try run.withUnsafeBufferPointer { (buffer) throws(WireError) in
      var reader = WireReader(UnsafeRawBufferPointer(buffer))
      while reader.offset < buffer.count { elements.append(try kind.read(from: &reader)) }
    }
  }

  func elements(_ slot: Int) -> [DynamicValue] {
    if case .list(let elements)? = slots[slot] { elements } else { [] }
  }

  /// Sets a field; the last member of a oneof wins.
  mutating func set(_ slot: Int, _ value: DynamicValue) {
    if let rival = rival(of: slot) { slots[rival] = nil }
    slots[slot] = value
  }
}

extension FieldType.Kind {
  var wireType: UInt8 {
    switch self {
    case .double, .fixed64, .sfixed64: 1
    case .float, .fixed32, .sfixed32: 5
    case .text, .bytes, .message: 2
    default: 0
    }
  }

  var isPackable: Bool { wireType != 2 }

  fileprivate func read(from reader: inout WireReader) throws(WireError) -> DynamicValue {
    switch self {
    case .double: .real(try reader.double())
    case .float: .real(Double(try reader.float()))
    case .int32: .signed(Int64(try reader.int32()))
    case .sint32: .signed(Int64(try reader.sint32()))
    case .sfixed32: .signed(Int64(try reader.sfixed32()))
    case .int64: .signed(try reader.int64())
    case .sint64: .signed(try reader.sint64())
    case .sfixed64: .signed(try reader.sfixed64())
    case .uint32: .unsigned(UInt64(try reader.uint32()))
    case .fixed32: .unsigned(UInt64(try reader.fixed32()))
    case .uint64: .unsigned(try reader.uint64())
    case .fixed64: .unsigned(try reader.fixed64())
    case .bool: .bool(try reader.bool())
    case .text: .text(try reader.text())
    case .bytes, .message: .bytes(try reader.bytes())
    case .enumeration: .enumeration(try reader.int32())
    }
  }
}

// MARK: - To wire bytes

extension DynamicMessage {
  func encoded() -> [UInt8] {
    var out: [UInt8] = []
    for (field, value) in zip(type.fields, slots) {
      guard let value else { continue }
      if case .list(let elements) = value {
        encode(elements, of: field, into: &out)
      } else if field.oneof != nil || !value.isDefault {
        put(UInt64(field.number << 3 | UInt32(field.kind.wireType)), into: &out)
        value.encode(as: field.kind, into: &out)
      }
    }
    return out
  }

  private func encode(
    _ elements: [DynamicValue], of field: FieldType, into out: inout [UInt8]
  ) {
    guard !elements.isEmpty else { return }
    if field.kind.isPackable {
      var run: [UInt8] = []
      for element in elements { element.encode(as: field.kind, into: &run) }
      put(UInt64(field.number << 3 | 2), into: &out)
      put(UInt64(run.count), into: &out)
      out += run
    } else {
      for element in elements {
        put(UInt64(field.number << 3 | 2), into: &out)
        element.encode(as: field.kind, into: &out)
      }
    }
  }
}

extension DynamicValue {
  /// What proto3 does not write. A message is present even when it is empty.
  fileprivate var isDefault: Bool {
    switch self {
    case .signed(let value): value == 0
    case .unsigned(let value): value == 0
    case .real(let value): value.bitPattern == 0
    case .bool(let value): !value
    case .text(let value): value.isEmpty
    case .bytes(let value): value.isEmpty
    case .enumeration(let value): value == 0
    case .message: false
    case .list(let elements): elements.isEmpty
    }
  }

  fileprivate func encode(as kind: FieldType.Kind, into out: inout [UInt8]) {
    switch self {
    case .signed(let value):
      switch kind {
      case .sint32, .sint64: put(zigzag(value), into: &out)
      case .sfixed32: putFixed(UInt32(truncatingIfNeeded: value), into: &out)
      case .sfixed64: putFixed(UInt64(bitPattern: value), into: &out)
      default: put(UInt64(bitPattern: value), into: &out)
      }
    case .unsigned(let value):
      switch kind {
      case .fixed32: putFixed(UInt32(truncatingIfNeeded: value), into: &out)
      case .fixed64: putFixed(value, into: &out)
      default: put(value, into: &out)
      }
    case .real(let value):
      if kind == .float {
        putFixed(Float(value).bitPattern, into: &out)
      } else {
        putFixed(value.bitPattern, into: &out)
      }
    case .bool(let value): put(value ? 1 : 0, into: &out)
    case .enumeration(let value): put(UInt64(bitPattern: Int64(value)), into: &out)
    case .text(let value): putCounted(Array(value.utf8), into: &out)
    case .bytes(let value): putCounted(value, into: &out)
    case .message(let value): putCounted(value.encoded(), into: &out)
    case .list: preconditionFailure("a list is written element by element")
    }
  }
}

private func put(_ value: UInt64, into out: inout [UInt8]) {
  var value = value
  while value >= 0x80 {
    out.append(UInt8(truncatingIfNeeded: value) | 0x80)
    value >>= 7
  }
  out.append(UInt8(truncatingIfNeeded: value))
}

private func putFixed(_ value: some FixedWidthInteger, into out: inout [UInt8]) {
  withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
}

private func putCounted(_ value: [UInt8], into out: inout [UInt8]) {
  put(UInt64(value.count), into: &out)
  out += value
}
