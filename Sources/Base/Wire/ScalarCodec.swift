/// How one element of a packed repeated field is sized, written and read.
package protocol ScalarCodec {
  associatedtype Value

  /// The bytes of all elements, without tag and length.
  static func size(_ values: [Value]) -> Int
  static func write(_ value: Value, into writer: inout WireWriter)
  static func read(from reader: inout WireReader) throws(WireError) -> Value
}

/// A codec whose element is a varint.
package protocol VarintCodec: ScalarCodec {
  static func bits(_ value: Value) -> UInt64
}

extension VarintCodec {
  @inlinable
  package static func size(_ values: [Value]) -> Int {
    var size = 0
    for value in values { size += WireSize.varint(bits(value)) }
    return size
  }

  @inlinable
  package static func write(_ value: Value, into writer: inout WireWriter) {
    writer.put(bits(value))
  }
}

package enum Int32Codec: VarintCodec {
  @inlinable package static func bits(_ value: Int32) -> UInt64 {
    UInt64(bitPattern: Int64(value))
  }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Int32 {
    try reader.int32()
  }
}

package enum Int64Codec: VarintCodec {
  @inlinable package static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Int64 {
    try reader.int64()
  }
}

package enum UInt32Codec: VarintCodec {
  @inlinable package static func bits(_ value: UInt32) -> UInt64 { UInt64(value) }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> UInt32 {
    try reader.uint32()
  }
}

package enum UInt64Codec: VarintCodec {
  @inlinable package static func bits(_ value: UInt64) -> UInt64 { value }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> UInt64 {
    try reader.uint64()
  }
}

package enum SInt32Codec: VarintCodec {
  @inlinable package static func bits(_ value: Int32) -> UInt64 { zigzag(value) }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Int32 {
    try reader.sint32()
  }
}

package enum SInt64Codec: VarintCodec {
  @inlinable package static func bits(_ value: Int64) -> UInt64 { zigzag(value) }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Int64 {
    try reader.sint64()
  }
}

package enum BoolCodec: VarintCodec {
  @inlinable package static func bits(_ value: Bool) -> UInt64 { value ? 1 : 0 }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Bool {
    try reader.bool()
  }
}

package enum EnumCodec<Value: OpenEnum>: VarintCodec {
  @inlinable package static func bits(_ value: Value) -> UInt64 {
    UInt64(bitPattern: Int64(value.rawValue))
  }
  @inlinable package static func read(from reader: inout WireReader) throws(WireError) -> Value {
    try reader.enumeration()
  }
}

/// A codec whose element is its little-endian bits.
package protocol FixedCodec: ScalarCodec {
  associatedtype Bits: FixedWidthInteger
  static func bits(_ value: Value) -> Bits
  static func value(_ bits: Bits) -> Value
}

extension FixedCodec {
  @inlinable
  package static func size(_ values: [Value]) -> Int { values.count * MemoryLayout<Bits>.size }

  @inlinable
  package static func write(_ value: Value, into writer: inout WireWriter) {
    writer.cursor.storeBytes(of: bits(value).littleEndian, as: Bits.self)
    writer.cursor += MemoryLayout<Bits>.size
  }

  @inlinable
  package static func read(from reader: inout WireReader) throws(WireError) -> Value {
    value(try reader.fixed(Bits.self))
  }
}

package enum Fixed32Codec: FixedCodec {
  package typealias Value = UInt32
  package typealias Bits = UInt32
  @inlinable package static func bits(_ value: UInt32) -> UInt32 { value }
  @inlinable package static func value(_ bits: UInt32) -> UInt32 { bits }
}

package enum Fixed64Codec: FixedCodec {
  package typealias Value = UInt64
  package typealias Bits = UInt64
  @inlinable package static func bits(_ value: UInt64) -> UInt64 { value }
  @inlinable package static func value(_ bits: UInt64) -> UInt64 { bits }
}

package enum SFixed32Codec: FixedCodec {
  package typealias Value = Int32
  package typealias Bits = UInt32
  @inlinable package static func bits(_ value: Int32) -> UInt32 { UInt32(bitPattern: value) }
  @inlinable package static func value(_ bits: UInt32) -> Int32 { Int32(bitPattern: bits) }
}

package enum SFixed64Codec: FixedCodec {
  package typealias Value = Int64
  package typealias Bits = UInt64
  @inlinable package static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  @inlinable package static func value(_ bits: UInt64) -> Int64 { Int64(bitPattern: bits) }
}

package enum FloatCodec: FixedCodec {
  package typealias Value = Float
  package typealias Bits = UInt32
  @inlinable package static func bits(_ value: Float) -> UInt32 { value.bitPattern }
  @inlinable package static func value(_ bits: UInt32) -> Float { Float(bitPattern: bits) }
}

package enum DoubleCodec: FixedCodec {
  package typealias Value = Double
  package typealias Bits = UInt64
  @inlinable package static func bits(_ value: Double) -> UInt64 { value.bitPattern }
  @inlinable package static func value(_ bits: UInt64) -> Double { Double(bitPattern: bits) }
}
