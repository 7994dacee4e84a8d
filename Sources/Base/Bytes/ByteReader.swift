/// Reads what `ByteWriter` wrote; every read is checked against the end.
package struct ByteReader: Sendable {
  @usableFromInline let bytes: [UInt8]
  @usableFromInline let end: Int
  /// The offset of the next byte.
  @usableFromInline package internal(set) var offset: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    self.offset = 0
    self.end = bytes.count
  }

  package init(_ bytes: [UInt8], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside bytes")
    self.bytes = bytes
    self.offset = range.lowerBound
    self.end = range.upperBound
  }

  package var remaining: Int { end - offset }
  package var isAtEnd: Bool { offset == end }

  @inlinable package mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(ByteReaderError) -> Value {
    let size = MemoryLayout<Value>.size
    try require(size)
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    offset += size
    return Value(littleEndian: value)
  }

  package mutating func read(count: Int) throws(ByteReaderError) -> [UInt8] {
    try require(count)
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  package mutating func skip(_ count: Int) throws(ByteReaderError) {
    try require(count)
    offset += count
  }

  /// A u32 length, then that many bytes.
  package mutating func readCounted() throws(ByteReaderError) -> [UInt8] {
    try read(count: Int(read(UInt32.self)))
  }

  /// A u32 length, then UTF-8, which is refused when it is not.
  package mutating func readCountedText() throws(ByteReaderError) -> String {
    let start = offset
    let raw = try readCounted()
    guard let text = String(validating: raw, as: UTF8.self) else { throw .notUTF8(offset: start) }
    return text
  }

  /// For codecs that want their whole input used.
  package func requireEnd() throws(ByteReaderError) {
    guard isAtEnd else { throw .trailing(remaining, offset: offset) }
  }

  @inlinable func require(_ count: Int) throws(ByteReaderError) {
    guard count >= 0, count <= remaining else {
      throw .truncated(offset: offset, wanted: count, remaining: remaining)
    }
  }
}

package enum ByteReaderError: Error, Hashable {
  case truncated(offset: Int, wanted: Int, remaining: Int)
  case notUTF8(offset: Int)
  case trailing(Int, offset: Int)
}
