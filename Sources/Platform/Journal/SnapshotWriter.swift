internal import Bytes

/// Where the pieces of a snapshot go.
package protocol SnapshotSink {
  func write(_ piece: [UInt8]) throws(JournalError)
}

/// Writes one snapshot under a name that nobody reads; it gets its own when it is whole and on the
/// disk, and when its last record is.
///
/// `@unchecked Sendable`: it belongs to whoever writes the snapshot, one thread at a time.
final class SnapshotWriter: SnapshotSink, @unchecked Sendable {
  private let directory: JournalDirectory
  private let header: SnapshotHeader
  private let file: any DiskFile
  private var pending: [UInt8] = []
  private var offset = 0
  private var pieces: UInt64 = 0
  private var pieceBytes: UInt64 = 0

  private static let chunkSize = 256 * 1024

  init(_ header: SnapshotHeader, in directory: JournalDirectory) throws(JournalError) {
    self.directory = directory
    self.header = header
    // What a crash has left of an earlier one.
    if try directory.disk.names(in: directory.path).contains(JournalDirectory.draftName) {
      try directory.disk.remove(directory.draft)
    }
    file = try directory.disk.open(directory.draft, .creating)
    pending = header.bytes
  }

  /// So many bytes, all told.
  var bytes: Int { offset + pending.count }

  func write(_ piece: [UInt8]) throws(JournalError) {
    precondition(piece.count < Int(SnapshotHeader.endMark), "a piece of \(piece.count) bytes")
    put(UInt32(piece.count), piece)
    pieces += 1
    pieceBytes += UInt64(piece.count)
    if pending.count >= Self.chunkSize { try flush() }
  }

  private func put(_ length: UInt32, _ content: [UInt8]) {
    var head = ByteWriter(capacity: SnapshotHeader.pieceHeaderSize)
    head.write(length)
    head.write(CRC32.of(content))
    pending += head.bytes
    pending += content
  }

  private func flush() throws(JournalError) {
    let chunk = pending
    pending = []
    pending.reserveCapacity(chunk.count)
    try chunk.span.bytes.withUnsafeBytes { bytes throws(JournalError) in
      try file.write(bytes, at: offset)
    }
    offset += chunk.count
  }

  /// All of it is on the disk when this returns.
  func finish() throws(JournalError) {
    var end = ByteWriter(capacity: SnapshotHeader.endSize)
    end.write(pieces)
    end.write(pieceBytes)
    put(SnapshotHeader.endMark, end.bytes)
    try flush()
    try file.syncWhole()
  }

  /// It has its name for good when this returns, and of the older ones the newest is kept.
  func publish() throws(JournalError) -> [UInt64] {
    try directory.disk.rename(directory.draft, to: directory.snapshot(header.sequence))
    try directory.sync()
    var found = try directory.snapshots()
    // A later one is of records that this log does not have.
    for late in found where late > header.sequence { try directory.remove(snapshot: late) }
    found.removeAll { $0 > header.sequence }
    while found.count > Self.kept { try directory.remove(snapshot: found.removeFirst()) }
    return found
  }

  private static let kept = 2

  func discard() {
    // Only for the space: the next one removes it as well.
    do throws(JournalError) { try directory.disk.remove(directory.draft) } catch { return }
  }
}

extension JournalDirectory {
  static let draftName = "snapshot-draft"
  private static let snapshotSuffix = ".snapshot"

  var draft: String { path + "/" + Self.draftName }

  func snapshot(_ sequence: UInt64) -> String {
    path + "/" + Self.digits(sequence) + Self.snapshotSuffix
  }

  /// The last sequences of the snapshots, ascending.
  func snapshots() throws(JournalError) -> [UInt64] {
    try disk.names(in: path).compactMap { name in
      guard name.hasSuffix(Self.snapshotSuffix) else { return nil }
      return UInt64(name.dropLast(Self.snapshotSuffix.count))
    }.sorted()
  }

  func remove(snapshot sequence: UInt64) throws(JournalError) {
    try disk.remove(snapshot(sequence))
  }

  /// Gives each piece to `take`, in order; throws `damaged` where the file is not as it was written.
  func readSnapshot(
    _ sequence: UInt64, form: UInt32, _ take: ([UInt8]) throws -> Void
  ) throws -> SnapshotHeader {
    let path = snapshot(sequence)
    let file = try disk.open(path, .reading)
    var fault: (any Error)?
    let header = try file.withBytes { bytes throws(JournalError) -> SnapshotHeader in
      guard let header = SnapshotHeader.find(in: bytes), header.sequence == sequence else {
        throw .damaged(file: path, offset: 0, reason: "the snapshot's header does not check")
      }
      guard header.form == form else { throw .notAJournal(file: path) }
      do {
        try Self.readPieces(bytes, path, take)
      } catch {
        fault = error
      }
      return header
    }
    if let fault { throw fault }
    return header
  }

  private static func readPieces(
    _ bytes: UnsafeRawBufferPointer, _ path: String, _ take: ([UInt8]) throws -> Void
  ) throws {
    func number<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    var offset = SnapshotHeader.size
    var (pieces, pieceBytes) = (UInt64(0), UInt64(0))
    while true {
      let start = offset + SnapshotHeader.pieceHeaderSize
      guard start <= bytes.count else {
        throw JournalError.damaged(file: path, offset: offset, reason: "the snapshot has no end")
      }
      let length = number(offset, UInt32.self)
      let isEnd = length == SnapshotHeader.endMark
      let end = start + (isEnd ? SnapshotHeader.endSize : Int(length))
      guard end <= bytes.count else {
        throw JournalError.damaged(file: path, offset: offset, reason: "a piece has no end")
      }
      let content = Array(bytes[start..<end])
      guard CRC32.of(content) == number(offset + 4, UInt32.self) else {
        throw JournalError.damaged(
          file: path, offset: offset, reason: "a piece's checksum does not match")
      }
      if isEnd {
        guard number(start, UInt64.self) == pieces, number(start + 8, UInt64.self) == pieceBytes
        else {
          throw JournalError.damaged(file: path, offset: offset, reason: "pieces are missing")
        }
        return
      }
      try take(content)
      pieces += 1
      pieceBytes += UInt64(length)
      offset = end
    }
  }
}
