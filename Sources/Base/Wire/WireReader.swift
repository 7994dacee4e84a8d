/// Reads fields out of bytes it does not own; every read is checked against the end of the message.
///
/// A nested message narrows `end` while it is read, so no length inside it can reach its parent's bytes.
public struct WireReader {
  /// Messages within messages; deeper input is refused before the stack is in danger.
  public static let depthMax = 100

  @usableFromInline let start: UnsafeRawPointer
  @usableFromInline var cursor: UnsafeRawPointer
  @usableFromInline var end: UnsafeRawPointer
  @usableFromInline var fieldStart: UnsafeRawPointer
  @usableFromInline var depth = 0
  /// Text with a control character is refused: for what strangers send.
  @usableFromInline var refusesControls = false

  /// The bytes must stay valid while the reader is in use.
  @inlinable
  public init(_ bytes: UnsafeRawBufferPointer) {
    // An empty buffer may have no address; nothing is read from the stand-in.
    start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
    cursor = start
    end = start + bytes.count
    fieldStart = start
  }

  /// The offset of the next byte from the start of the outermost message.
  @inlinable public var offset: Int { cursor - start }

  /// The next field's `number << 3 | type`, or 0 at the end of the message.
  @inlinable
  public mutating func tag() throws(WireError) -> UInt32 {
    guard cursor < end else { return 0 }
    fieldStart = cursor
    let first = cursor.load(as: UInt8.self)
    guard first >= 0x80 else {
      cursor += 1
      guard first >= 8 else { throw .badFieldNumber(offset: offset - 1) }
      return UInt32(first)
    }
    return try longTag()
  }

  @usableFromInline
  mutating func longTag() throws(WireError) -> UInt32 {
    let began = offset
    let value = try varint()
    guard offset - began <= 5 else { throw .overlongVarint(offset: began) }
    guard value >= 8, value <= UInt64(UInt32.max) else { throw .badFieldNumber(offset: began) }
    return UInt32(value)
  }

  @inlinable
  public mutating func varint() throws(WireError) -> UInt64 {
    guard cursor < end else { throw .truncated(offset: offset) }
    let first = cursor.load(as: UInt8.self)
    if first < 0x80 {
      cursor += 1
      return UInt64(first)
    }
    return try longVarint()
  }

  /// At most ten bytes; bits over the 64th are dropped, as C++ and protobuf-c do.
  @inlinable
  mutating func longVarint() throws(WireError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var at = cursor
    let last = min(end, cursor + 10)
    while at < last {
      let byte = at.load(as: UInt8.self)
      at += 1
      value |= UInt64(byte & 0x7F) &<< shift
      if byte < 0x80 {
        cursor = at
        return value
      }
      shift += 7
    }
    throw last == end && end - cursor < 10
      ? .truncated(offset: end - start) : .overlongVarint(offset: offset)
  }

  @inlinable
  public mutating func fixed<Bits: FixedWidthInteger>(
    _ type: Bits.Type
  ) throws(WireError) -> Bits {
    guard end - cursor >= MemoryLayout<Bits>.size else { throw .truncated(offset: offset) }
    let bits = cursor.loadUnaligned(as: Bits.self)
    cursor += MemoryLayout<Bits>.size
    return Bits(littleEndian: bits)
  }

  /// A length, checked to lie within the message.
  @inlinable
  mutating func count() throws(WireError) -> Int {
    let count = try varint()
    guard count <= UInt64(end - cursor) else { throw .truncated(offset: offset) }
    return Int(count)
  }

  @inlinable
  mutating func counted() throws(WireError) -> UnsafeRawBufferPointer {
    let count = try count()
    defer { cursor += count }
    return UnsafeRawBufferPointer(start: cursor, count: count)
  }
}

// MARK: - Scalars

extension WireReader {
  @inlinable public mutating func int32() throws(WireError) -> Int32 {
    Int32(truncatingIfNeeded: try varint())
  }

  @inlinable public mutating func int64() throws(WireError) -> Int64 {
    Int64(bitPattern: try varint())
  }

  @inlinable public mutating func uint32() throws(WireError) -> UInt32 {
    UInt32(truncatingIfNeeded: try varint())
  }

  @inlinable public mutating func uint64() throws(WireError) -> UInt64 { try varint() }

