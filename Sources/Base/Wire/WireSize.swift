/// Encoded sizes in bytes. `tag` arguments are the size of the tag itself.
public enum WireSize {
  @inlinable @inline(__always)
  public static func varint(_ value: UInt64) -> Int {
    // Seven bits a byte: (bits * 9 + 64) / 64 equals ceil(bits / 7) for 1...64 bits.
    ((64 - (value | 1).leadingZeroBitCount) * 9 + 64) >> 6
  }

  @inlinable
  public static func counted(_ count: Int) -> Int { varint(UInt64(count)) + count }

  @inlinable
  public static func text(_ value: String) -> Int { counted(value.utf8.count) }

  @inlinable
  public static func message(_ value: some Message) -> Int { counted(value.encodedSize) }

  @inlinable
  public static func messages(_ tag: Int, _ values: [some Message]) -> Int {
    var size = 0
    for value in values { size += tag + message(value) }
    return size
  }

  @inlinable
  public static func packed<Codec: ScalarCodec>(
    _ tag: Int, _ values: [Codec.Value], _ codec: Codec.Type
  ) -> Int {
    values.isEmpty ? 0 : tag + counted(Codec.size(values))
  }
}

@inlinable @inline(__always)
public func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

@inlinable @inline(__always)
public func zigzag(_ value: Int32) -> UInt64 {
  UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31)))
}
