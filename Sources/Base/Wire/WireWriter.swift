/// Writes fields into a buffer whose size the message computed before.
///
/// Each field is checked once against the end: the buffer has `slack` bytes behind the promised size,
/// more than a tag and a varint take, so only lengths need a check of their own.
public struct WireWriter {
  /// A tag (5 bytes) and a varint (10), and one.
  public static let slack = 16

  @usableFromInline let start: UnsafeMutableRawPointer
  @usableFromInline var cursor: UnsafeMutableRawPointer
  @usableFromInline let end: UnsafeMutableRawPointer

  /// The buffer holds the message and `slack` bytes more.
  @inlinable public init(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
    start = UnsafeMutableRawPointer(buffer.baseAddress!)
    cursor = start
    end = start + (buffer.count - Self.slack)
  }

  @inlinable public var count: Int { cursor - start }

  /// Precondition of every field: at least `slack` bytes are left.
  @inlinable @inline(__always)
  mutating func check() {
    precondition(cursor <= end, "a message wrote past its promised size")
  }

  @inlinable @inline(__always)
  mutating func put(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      cursor.storeBytes(of: UInt8(truncatingIfNeeded: value) | 0x80, as: UInt8.self)
      cursor += 1
      value >>= 7
    }
    cursor.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    cursor += 1
  }

  /// `tag` is the field number and the wire type: `number << 3 | type`.
  @inlinable
  public mutating func varint(_ tag: UInt32, _ value: UInt64) {
    check()
    put(UInt64(tag))
    put(value)
  }

  @inlinable
  public mutating func fixed32(_ tag: UInt32, _ value: UInt32) {
    check()
    put(UInt64(tag))
    cursor.storeBytes(of: value.littleEndian, as: UInt32.self)
    cursor += 4
  }

  @inlinable
  public mutating func fixed64(_ tag: UInt32, _ value: UInt64) {
    check()
    put(UInt64(tag))
    cursor.storeBytes(of: value.littleEndian, as: UInt64.self)
    cursor += 8
  }

  @inlinable
  public mutating func text(_ tag: UInt32, _ value: String) {
    var value = value
    value.withUTF8 { counted(tag, UnsafeRawBufferPointer($0)) }
  }

  @inlinable
  public mutating func bytes(_ tag: UInt32, _ value: [UInt8]) {
    value.withUnsafeBytes { counted(tag, $0) }
  }

  @inlinable
  mutating func counted(_ tag: UInt32, _ source: UnsafeRawBufferPointer) {
    varint(tag, UInt64(source.count))
    raw(source)
  }

  @inlinable
  mutating func raw(_ source: UnsafeRawBufferPointer) {
    precondition(source.count <= end - cursor, "a message wrote past its promised size")
    if let base = source.baseAddress { cursor.copyMemory(from: base, byteCount: source.count) }
    cursor += source.count
  }

  @inlinable
  public mutating func message(_ tag: UInt32, _ value: some Message) {
    varint(tag, UInt64(value.encodedSize))
    value.encode(into: &self)
  }

  @inlinable
  public mutating func messages(_ tag: UInt32, _ values: [some Message]) {
    for value in values { message(tag, value) }
  }

  @inlinable
  public mutating func packed<Codec: ScalarCodec>(
    _ tag: UInt32, _ values: [Codec.Value], _ codec: Codec.Type
  ) {
    guard !values.isEmpty else { return }
    varint(tag, UInt64(Codec.size(values)))
    for value in values {
      check()
      Codec.write(value, into: &self)
    }
  }

  @inlinable
  public mutating func unknown(_ fields: UnknownFields) {
    guard !fields.isEmpty else { return }
    fields.bytes.withUnsafeBytes { raw($0) }
  }
}
