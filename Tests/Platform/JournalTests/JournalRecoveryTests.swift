import Bytes
import Foundation
import Testing

@testable import Journal

/// Every damage that a crash or a disk can do to a small journal, against a twin that knows where
/// each record begins.
@Suite struct `A journal's recovery` {
  private let headerSize = 64

  /// A journal of one segment whose records were each synced alone; returns its bytes up to the end of
  /// the data, and where each record begins (and the last ends).
  private func sample(
    _ payloads: [[UInt8]]
  ) async throws -> (bytes: [UInt8], starts: [Int]) {
    let folder = TemporaryFolder()
    let journal = try Journal.open(folder.path, smallSettings())
    var starts = [headerSize]
    for payload in payloads {
      _ = try await journal.append(payload)
      starts.append(starts[starts.count - 1] + 20 + payload.count)
    }
    journal.close()
    return (Array(try folder.read(1)[0..<starts[starts.count - 1]]), starts)
  }

  private let payloads: [[UInt8]] = [
    Array("first".utf8), [], [0, 0, 0, 0, 0, 0, 0, 0], Array(repeating: 0xff, count: 40),
    Array("the last record".utf8),
  ]

  @Test
  func `REC-08 cut at any byte, the whole records before the cut are there and appends go on`()
    async throws
  {
    let (bytes, starts) = try await sample(payloads)

    for length in 0...bytes.count {
      let folder = TemporaryFolder()
      try folder.write(Array(bytes[0..<length]), 1)
      let whole = max(0, starts.lastIndex { $0 <= length } ?? 0)
      let (journal, records) = try replayed(folder.path)
      #expect(records.map(\.payload) == Array(payloads[0..<whole]), "cut at \(length)")
      #expect(try await journal.append([1]) == UInt64(whole + 1))
      journal.close()
      let again = try replayed(folder.path)
      #expect(again.records.count == whole + 1)
      #expect(again.journal.recovery.cutBytes == 0)
    }
  }

  @Test func `REC-08 a flipped bit in the middle refuses with file and offset, in the tail is cut`()
    async throws
  {
    let (bytes, starts) = try await sample(payloads)
    let last = payloads.count - 1

    for position in headerSize..<bytes.count {
      let folder = TemporaryFolder()
      var flipped = bytes
      flipped[position] ^= UInt8(1 << (position % 8))
      try folder.write(flipped + Array(repeating: 0, count: 500), 1)
      let record = starts.lastIndex { $0 <= position }!
      if record < last {
        let error = #expect(throws: JournalError.self) { try replayed(folder.path) }
        guard case .damaged(folder.file(1), offset: starts[record], _) = error else {
          Issue.record("bit \(position): \(String(describing: error))")
          continue
        }
      } else {
        let (journal, records) = try replayed(folder.path)
        #expect(records.map(\.payload) == Array(payloads[0..<last]), "bit \(position)")
        #expect(journal.recovery.cutBytes > 0)
      }
    }
  }

