internal import Bytes

/// The segment that is written to.
///
/// Its header, 32 bytes: magic, version u32, zero u32, first sequence u64, CRC-32 of these u32, zero.
/// Space is preallocated, so that an append changes no file size and `fdatasync` writes data only.
struct SegmentFile {
  static let headerSize = 32
  static let version: UInt32 = 1
  private static let magic = Array("SHQJRNL\n".utf8)

  let first: UInt64
  private let file: any DiskFile
  private let capacity: Int
  private(set) var used: Int

  var remaining: Int { capacity - used }
  var path: String { file.path }

  /// A new, durable segment: when this returns, a crash cannot lose its name or header.
  init(
    creating first: UInt64, in directory: JournalDirectory, capacity: Int
  ) throws(JournalError) {
    self.init(first, try directory.open(first: first, .creating), capacity, used: 0)
    try file.preallocate(capacity)
    try write(Self.header(first: first), 0..<Self.headerSize)
    try sync()
    try directory.sync()
  }

  /// The last segment of an existing journal, to go on behind `used` bytes. What follows is cut.
  init(
    continuing first: UInt64, in directory: JournalDirectory, used: Int, capacity: Int
  ) throws(JournalError) {
    let file = try directory.open(first: first, .writing)
    self.init(first, file, max(capacity, used), used: used)
    try file.truncate(to: used)
    try file.preallocate(self.capacity)
    try file.syncWhole()
  }

  private init(_ first: UInt64, _ file: any DiskFile, _ capacity: Int, used: Int) {
    self.first = first
    self.file = file
    self.capacity = capacity
    self.used = used
  }

  /// Appends a piece of `bytes`.
  mutating func write(_ bytes: [UInt8], _ piece: Range<Int>) throws(JournalError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(JournalError) in
      try file.write(UnsafeRawBufferPointer(rebasing: bytes[piece]), at: used)
    }
    used += piece.count
  }

  func sync() throws(JournalError) { try file.sync() }

  /// Gives back what was preallocated and not used.
  func finish() throws(JournalError) {
    try file.truncate(to: used)
    try file.syncWhole()
  }

  private static func header(first: UInt64) -> [UInt8] {
    var writer = ByteWriter(capacity: headerSize)
    writer.write(magic)
    writer.write(version)
    writer.write(UInt32(0))
    writer.write(first)
    writer.write(CRC32.of(writer.bytes))
    writer.write(UInt32(0))
    return writer.bytes
  }

  static func isHeader(_ bytes: UnsafeRawBufferPointer, first: UInt64) -> Bool {
    bytes.count >= headerSize && bytes[0..<headerSize].elementsEqual(header(first: first))
  }

  /// Ours, but written by a version with another layout. Version 0 is none: a header that is torn.
  static func isForeign(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= headerSize, bytes[0..<magic.count].elementsEqual(magic) else {
      return false
    }
    let found = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    return found != version && found != 0
  }
}
