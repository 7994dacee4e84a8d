import CContracts
import Seeds

/// Random wire bytes of a message, made from protoc-c's descriptors alone: neither codec under test has
/// a hand in them.
struct RandomWire {
  enum Taste {
    /// All that the wire allows: unknown fields, unpacked runs, odd enum numbers, repeated singulars.
    case anything
    /// What JSON can say too: known enum values, times in range, no unknown fields.
    case sayable
  }

  var random: SeededGenerator
  let taste: Taste

  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  mutating func message(
    _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int = 0
  ) -> [UInt8] {
    if taste == .sayable, let special = sayable(String(cString: descriptor.pointee.name)) {
      return special
    }
    var out: [UInt8] = []
    var oneofs: Set<UInt32> = []
    let message = descriptor.pointee
    for index in 0..<Int(message.n_fields) where !chance(4) {
      let field = message.fields[index]
      if field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0 {
        // A second member of a oneof replaces the first; JSON refuses it.
        let isFirst = oneofs.insert(field.quantifier_offset).inserted
        if !isFirst, taste == .sayable || !chance(3) { continue }
      }
      if taste == .anything, chance(8) { unknown(&out) }
      write(field, depth, &out)
    }
    if taste == .anything, chance(4) { unknown(&out) }
    return out
  }

  private mutating func write(_ field: ProtobufCFieldDescriptor, _ depth: Int, _ out: inout [UInt8])
  {
    let isMessage = field.type == PROTOBUF_C_TYPE_MESSAGE
    if isMessage, depth > 3 { return }
    guard field.label == PROTOBUF_C_LABEL_REPEATED else {
      // The last of several scalars wins. (Messages would merge, which protobuf-c does not do in oneofs.)
      let times = taste == .anything && !isMessage && chance(6) ? 2 : 1
      for _ in 0..<times { element(field, depth, &out) }
      return
    }
    let nested =
      isMessage
      ? field.descriptor.assumingMemoryBound(
        to: ProtobufCMessageDescriptor.self) : nil
    if let nested, ccontracts_is_map_entry(nested) != 0 {
      // Two entries of one key: the last wins in a dictionary, both stay in protobuf-c.
      put(UInt64(field.id << 3 | 2), &out)
      counted(entry(nested, depth), &out)
      return
    }
    let count = chance(10) ? 40 : Int.random(in: 0...3, using: &random)
    let isPacked = wireType(field) != 2 && !(taste == .anything && chance(2))
    guard isPacked else {
      for _ in 0..<count { element(field, depth, &out) }
      return
    }
    var run: [UInt8] = []
    for _ in 0..<count { scalar(field, &run) }
    put(UInt64(field.id << 3 | 2), &out)
    counted(run, &out)
  }

  /// Key and value are always written, or JSON's defaults and absences would differ.
  private mutating func entry(
    _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, _ depth: Int
  ) -> [UInt8] {
    var out: [UInt8] = []
    for index in 0..<2 { element(descriptor.pointee.fields[index], depth + 1, &out) }
    return out
  }

  private mutating func element(
    _ field: ProtobufCFieldDescriptor, _ depth: Int, _ out: inout [UInt8]
  ) {
    put(UInt64(field.id << 3 | UInt32(wireType(field))), &out)
    if field.type == PROTOBUF_C_TYPE_MESSAGE {
      let type = field.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
      counted(message(type, depth: depth + 1), &out)
    } else {
      scalar(field, &out)
    }
  }

  private func wireType(_ field: ProtobufCFieldDescriptor) -> UInt8 {
    switch field.type {
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: 1
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: 5
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: 2
    default: 0
    }
  }

