internal import Bytes

/// The first bytes of a segment.
///
/// Version 2, 64 bytes: magic, version u32, zero u32, first sequence u64, epoch u64, where the data of
/// the segment before ends u64 (0: where it ends by itself), checksum of the last record there u32,
/// zeros, CRC-32 of all before u32. Version 1, 32 bytes, is still read: magic, version, zero, first
/// sequence, CRC-32, zero u32.
struct SegmentHeader: Sendable, Hashable {
  static let size = 64
  private static let oldSize = 32
  private static let magic = Array("SHQJRNL\n".utf8)

  let first: UInt64
  /// Of the opening that made the segment; 0 in version 1.
  let epoch: UInt64
  /// What was written behind this point of the segment before counts as never written: its sync had
  /// failed, and nobody can know what is on the disk.
  let void: VoidedTail?
  /// Where the records begin.
  var size = Self.size

  struct VoidedTail: Sendable, Hashable {
    let offset: Int
    /// Of the record that ends at `offset`; 0 when there is none.
    let checksum: UInt32
  }

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.size)
    writer.write(Self.magic)
    writer.write(UInt32(2))
    writer.write(UInt32(0))
    writer.write(first)
    writer.write(epoch)
    writer.write(UInt64(void?.offset ?? 0))
    writer.write(void?.checksum ?? 0)
    writer.write([UInt8](repeating: 0, count: 16))
    writer.write(CRC32.of(writer.bytes))
    return writer.bytes
  }

  enum Found {
    case header(SegmentHeader)
    /// Ours, but of a version with another layout.
    case foreign
    /// It does not check; records begin at `body` at the earliest.
    case none(body: Int)
  }

  static func find(in bytes: UnsafeRawBufferPointer, first: UInt64) -> Found {
    guard bytes.count >= oldSize, bytes[0..<magic.count].elementsEqual(magic) else {
      return .none(body: min(size, bytes.count))
    }
    func number<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    switch number(8, UInt32.self) {
    case 1:
      guard bytes[0..<oldSize].elementsEqual(oldBytes(first)) else { return .none(body: oldSize) }
      return .header(SegmentHeader(first: first, epoch: 0, void: nil, size: oldSize))
    case 2:
      guard bytes.count >= size else { return .none(body: bytes.count) }
      let offset = number(32, UInt64.self)
      let header = SegmentHeader(
        first: first, epoch: number(24, UInt64.self),
        void: offset == 0 || offset > UInt64(Int.max)
          ? nil : VoidedTail(offset: Int(offset), checksum: number(40, UInt32.self)))
      guard bytes[0..<size].elementsEqual(header.bytes) else { return .none(body: size) }
      return .header(header)
    // A header that is torn; version 0 is none.
    case 0: return .none(body: min(size, bytes.count))
    default: return .foreign
    }
  }

  private static func oldBytes(_ first: UInt64) -> [UInt8] {
    var writer = ByteWriter(capacity: oldSize)
    writer.write(magic)
    writer.write(UInt32(1))
    writer.write(UInt32(0))
    writer.write(first)
    writer.write(CRC32.of(writer.bytes))
    writer.write(UInt32(0))
    return writer.bytes
  }
}
