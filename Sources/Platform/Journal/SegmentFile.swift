/// The segment that is written to.
///
/// Its space is preallocated, so that an append changes no file size and `fdatasync` writes data only.
struct SegmentFile {
  let first: UInt64
  let epoch: UInt64
  /// Of the segment before, as this one's header says.
  let void: SegmentHeader.VoidedTail?
  let path: String
  private let file: any DiskFile
  private let capacity: Int
  private(set) var used: Int
  private let dataStart: Int
  /// Of the last record that is written.
  private(set) var lastChecksum: UInt32

  var remaining: Int { capacity - used }
  var isEmpty: Bool { used == dataStart }

  /// Turns a spare into a durable segment: when this returns, a crash cannot lose its name or header.
  /// It takes the place of one of the same name, in which nothing was ever durable.
  init(
    of spare: SpareSegment, _ header: SegmentHeader, in directory: JournalDirectory
  ) throws(JournalError) {
    path = directory.file(first: header.first)
    first = header.first
    epoch = header.epoch
    void = header.void
    file = spare.file
    capacity = spare.capacity
    used = 0
    dataStart = SegmentHeader.size
    lastChecksum = 0
    try write(header.bytes, 0..<SegmentHeader.size)
    try sync()
    try directory.disk.rename(directory.spare, to: path)
    try directory.sync()
  }

  /// The last segment of an existing journal, to go on behind its data. What follows is cut.
  init(
    continuing header: SegmentHeader, _ outcome: SegmentScan.Outcome,
    in directory: JournalDirectory, capacity: Int
  ) throws(JournalError) {
    path = directory.file(first: header.first)
    first = header.first
    epoch = header.epoch
    void = header.void
    file = try directory.open(first: header.first, .writing)
    used = outcome.used
    dataStart = header.size
    lastChecksum = outcome.lastChecksum
    if outcome.cutBytes > 0 { try file.truncate(to: used) }
    do throws(JournalError) { try file.preallocate(max(capacity, used)) } catch {
      guard error.isOutOfSpace else { throw error }
    }
    self.capacity = try file.status().bytes
    try file.syncWhole()
  }

  /// Appends a piece of `bytes`, whose last record begins at `last`.
  mutating func append(_ bytes: [UInt8], _ piece: Range<Int>, last: Int) throws(JournalError) {
    try write(bytes, piece)
    lastChecksum = bytes.withUnsafeBytes { RecordFormat.checksum(in: $0, at: last) }
  }

  private mutating func write(_ bytes: [UInt8], _ piece: Range<Int>) throws(JournalError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(JournalError) in
      try file.write(UnsafeRawBufferPointer(rebasing: bytes[piece]), at: used)
    }
    used += piece.count
  }

  func sync() throws(JournalError) { try file.sync() }

  /// Gives back what was preallocated and not used. Only for the space: its failure is no harm.
  func finish() throws(JournalError) {
    try file.truncate(to: used)
    try file.syncWhole()
  }

  /// What the next segment says of this one when a write or a sync of it has failed.
  var voidedTail: SegmentHeader.VoidedTail {
    SegmentHeader.VoidedTail(offset: used, checksum: lastChecksum)
  }
}

/// Space for the segment after the one that is written to. A journal that has one can go on, however
/// full the disk is.
struct SpareSegment {
  let file: any DiskFile
  let capacity: Int

  /// Takes over one that an earlier opening has left, when it is as it must be.
  init?(found directory: JournalDirectory, capacity: Int) throws(JournalError) {
    guard try directory.disk.names(in: directory.path).contains(JournalDirectory.spareName) else {
      return nil
    }
    let file = try directory.disk.open(directory.spare, .writing)
    let isFit = try file.withBytes { bytes throws(JournalError) in
      bytes.count >= capacity
        && RecordFormat.isZero(bytes, min(SegmentHeader.size, bytes.count)..<bytes.count)
    }
    guard isFit else {
      try directory.disk.remove(directory.spare)
      return nil
    }
    self.file = file
    self.capacity = try file.status().bytes
  }

  init(creating directory: JournalDirectory, capacity: Int) throws(JournalError) {
    // One whose making into a segment has failed is not used again.
    if try directory.disk.names(in: directory.path).contains(JournalDirectory.spareName) {
      try directory.disk.remove(directory.spare)
    }
    let file = try directory.disk.open(directory.spare, .creating)
    do throws(JournalError) {
      try file.preallocate(capacity)
      try file.syncWhole()
    } catch {
      try directory.disk.remove(directory.spare)
      throw error
    }
    self.file = file
    self.capacity = capacity
  }
}
