import Bytes
import Chrono
import Glibc
import Journal
import Seeds
import Synchronization
import Testing

/// Sums by name, in a form that shows every mistake of a fold: order and repetition count.
private struct Sums: JournaledState {
  private(set) var sums: [UInt8: UInt64] = [:]
  private(set) var folded = 0

  func room(for change: [UInt8]) -> JournalRoom.Size { JournalRoom.Size([change]) }

  mutating func apply(_ change: [UInt8], at sequence: UInt64) throws -> Applied<UInt64> {
    guard change.count > 1 else { throw Odd() }
    add(change)
    return Applied(records: [change], effects: [sequence])
  }

  mutating func fold(_ record: JournalRecord) throws {
    guard record.payload.count > 1 else { throw Odd() }
    folded += 1
    add(record.payload)
  }

  private mutating func add(_ change: [UInt8]) {
    for byte in change.dropFirst() {
      sums[change[0], default: 0] = sums[change[0], default: 0] &* 31 &+ UInt64(byte)
    }
  }

  struct Odd: Error {}

  static let snapshotForm: UInt32 = 3

  func write(to snapshot: some SnapshotSink) throws(JournalError) {
    for (name, sum) in sums.sorted(by: { $0.key < $1.key }) {
      var piece = ByteWriter()
      piece.write(name)
      piece.write(sum)
      try snapshot.write(piece.bytes)
    }
  }

  mutating func read(_ piece: [UInt8]) throws {
    var reader = ByteReader(piece)
    sums[try reader.read(UInt8.self)] = try reader.read(UInt64.self)
  }
}

/// A journaled state on a disk in memory, and its naive twin: every record that was called durable.
private final class StateUnderTest {
  static let folder = "/state"

  let disk: SimulatedDisk
  let time = SimulatedTime()
  let steps: StepQueue
  var journaling = JournalSettings()
  let told = Told()
  private(set) var log: Journaled<Sums>

  final class Told: Sendable {
    let outcomes = Mutex<[SnapshotOutcome]>([])
    var refused: [UInt64] {
      outcomes.withLock { outcomes in
        outcomes.compactMap { if case .refused(let sequence, _) = $0 { sequence } else { nil } }
      }
    }
  }

  init(every: UInt64 = 10) throws {
    disk = SimulatedDisk(time: time)
    steps = StepQueue(time)
    journaling.segmentBytes = 4096
    journaling.recordBytesMax = 1024
    journaling.reserveBytes = 1024
    journaling.disk = disk
    journaling.time = time
    journaling.driver = .steps(JournalSteps(latency: .zero, schedule: steps.schedule))
    snapshotting.every = every
    snapshotting.report = { [told] outcome in told.outcomes.withLock { $0.append(outcome) } }
    log = try Journaled(Self.folder, journaling, snapshotting, empty: Sums())
  }

  private var snapshotting = SnapshotSettings()

  func commit(_ changes: [[UInt8]]) throws {
    _ = try log.commit(changes, for: .business)
    steps.advance(by: .zero)
  }

  func fill(_ count: Int) throws {
    // Larger than what a snapshot says of them.
    let rest = [UInt8](repeating: 0, count: 60)
    for number in 0..<count {
      try commit([[UInt8(number % 7), UInt8(truncatingIfNeeded: number)] + rest])
    }
    steps.advance(by: .seconds(1))
  }

  func restart(_ crash: DiskCrash, _ random: inout SeededGenerator) throws {
    disk.crash(crash, using: &random)
    steps.advance(by: .seconds(3600))
    log = try Journaled(Self.folder, journaling, snapshotting, empty: Sums())
  }

  func snapshot(_ sequence: Int) -> String {
    let digits = "\(sequence)"
    return "\(Self.folder)/\(String(repeating: "0", count: 20 - digits.count))\(digits).snapshot"
  }
}

@Suite struct `A journaled state` {
  private var random = SeededGenerator(seed: 5)

  @Test mutating func `REC-02 starts from its newest snapshot and the records behind it`() throws {
    let test = try StateUnderTest()
    try test.fill(25)
    let before = test.log.state.sums

    try test.restart(.process, &random)

    #expect(test.log.state.sums == before)
    #expect(test.log.snapshots.newest == 20)
    #expect(test.log.state.folded == 5)
  }

  @Test(arguments: [0, 16, 70, -9, -1])
  func `REC-02 a snapshot that is damaged gives way to the one before`(_ place: Int) throws {
    var random = SeededGenerator(seed: 6)
    let test = try StateUnderTest()
    try test.fill(25)
    let before = test.log.state.sums
    test.disk.change(test.snapshot(20)) { bytes in
      bytes[place < 0 ? bytes.count + place : place] ^= 0x10
    }

    try test.restart(.process, &random)

    #expect(test.log.state.sums == before)
    #expect(test.told.refused == [20])
    #expect(test.log.state.folded == 15)
  }

  @Test mutating func `REC-02 without a usable snapshot the whole journal is read`() throws {
    let test = try StateUnderTest()
    try test.fill(25)
    let before = test.log.state.sums
    for sequence in [10, 20] { test.disk.change(test.snapshot(sequence)) { $0.removeLast() } }

    try test.restart(.process, &random)

    #expect(test.log.state.sums == before)
    #expect(test.told.refused == [20, 10])
    #expect(test.log.state.folded == 25)
  }

  @Test mutating func `REC-02 a snapshot of another journal is not believed`() throws {
    let test = try StateUnderTest()
    try test.fill(25)
    let other = try StateUnderTest()
    try other.commit([[9, 9]])
    try other.fill(24)
    let foreign = try #require(other.disk.bytes(of: other.snapshot(20)))
    test.disk.change(test.snapshot(20)) { $0 = foreign }
    let before = test.log.state.sums

    try test.restart(.process, &random)

    #expect(test.log.state.sums == before)
    #expect(test.told.refused == [20])
  }