  @Test func `a damaged header, a foreign version and a foreign name are refused`() async throws {
    let (bytes, _) = try await sample(payloads)
    for position in 0..<headerSize {
      let folder = TemporaryFolder()
      var flipped = bytes
      flipped[position] ^= 1
      try folder.write(flipped, 1)
      let error = #expect(throws: JournalError.self) { try replayed(folder.path) }
      let isVersion = (8..<12).contains(position)
      #expect(
        error
          == (isVersion
            ? .notAJournal(file: folder.file(1))
            : .damaged(
              file: folder.file(1), offset: 0, reason: "the segment's header does not check")))
    }
  }

  @Test func `REC-08 segments of version 1 are read, gone on with, and followed by those of today`()
    async throws
  {
    let folder = TemporaryFolder()
    let (bytes, starts) = try await sample(payloads)
    // Version 1 had a header of 32 bytes, and the same records.
    var header = ByteWriter(capacity: 32)
    header.write(Array("SHQJRNL\n".utf8))
    header.write(UInt32(1))
    header.write(UInt32(0))
    header.write(UInt64(1))
    header.write(CRC32.of(header.bytes))
    header.write(UInt32(0))
    try folder.write(header.bytes + bytes[starts[0]...] + Array(repeating: 0, count: 900), 1)

    let (journal, records) = try replayed(folder.path)
    #expect(records.map(\.payload) == payloads)
    #expect(journal.epoch == 0)
    for _ in 0..<8 { _ = try await journal.append(Array(repeating: 1, count: 900)) }
    journal.close()

    let again = try replayed(folder.path)
    #expect(
      again.records.map(\.payload.count) == payloads.map(\.count) + Array(repeating: 900, count: 8))
    #expect(folder.files.count > 1)
  }

  @Test func `garbage behind the data is cut, damage in an earlier segment refuses`() async throws {
    let folder = TemporaryFolder()
    let journal = try Journal.open(folder.path, smallSettings())
    for _ in 0..<5 { _ = try await journal.append(Array(repeating: 3, count: 1000)) }
    journal.close()

    var last = try folder.read(4)
    last[3000] = 7
    try folder.write(last, 4)
    let (again, records) = try replayed(folder.path)
    #expect(records.count == 5)
    #expect(again.recovery.cutBytes == 3001 - (64 + 2 * 1020))
    again.close()

    var first = try folder.read(1)
    first[first.count - 1] ^= 1
    try folder.write(first, 1)
    #expect(
      throws: JournalError.damaged(
        file: folder.file(1), offset: 64 + 2 * 1020, reason: "checksum does not match")
    ) { try replayed(folder.path) }
  }

  @Test func `a missing segment is noticed`() async throws {
    let folder = TemporaryFolder()
    let journal = try Journal.open(folder.path, smallSettings())
    for _ in 0..<9 { _ = try await journal.append(Array(repeating: 3, count: 1000)) }
    journal.close()

    try FileManager.default.removeItem(atPath: folder.file(4))

    #expect(throws: JournalError.removed(sequence: 4)) { try replayed(folder.path) }
  }

  @Test func `a segment whose creation was cut short is made again`() async throws {
    for content in [[], Array(repeating: 0, count: 4096), Array("SHQJRNL\n".utf8)] as [[UInt8]] {
      let folder = TemporaryFolder()
      let journal = try Journal.open(folder.path, smallSettings())
      _ = try await journal.append([1])
      journal.close()
      try folder.write(Array(try folder.read(1)[0..<85]), 1)
      try folder.write(content, 2)

      let (again, records) = try replayed(folder.path)

      #expect(records.count == 1)
      #expect(try await again.append([2]) == 2)
      again.close()
      #expect(try replayed(folder.path).records.map(\.payload) == [[1], [2]])
    }
  }

  @Test func `sectors of one commit may arrive in any order, acknowledged commits may not vanish`()
    async throws
  {
    func journal(_ commits: [[[UInt8]]]) async throws -> TemporaryFolder {
      let folder = TemporaryFolder()
      let journal = try Journal.open(folder.path, smallSettings())
      for commit in commits { _ = try await journal.append(contentsOf: commit) }
      journal.close()
      return folder
    }
    func change(_ folder: TemporaryFolder, _ body: (inout [UInt8]) -> Void) throws {
      var bytes = try folder.read(1)
      body(&bytes)
      try folder.write(bytes, 1)
    }
    let (one, big) = ([UInt8]([1]), [UInt8](repeating: 9, count: 1000))

    let torn = try await journal([[one], [big, big]])
    try change(torn) { $0.replaceSubrange(512..<1024, with: repeatElement(0, count: 512)) }
    #expect(try replayed(torn.path).records.map(\.payload) == [one])

    let flipped = try await journal([[one], [big, big]])
    try change(flipped) { $0[600] ^= 1 }
    #expect(throws: JournalError.self) { try replayed(flipped.path) }

    let lost = try await journal([[one], [big], [big]])
    try change(lost) { $0.replaceSubrange(512..<1024, with: repeatElement(0, count: 512)) }
    #expect(throws: JournalError.self) { try replayed(lost.path) }
  }

  @Test func `REC-01 kill -9 in a burst loses no acknowledged record`() async throws {
    let folder = TemporaryFolder()
    let path = folder.path

    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      var settings = smallSettings(segmentBytes: 64 * 1024)
      settings.recordBytesMax = 4096
      let journal = try Journal.open(path, settings)
      let acknowledged = open("\(path)/acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
      await withTaskGroup { group in
        for task in 0..<8 {
          group.addTask {
            for index in 0..<100_000 {
              let payload = [UInt8](repeating: UInt8(task), count: index * 37 % 2000)
              guard var sequence = try? await journal.append(payload) else { return }
              _ = write(acknowledged, &sequence, 8)
              if sequence >= 2000 { kill(getpid(), SIGKILL) }
            }
          }
        }
      }
    }

    let marks = try Data(contentsOf: URL(fileURLWithPath: "\(path)/acknowledged"))
    let sequences = marks.withUnsafeBytes { raw in
      (0..<raw.count / 8).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
    }
    var settings = smallSettings(segmentBytes: 64 * 1024)
    settings.recordBytesMax = 4096
    let (journal, records) = try replayed(path, settings)
    #expect(sequences.max()! >= 2000)
    #expect(journal.recovery.last >= sequences.max()!)
    #expect(records.map(\.sequence) == Array(1...journal.recovery.last))
  }
}
