/// Reads what `ByteWriter` wrote; every read is checked against the end.
///
/// Public, for only then are its reads specialised in another module.
public struct ByteReader: Sendable {
  @usableFromInline let bytes: [UInt8]
  @usableFromInline let end: Int
  @usableFromInline var position: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    self.position = 0
    self.end = bytes.count
  }

  package init(_ bytes: [UInt8], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside bytes")
    self.bytes = bytes
    self.position = range.lowerBound
    self.end = range.upperBound
  }

  /// The offset of the next byte.
  package var offset: Int { position }
  @inlinable public var remaining: Int { end - position }
  package var isAtEnd: Bool { position == end }

  @inlinable public mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(ByteReaderError) -> Value {
    let size = MemoryLayout<Value>.size
    try require(size)
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: type) }
    position += size
    return Value(littleEndian: value)
  }

  package mutating func read(count: Int) throws(ByteReaderError) -> [UInt8] {
    try require(count)
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  package mutating func skip(_ count: Int) throws(ByteReaderError) {
    try require(count)
    position += count
  }

  /// A u32 length, then that many bytes.
  package mutating func readCounted() throws(ByteReaderError) -> [UInt8] {
    try read(count: Int(read(UInt32.self)))
  }

  /// A u32 length, then UTF-8, which is refused when it is not.
  package mutating func readCountedText() throws(ByteReaderError) -> String {
    let start = position
    let raw = try readCounted()
    guard let text = String(validating: raw, as: UTF8.self) else { throw .notUTF8(offset: start) }
    return text
  }

  /// For codecs that want their whole input used.
  package func requireEnd() throws(ByteReaderError) {
    guard isAtEnd else { throw .trailing(remaining, offset: position) }
  }

  @inlinable func require(_ count: Int) throws(ByteReaderError) {
    guard count >= 0, count <= remaining else {
      throw .truncated(offset: position, wanted: count, remaining: remaining)
    }
  }
}

public enum ByteReaderError: Error, Hashable {
  case truncated(offset: Int, wanted: Int, remaining: Int)
  case notUTF8(offset: Int)
  case trailing(Int, offset: Int)
}