  @Test mutating func `REC-02 segments that no snapshot needs may go`() throws {
    let test = try StateUnderTest(every: 50)
    test.journaling.retention = .init(ageMax: nil, bytesMax: 1) { _ in true }
    try test.restart(.process, &random)
    try test.fill(1_000)
    let before = test.log.state.sums

    try test.restart(.process, &random)

    #expect(test.log.journal.oldest > 1)
    #expect(test.log.journal.oldest <= 950)
    #expect(test.log.state.sums == before)
  }

  @Test mutating func `REC-02 a state whose records and snapshots are gone refuses to start`()
    throws
  {
    let test = try StateUnderTest(every: 50)
    test.journaling.retention = .init(ageMax: nil, bytesMax: 1) { _ in true }
    try test.restart(.process, &random)
    try test.fill(1_000)
    for sequence in stride(from: 50, through: 1_000, by: 50) {
      test.disk.change(test.snapshot(sequence)) { $0[20] ^= 1 }
    }

    #expect(throws: JournalError.removed(sequence: 1)) {
      try test.restart(.process, &random)
    }
  }

  @Test
  mutating func
    `REC-08 damage before the newest snapshot refuses to start, as far back as is checked`()
    throws
  {
    let test = try StateUnderTest(every: 50)
    try test.fill(300)
    let segments = try #require(test.disk.bytes(of: "\(StateUnderTest.folder)/\(first)"))
    #expect(test.log.snapshots.newest > 200 && segments.count > 1_000)
    test.disk.change("\(StateUnderTest.folder)/\(first)") { $0[700] ^= 1 }

    var refusal: JournalError?
    do { try test.restart(.process, &random) } catch let error as JournalError { refusal = error }
    guard case .damaged(let file, _, _) = refusal else {
      Issue.record("it starts: \(String(describing: refusal))")
      return
    }
    #expect(file.hasSuffix(first))

    test.journaling.checkedBytes = 0
    try test.restart(.process, &random)
    #expect(test.log.state.folded < 100)
  }

  private var first: String { "00000000000000000001.journal" }

  @Test func `a change that does not apply changes nothing and those before it stand`() throws {
    let test = try StateUnderTest()
    #expect(throws: Sums.Odd.self) { try test.commit([[1, 2], [1], [1, 3]]) }
    test.steps.advance(by: .zero)
    #expect(test.log.state.sums == [1: 2])
    #expect(test.log.journal.durable == 1)
  }

  @Test func `a full disk fails the snapshot and nothing else`() throws {
    let test = try StateUnderTest()
    try test.fill(9)
    test.disk.bytesMax = test.disk.bytesUsed
    try test.fill(12)
    #expect(test.log.snapshots.newest == 0)
    #expect(test.log.journal.durable == 21)
    test.disk.bytesMax = .max
    try test.fill(10)
    #expect(test.log.snapshots.newest > 20)
  }

  @Test func `REC-02 a clean stop leaves a snapshot of everything`() throws {
    var random = SeededGenerator(seed: 7)
    let test = try StateUnderTest(every: 1_000)
    try test.fill(30)
    let before = test.log.state.sums
    test.log.close()

    try test.restart(.power, &random)

    #expect(test.log.state.folded == 0)
    #expect(test.log.state.sums == before)
  }

  /// Crashes at every offset of what is written, with and without snapshots: the same state.
  @Test(arguments: 0..<16)
  func `REC-02 equals the fold of its whole journal after any crash`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let test = try StateUnderTest(every: 4)
    for _ in 0..<8 {
      test.disk.cutPower(after: Int.random(in: 50...6_000, using: &random))
      var number: UInt8 = 0
      while !test.disk.isCut, number < 200 {
        number += 1
        let group = (0..<Int.random(in: 1...3, using: &random)).map { place in
          [number % 5, number, UInt8(place)] + [UInt8](repeating: 0, count: 40)
        }
        do { try test.commit(group) } catch { break }
        if Bool.random(using: &random) { test.steps.advance(by: .milliseconds(5)) }
      }
      let durable = test.log.journal.durable
      try test.restart(.power, &random)
      let twin = Mutex(Sums())
      var cursor = test.log.journal.records(from: 1)
      while let record = try cursor.nextRecord() { try twin.withLock { try $0.fold(record) } }
      #expect(test.log.state.sums == twin.withLock { $0.sums })
      #expect(test.log.journal.recovery.last >= durable)
    }
    #expect(test.log.snapshots.newest > 0)
  }

  @Test func `REC-02 a thread of its own writes while others append`() throws {
    let folder = TemporaryFolder()
    var snapshotting = SnapshotSettings()
    snapshotting.every = 100
    let written = WrittenCount()
    snapshotting.report = { _ in written.count.withLock { $0 += 1 } }
    var log = try Journaled(folder.path, JournalSettings(), snapshotting, empty: Sums())
    for number in 0..<2_000 {
      _ = try log.commit([UInt8(number % 11), UInt8(truncatingIfNeeded: number)], for: .business)
    }
    let before = log.state.sums
    log.close()

    let again = try Journaled(folder.path, JournalSettings(), snapshotting, empty: Sums())
    #expect(again.state.sums == before)
    #expect(again.state.folded == 0)
    #expect(written.count.withLock { $0 } > 0)
    again.close()
  }
}

private final class WrittenCount: Sendable {
  let count = Mutex(0)
}
