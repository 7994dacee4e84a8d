internal import CZlib

/// The CRC-32 of zlib, gzip, PNG and Ethernet (polynomial 0xEDB88320), fed in pieces.
package struct CRC32: Sendable {
  /// The checksum of everything fed so far.
  package private(set) var value: UInt32 = 0

  package init() {}

  package mutating func update(_ bytes: RawSpan) {
    let before = UInt(value)
    value = bytes.withUnsafeBytes { buffer in
      UInt32(crc32_z(before, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count))
    }
  }

  package mutating func update(_ bytes: [UInt8]) { update(bytes.span.bytes) }

  package mutating func update(_ bytes: ArraySlice<UInt8>) { update(bytes.span.bytes) }

  package mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { buffer in update(UnsafeRawBufferPointer(buffer).bytes) }
  }

  package static func of(_ bytes: [UInt8]) -> UInt32 {
    var checksum = CRC32()
    checksum.update(bytes)
    return checksum.value
  }

  package static func of(_ text: String) -> UInt32 {
    var checksum = CRC32()
    checksum.update(text)
    return checksum.value
  }
}
