/// How one element of a packed repeated field is sized, written and read.
public protocol ScalarCodec {
  associatedtype Value

  /// The bytes of all elements, without tag and length.
  static func size(_ values: [Value]) -> Int
  static func write(_ value: Value, into writer: inout WireWriter)
  static func read(from reader: inout WireReader) throws(WireError) -> Value
}

/// A codec whose element is a varint.
public protocol VarintCodec: ScalarCodec {
  static func bits(_ value: Value) -> UInt64
}

extension VarintCodec {
  @inlinable
  public static func size(_ values: [Value]) -> Int {
    var size = 0
    for value in values { size += WireSize.varint(bits(value)) }
    return size
  }

  @inlinable
  public static func write(_ value: Value, into writer: inout WireWriter) {
    writer.put(bits(value))
  }
}

public enum Int32Codec: VarintCodec {
  @inlinable public static func bits(_ value: Int32) -> UInt64 {
    UInt64(bitPattern: Int64(value))
  }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Int32 {
    try reader.int32()
  }
}

public enum Int64Codec: VarintCodec {
  @inlinable public static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Int64 {
    try reader.int64()
  }
}

public enum UInt32Codec: VarintCodec {
  @inlinable public static func bits(_ value: UInt32) -> UInt64 { UInt64(value) }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> UInt32 {
    try reader.uint32()
  }
}

public enum UInt64Codec: VarintCodec {
  @inlinable public static func bits(_ value: UInt64) -> UInt64 { value }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> UInt64 {
    try reader.uint64()
  }
}

public enum SInt32Codec: VarintCodec {
  @inlinable public static func bits(_ value: Int32) -> UInt64 { zigzag(value) }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Int32 {
    try reader.sint32()
  }
}

public enum SInt64Codec: VarintCodec {
  @inlinable public static func bits(_ value: Int64) -> UInt64 { zigzag(value) }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Int64 {
    try reader.sint64()
  }
}

public enum BoolCodec: VarintCodec {
  @inlinable public static func bits(_ value: Bool) -> UInt64 { value ? 1 : 0 }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Bool {
    try reader.bool()
  }
}

public enum EnumCodec<Value: OpenEnum>: VarintCodec {
  @inlinable public static func bits(_ value: Value) -> UInt64 {
    UInt64(bitPattern: Int64(value.rawValue))
  }
  @inlinable public static func read(from reader: inout WireReader) throws(WireError) -> Value {
    try reader.enumeration()
  }
}

/// A codec whose element is its little-endian bits.
public protocol FixedCodec: ScalarCodec {
  associatedtype Bits: FixedWidthInteger
  static func bits(_ value: Value) -> Bits
  static func value(_ bits: Bits) -> Value
}

extension FixedCodec {
  @inlinable
  public static func size(_ values: [Value]) -> Int { values.count * MemoryLayout<Bits>.size }

  @inlinable
  public static func write(_ value: Value, into writer: inout WireWriter) {
    writer.cursor.storeBytes(of: bits(value).littleEndian, as: Bits.self)
    writer.cursor += MemoryLayout<Bits>.size
  }

  @inlinable
  public static func read(from reader: inout WireReader) throws(WireError) -> Value {
    value(try reader.fixed(Bits.self))
  }
}

public enum Fixed32Codec: FixedCodec {
  public typealias Value = UInt32
  public typealias Bits = UInt32
  @inlinable public static func bits(_ value: UInt32) -> UInt32 { value }
  @inlinable public static func value(_ bits: UInt32) -> UInt32 { bits }
}

public enum Fixed64Codec: FixedCodec {
  public typealias Value = UInt64
  public typealias Bits = UInt64
  @inlinable public static func bits(_ value: UInt64) -> UInt64 { value }
  @inlinable public static func value(_ bits: UInt64) -> UInt64 { bits }
}

public enum SFixed32Codec: FixedCodec {
  public typealias Value = Int32
  public typealias Bits = UInt32
  @inlinable public static func bits(_ value: Int32) -> UInt32 { UInt32(bitPattern: value) }
  @inlinable public static func value(_ bits: UInt32) -> Int32 { Int32(bitPattern: bits) }
}

public enum SFixed64Codec: FixedCodec {
  public typealias Value = Int64
  public typealias Bits = UInt64
  @inlinable public static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  @inlinable public static func value(_ bits: UInt64) -> Int64 { Int64(bitPattern: bits) }
}

/// For messages of others, which have such fields: no message of ours puts money into one.
public enum FloatCodec: FixedCodec {
  public typealias Value = Float
  public typealias Bits = UInt32
  @inlinable public static func bits(_ value: Float) -> UInt32 { value.bitPattern }
  @inlinable public static func value(_ bits: UInt32) -> Float { Float(bitPattern: bits) }
}

/// As `FloatCodec`; statistics and option prices of ours may be Doubles.
public enum DoubleCodec: FixedCodec {
  public typealias Value = Double
  public typealias Bits = UInt64
  @inlinable public static func bits(_ value: Double) -> UInt64 { value.bitPattern }
  @inlinable public static func value(_ bits: UInt64) -> Double { Double(bitPattern: bits) }
}
