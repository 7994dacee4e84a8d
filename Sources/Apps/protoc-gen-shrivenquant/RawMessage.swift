internal import Wire

/// A message read without a schema: its fields in order, nested messages still as bytes.
struct RawMessage {
  enum Value {
    case varint(UInt64)
    case counted([UInt8])
  }

  private(set) var fields: [(number: UInt32, value: Value)] = []

  init(_ bytes: [UInt8]) throws(WireError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
      var reader = WireReader(UnsafeRawBufferPointer(buffer))
      while true {
        let tag = try reader.tag()
        switch (tag, tag & 7) {
        case (0, _): return
        case (_, 0): fields.append((tag >> 3, .varint(try reader.varint())))
        case (_, 2): fields.append((tag >> 3, .counted(try reader.bytes())))
        default: try reader.skip(tag)
        }
      }
    }
  }

  func all(_ number: UInt32) -> [[UInt8]] {
    fields.compactMap {
      if $0.number == number, case .counted(let bytes) = $0.value { bytes } else { nil }
    }
  }

  func texts(_ number: UInt32) -> [String] {
    all(number).map { String(decoding: $0, as: UTF8.self) }
  }

  func text(_ number: UInt32) -> String { texts(number).last ?? "" }

  func messages(_ number: UInt32) throws(WireError) -> [RawMessage] {
    var found: [RawMessage] = []
    for bytes in all(number) { found.append(try RawMessage(bytes)) }
    return found
  }

  /// The last occurrence, or a message without fields.
  func message(_ number: UInt32) throws(WireError) -> RawMessage {
    try RawMessage(all(number).last ?? [])
  }

  /// The last varint, nil when absent.
  func number(_ number: UInt32) -> Int64? {
    for field in fields.reversed() where field.number == number {
      if case .varint(let value) = field.value { return Int64(bitPattern: value) }
    }
    return nil
  }

  /// A repeated int32, packed or not.
  func numbers(_ number: UInt32) throws(WireError) -> [Int32] {
    var found: [Int32] = []
    for field in fields where field.number == number {
      switch field.value {
      case .varint(let value): found.append(Int32(truncatingIfNeeded: value))
      case .counted(let bytes):
        try bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
          var reader = WireReader(UnsafeRawBufferPointer(buffer))
          while reader.offset < buffer.count { found.append(try reader.int32()) }
        }
      }
    }
    return found
  }
}