  private mutating func scalar(_ field: ProtobufCFieldDescriptor, _ out: inout [UInt8]) {
    switch field.type {
    // Not -0.0, which protobuf-c takes for the default, and not NaN, which equals nothing.
    case PROTOBUF_C_TYPE_DOUBLE: fixed(real().bitPattern, &out)
    case PROTOBUF_C_TYPE_FLOAT: fixed(Float(real()).bitPattern, &out)
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: fixed(integer(), &out)
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32:
      fixed(UInt32(truncatingIfNeeded: integer()), &out)
    case PROTOBUF_C_TYPE_INT32:
      put(UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: integer()))), &out)
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_SINT32:
      put(UInt64(UInt32(truncatingIfNeeded: integer())), &out)
    case PROTOBUF_C_TYPE_BOOL: put(chance(2) ? 1 : 0, &out)
    case PROTOBUF_C_TYPE_ENUM: put(enumeration(field), &out)
    case PROTOBUF_C_TYPE_STRING: counted(Array(text().utf8), &out)
    case PROTOBUF_C_TYPE_BYTES:
      counted((0..<size()).map { _ in UInt8.random(in: 0...255, using: &random) }, &out)
    default: put(integer(), &out)
    }
  }

  private mutating func enumeration(_ field: ProtobufCFieldDescriptor) -> UInt64 {
    let type = field.descriptor.assumingMemoryBound(to: ProtobufCEnumDescriptor.self).pointee
    if taste == .anything, chance(3) {
      return UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: integer())))
    }
    let index = Int.random(in: 0..<Int(type.n_values), using: &random)
    return UInt64(bitPattern: Int64(type.values[index].value))
  }

  private mutating func integer() -> UInt64 {
    switch Int.random(in: 0..<5, using: &random) {
    case 0: 0
    case 1: UInt64.random(in: 1...300, using: &random)
    case 2: .max
    case 3: 1 << UInt64.random(in: 0..<64, using: &random)
    default: .random(in: .min ... .max, using: &random)
    }
  }

  private mutating func real() -> Double {
    chance(4) ? 0 : Double(Int32.random(in: -1_000_000...1_000_000, using: &random) | 1) / 1024
  }

  private mutating func size() -> Int {
    chance(20)
      ? Int.random(in: 100...2000, using: &random) : Int.random(in: 0...20, using: &random)
  }

  private mutating func text() -> String {
    let alphabet = Array("abcXYZ019 _\"\\/\n\té→💹\u{7F}\u{80}\u{FFFF}".unicodeScalars)
    var text = ""
    for _ in 0..<size() { text.unicodeScalars.append(alphabet.randomElement(using: &random)!) }
    return text
  }

  private mutating func unknown(_ out: inout [UInt8]) {
    let number = UInt64.random(in: 19_000...19_999, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
      put(number << 3, &out)
      put(integer(), &out)
    case 1:
      put(number << 3 | 1, &out)
      fixed(integer(), &out)
    case 2:
      put(number << 3 | 2, &out)
      counted(Array(text().utf8), &out)
    default:
      put(number << 3 | 5, &out)
      fixed(UInt32(7), &out)
    }
  }

  /// Messages whose JSON is a text take only some values.
  private mutating func sayable(_ name: String) -> [UInt8]? {
    var out: [UInt8] = []
    switch name {
    case "google.protobuf.Timestamp", "google.protobuf.Duration":
      put(8, &out)
      put(UInt64.random(in: 1...200_000_000_000, using: &random), &out)
      put(16, &out)
      put(UInt64.random(in: 1...999_999_999, using: &random), &out)
    case "google.protobuf.FieldMask":
      put(10, &out)
      counted(Array("order_id".utf8), &out)
    case "google.protobuf.Any": return []
    case "shrivenquant.type.v1.Decimal":
      put(8, &out)
      put(integer(), &out)
      put(16, &out)
      put(UInt64.random(in: 0...18, using: &random), &out)
    default: return nil
    }
    return out
  }

  private func put(_ value: UInt64, _ out: inout [UInt8]) {
    var value = value
    while value >= 0x80 {
      out.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    out.append(UInt8(truncatingIfNeeded: value))
  }

  private func fixed(_ value: some FixedWidthInteger, _ out: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
  }

  private func counted(_ value: [UInt8], _ out: inout [UInt8]) {
    put(UInt64(value.count), &out)
    out += value
  }
}