  @inlinable public mutating func sint32() throws(WireError) -> Int32 {
    let bits = UInt32(truncatingIfNeeded: try varint())
    return Int32(bitPattern: (bits >> 1) ^ (0 &- (bits & 1)))
  }

  @inlinable public mutating func sint64() throws(WireError) -> Int64 {
    let bits = try varint()
    return Int64(bitPattern: (bits >> 1) ^ (0 &- (bits & 1)))
  }

  @inlinable public mutating func bool() throws(WireError) -> Bool { try varint() != 0 }

  @inlinable public mutating func fixed32() throws(WireError) -> UInt32 {
    try fixed(UInt32.self)
  }

  @inlinable public mutating func fixed64() throws(WireError) -> UInt64 {
    try fixed(UInt64.self)
  }

  @inlinable public mutating func sfixed32() throws(WireError) -> Int32 {
    Int32(bitPattern: try fixed(UInt32.self))
  }

  @inlinable public mutating func sfixed64() throws(WireError) -> Int64 {
    Int64(bitPattern: try fixed(UInt64.self))
  }

  /// See `FloatCodec`: never money.
  @inlinable public mutating func float() throws(WireError) -> Float {
    Float(bitPattern: try fixed(UInt32.self))
  }

  /// See `DoubleCodec`: never money either.
  @inlinable public mutating func double() throws(WireError) -> Double {
    Double(bitPattern: try fixed(UInt64.self))
  }

  @inlinable public mutating func enumeration<E: OpenEnum>() throws(WireError) -> E {
    E(rawValue: try int32())
  }

  public mutating func text() throws(WireError) -> String {
    let raw = try counted()
    if refusesControls, raw.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw .controlCharacter(offset: raw.baseAddress.map { $0 - start } ?? offset)
    }
    do {
      return String(copying: try UTF8Span(validating: raw.assumingMemoryBound(to: UInt8.self).span))
    } catch {
      throw .notUTF8(offset: raw.baseAddress.map { $0 - start } ?? offset)
    }
  }

  public mutating func bytes() throws(WireError) -> [UInt8] { Array(try counted()) }
}

// MARK: - Messages and repeated fields

extension WireReader {
  /// Merges a nested message into one already read, as repeated occurrences of a field must.
  @inlinable
  public mutating func message<M: Message>(_ value: inout M) throws(WireError) {
    let count = try count()
    let outerEnd = end
    guard depth < Self.depthMax else { throw .tooDeep(offset: offset) }
    depth += 1
    end = cursor + count
    try value.merge(from: &self)
    end = outerEnd
    depth -= 1
  }

  @inlinable
  public mutating func message<M: Message>(_ value: inout M?) throws(WireError) {
    // In place: a message may be large.
    if value == nil { value = M() }
    try message(&value!)
  }

  @inlinable
  public mutating func message<M: Message>(appendingTo values: inout [M]) throws(WireError) {
    values.append(M())
    try message(&values[values.count - 1])
  }

  /// A packed run of elements, appended.
  @inlinable
  public mutating func packed<Codec: ScalarCodec>(
    _ values: inout [Codec.Value], _ codec: Codec.Type
  ) throws(WireError) {
    let count = try count()
    let outerEnd = end
    end = cursor + count
    while cursor < end {
      do throws(WireError) {
        values.append(try Codec.read(from: &self))
      } catch {
        // Within the message yet past the run: the run's length is what is wrong.
        if case .truncated = error { throw .raggedPacked(offset: offset) }
        throw error
      }
    }
    end = outerEnd
  }

  /// Keeps a field that nobody knows, tag and all.
  public mutating func unknown(_ tag: UInt32, _ fields: inout UnknownFields) throws(WireError) {
    let began = fieldStart
    try skip(tag)
    fields.bytes.append(contentsOf: UnsafeRawBufferPointer(start: began, count: cursor - began))
  }

  public mutating func skip(_ tag: UInt32) throws(WireError) {
    switch tag & 7 {
    case 0: _ = try varint()
    case 1: _ = try fixed(UInt64.self)
    case 2: _ = try counted()
    case 5: _ = try fixed(UInt32.self)
    default: throw .badWireType(UInt8(tag & 7), offset: fieldStart - start)
    }
  }
}
