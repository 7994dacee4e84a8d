/// Appends integers (little-endian) and bytes to an array.
package struct ByteWriter: Sendable {
  @usableFromInline package internal(set) var bytes: [UInt8] = []

  package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  package var count: Int { bytes.count }

  @inlinable package mutating func write(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  package mutating func write(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

  /// A u32 length, then the bytes.
  package mutating func writeCounted(_ more: some Collection<UInt8>) {
    write(UInt32(more.count))
    write(more)
  }

  /// A u32 length, then UTF-8.
  package mutating func writeCounted(_ text: String) { writeCounted(text.utf8) }

  /// Forgets the content and keeps the memory.
  package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}
