internal import Bytes

/// The first bytes of a snapshot, 64 of them, little-endian: magic, version u32, form u32, sequence
/// u64, mark u64, zeros, CRC-32 of all before u32. Pieces follow, each with its length u32 and its
/// CRC-32 u32, and behind the last one a piece of length 2^32 - 1 whose 16 bytes count the pieces and
/// their bytes.
struct SnapshotHeader: Sendable, Hashable {
  static let size = 64
  static let pieceHeaderSize = 8
  static let endMark = UInt32.max
  static let endSize = 16
  private static let magic = Array("SHQSNAP\n".utf8)
  private static let version: UInt32 = 1

  /// Of the last record that is part of it.
  let sequence: UInt64
  /// Of that record: a snapshot of another log has another one.
  let mark: UInt64
  /// How its pieces are to be read; their owner's number.
  let form: UInt32

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.size)
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(form)
    writer.write(sequence)
    writer.write(mark)
    writer.write([UInt8](repeating: 0, count: 28))
    writer.write(CRC32.of(writer.bytes))
    return writer.bytes
  }

  /// Nil when the bytes are no such header.
  static func find(in bytes: UnsafeRawBufferPointer) -> SnapshotHeader? {
    guard bytes.count >= size, bytes[0..<magic.count].elementsEqual(magic) else { return nil }
    func number<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    let header = SnapshotHeader(
      sequence: number(16, UInt64.self), mark: number(24, UInt64.self),
      form: number(12, UInt32.self))
    return bytes[0..<size].elementsEqual(header.bytes) ? header : nil
  }
}
