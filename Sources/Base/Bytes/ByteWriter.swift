/// Appends integers (little-endian) and bytes to an array.
///
/// Public, for only then are its writes specialised in another module.
public struct ByteWriter: Sendable {
  @usableFromInline var content: [UInt8] = []

  package init(capacity: Int = 0) { content.reserveCapacity(capacity) }

  package var bytes: [UInt8] { content }
  package var count: Int { content.count }

  @inlinable public mutating func write(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { content.append(contentsOf: $0) }
  }

  @inlinable public mutating func write(_ more: some Sequence<UInt8>) {
    content.append(contentsOf: more)
  }

  /// A u32 length, then the bytes.
  @inlinable public mutating func writeCounted(_ more: some Collection<UInt8>) {
    write(UInt32(more.count))
    write(more)
  }

  /// A u32 length, then UTF-8.
  package mutating func writeCounted(_ text: String) {
    var text = text
    text.withUTF8 { writeCounted($0) }
  }

  /// Forgets the content and keeps the memory.
  package mutating func removeAll() { content.removeAll(keepingCapacity: true) }
}
