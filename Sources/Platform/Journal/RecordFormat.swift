internal import Bytes
internal import Glibc

/// A record on disk, little-endian: payload length u32, CRC-32 of everything but itself u32, sequence
/// u64, position in its commit u32, payload. A header of zeros ends the data of a segment. The highest
/// bit of the position says that the next record belongs to the same append: recovery gives all of an
/// append or none, and no append lies in two segments.
///
/// The position in the commit tells a torn write from damage: records of one commit reach the disk in
/// any order, records of two never overlap, because the first is synced before the second is written.
struct RecordFormat {
  static let headerSize = 20

  let sequence: UInt64
  let positionInCommit: UInt32
  let continues: Bool
  let payload: Range<Int>

  private static let continuesBit: UInt32 = 1 << 31

  var end: Int { payload.upperBound }
  var firstOfCommit: UInt64 { sequence - UInt64(positionInCommit) }

  static func append(
    _ payload: [UInt8], sequence: UInt64, positionInCommit: UInt32, continues: Bool,
    to bytes: inout [UInt8]
  ) {
    let start = bytes.count
    put(UInt32(payload.count), to: &bytes)
    put(UInt32(0), to: &bytes)
    put(sequence, to: &bytes)
    put(positionInCommit | (continues ? continuesBit : 0), to: &bytes)
    bytes.append(contentsOf: payload)
    let checksum = bytes.withUnsafeBytes {
      Self.checksum(UnsafeRawBufferPointer(rebasing: $0[start...]))
    }
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: checksum.littleEndian, toByteOffset: start + 4, as: UInt32.self)
    }
  }

  enum Found {
    case record(RecordFormat)
    /// A header of zeros, or the exact end of the bytes.
    case end
    /// More bytes than there are would be needed.
    case truncated
    case invalid(String)
  }

  static func find(in bytes: UnsafeRawBufferPointer, at offset: Int, payloadMax: Int) -> Found {
    if offset == bytes.count { return .end }
    guard bytes.count - offset >= headerSize else {
      return isZero(bytes, offset..<bytes.count) ? .end : .truncated
    }
    if isZero(bytes, offset..<offset + headerSize) { return .end }
    let length = Int(number(bytes, offset, UInt32.self))
    guard length <= payloadMax else { return .invalid("length \(length) is over \(payloadMax)") }
    let end = offset + headerSize + length
    guard end <= bytes.count else { return .truncated }
    let record = UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
    guard checksum(record) == number(bytes, offset + 4, UInt32.self) else {
      return .invalid("checksum does not match")
    }
    let sequence = number(bytes, offset + 8, UInt64.self)
    let mark = number(bytes, offset + 16, UInt32.self)
    let position = mark & ~continuesBit
    guard sequence > UInt64(position) else { return .invalid("sequence \(sequence)") }
    return .record(
      RecordFormat(
        sequence: sequence, positionInCommit: position, continues: mark & continuesBit != 0,
        payload: offset + headerSize..<end))
  }

  /// The checksum that a record at `offset` states.
  static func checksum(in bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
    number(bytes, offset + 4, UInt32.self)
  }

  /// The sequence that a record at `offset` would have, without checking anything.
  static func sequence(in bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
    number(bytes, offset + 8, UInt64.self)
  }

  static func isZero(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    guard let start = bytes.baseAddress, !range.isEmpty else { return true }
    // Compared with itself one byte on: a row of equal bytes, at the speed of the C library.
    return bytes[range.lowerBound] == 0
      && memcmp(start + range.lowerBound, start + range.lowerBound + 1, range.count - 1) == 0
  }

  private static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
    var checksum = CRC32()
    checksum.update(UnsafeRawBufferPointer(rebasing: record[0..<4]).bytes)
    checksum.update(UnsafeRawBufferPointer(rebasing: record[8...]).bytes)
    return checksum.value
  }

  private static func number<Value: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: Value.Type
  ) -> Value {
    Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  private static func put(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
