internal import Bytes
internal import CLinux
internal import Glibc
internal import Loop

/// The segment that is written to.
///
/// Its header, 32 bytes: magic, version u32, zero u32, first sequence u64, CRC-32 of these u32, zero.
/// Space is preallocated, so that an append changes no file size and `fdatasync` writes data only.
struct SegmentFile {
  static let headerSize = 32
  static let version: UInt32 = 1
  private static let magic = Array("SHQJRNL\n".utf8)

  let first: UInt64
  let path: String
  private let descriptor: Descriptor
  private let capacity: Int
  private let calls: DiskCalls
  private(set) var used: Int

  var remaining: Int { capacity - used }

  /// A new, durable segment: when this returns, a crash cannot lose its name or header.
  init(
    creating first: UInt64, in directory: JournalDirectory, capacity: Int, calls: DiskCalls
  ) throws(JournalError) {
    let path = directory.file(first: first)
    let fd = clinux_open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    guard fd >= 0 else { throw .storage(SystemError("open"), file: path) }
    self.init(first, path, Descriptor(fd), capacity, calls, used: 0)
    try preallocate()
    try write(Self.header(first: first), 0..<Self.headerSize)
    try sync()
    try directory.sync()
  }

  /// The last segment of an existing journal, to go on behind `used` bytes. What follows is cut.
  init(
    continuing first: UInt64, in directory: JournalDirectory, used: Int, capacity: Int,
    calls: DiskCalls
  ) throws(JournalError) {
    let path = directory.file(first: first)
    let fd = clinux_open(path, O_RDWR, 0)
    guard fd >= 0 else { throw .storage(SystemError("open"), file: path) }
    self.init(first, path, Descriptor(fd), max(capacity, used), calls, used: used)
    guard ftruncate(fd, used) == 0 else { throw .storage(SystemError("ftruncate"), file: path) }
    try preallocate()
    guard fsync(fd) == 0 else { throw .storage(SystemError("fsync"), file: path) }
  }

  private init(
    _ first: UInt64, _ path: String, _ descriptor: Descriptor, _ capacity: Int, _ calls: DiskCalls,
    used: Int
  ) {
    self.first = first
    self.path = path
    self.descriptor = descriptor
    self.capacity = capacity
    self.calls = calls
    self.used = used
  }

  /// Appends a piece of `bytes`.
  mutating func write(_ bytes: [UInt8], _ piece: Range<Int>) throws(JournalError) {
    var start = piece.lowerBound
    while start < piece.upperBound {
      let count = bytes.withUnsafeBytes {
        let rest = UnsafeRawBufferPointer(rebasing: $0[start..<piece.upperBound])
        return calls.write(descriptor.fd, rest, used)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .storage(SystemError("pwrite"), file: path) }
      start += count
      used += count
    }
  }

  func sync() throws(JournalError) {
    guard calls.sync(descriptor.fd) == 0 else {
      throw .storage(SystemError("fdatasync"), file: path)
    }
  }

  /// Gives back what was preallocated and not used.
  func finish() throws(JournalError) {
    guard ftruncate(descriptor.fd, used) == 0 else {
      throw .storage(SystemError("ftruncate"), file: path)
    }
    guard fsync(descriptor.fd) == 0 else { throw .storage(SystemError("fsync"), file: path) }
  }

  private func preallocate() throws(JournalError) {
    let code = posix_fallocate(descriptor.fd, 0, capacity)
    guard code == 0 else { throw .storage(SystemError("posix_fallocate", code: code), file: path) }
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

  /// Ours, but written by a version with another layout.
  static func isForeign(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= headerSize, bytes[0..<magic.count].elementsEqual(magic) else {
      return false
    }
    return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) != version
  }
}
