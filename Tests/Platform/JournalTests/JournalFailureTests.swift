import Chrono
import Glibc
import Journal
import Loop
import Seeds
import Synchronization
import Testing

/// A journal, its disk and its clock; nothing happens but by the test's hand.
final class JournalUnderTest {
  static let folder = "/journal"

  let disk: SimulatedDisk
  let time = SimulatedTime()
  let steps: StepQueue
  private(set) var journal: Journal
  private(set) var replayed: [[UInt8]] = []
  private var settings: JournalSettings

  init(bytesMax: Int = .max, epoch: UInt64 = 0, isReplicated: Bool = false) throws {
    disk = SimulatedDisk(bytesMax: bytesMax, time: time, isReplicated: isReplicated)
    steps = StepQueue(time)
    settings = JournalSettings()
    settings.segmentBytes = 4096
    settings.recordBytesMax = 1024
    settings.reserveBytes = 1024
    settings.disk = disk
    settings.time = time
    settings.epoch = epoch
    settings.driver = .steps(JournalSteps(latency: .zero, schedule: steps.schedule))
    journal = try Journal.open(Self.folder, settings)
  }

  /// Admits one group; whether it is durable is another matter.
  @discardableResult
  func admit(_ records: [[UInt8]], _ use: JournalUse = .business) throws(JournalError) -> UInt64 {
    let room = try journal.reserve(JournalRoom.Size(records), for: use)
    return journal.append(records, in: room).last
  }

  func append(_ size: Int, _ use: JournalUse = .business) throws {
    let last = try admit([Array(repeating: 7, count: size)], use)
    steps.advance(by: .zero)
    #expect(journal.durable == last)
  }

  /// The machine or the process ends, and the journal is opened again.
  func restart(
    _ crash: DiskCrash, epoch: UInt64 = 0, _ random: inout SeededGenerator
  ) throws {
    disk.crash(crash, using: &random)
    steps.advance(by: .seconds(3600))
    replayed = []
    settings.epoch = epoch
    journal = try Journal.open(Self.folder, settings) { replayed.append($0.payload) }
  }
}

@Suite struct `A journal whose disk refuses` {
  private let test: JournalUnderTest

  init() throws { test = try JournalUnderTest() }

  @Test(arguments: [DiskFault.failedSync(code: EIO), .failedWrite(code: EIO)])
  func `REC-08 writes again what did not reach the disk and voids the doubtful end`(
    _ fault: DiskFault
  ) throws {
    let told = Mutex<[JournalError?]>([])
    test.journal.onFailureChange { failure in told.withLock { $0.append(failure) } }
    try test.append(100)
    test.disk.inject(fault)

    try test.admit([[2], [3]])
    test.steps.advance(by: .zero)

    #expect(test.journal.durable == 1)
    let failure = try #require(test.journal.failure)
    #expect(throws: failure) { try test.admit([[4]]) }
    #expect(throws: failure) { try test.admit([[4]], .essential) }
    test.steps.advance(by: .milliseconds(250))
    #expect(test.journal.durable == 3)
    #expect(test.journal.failure == nil)
    #expect(told.withLock { $0 } == [nil, failure, nil])
    try test.append(1)
    var cursor = test.journal.records(from: 2)
    #expect(try cursor.nextRecord()?.payload == [2])

    var random = SeededGenerator(seed: 1)
    try test.restart(.power, &random)
    #expect(test.replayed.map(\.count) == [100, 1, 1, 1])
    #expect(try test.admit([[5]]) == 5)
  }

  @Test func `REC-08 fails for as long as the disk does, and loses nothing`() throws {
    try test.append(1000)
    for _ in 0..<20 { test.disk.inject(.failedSync(code: EIO)) }

    try test.admit([[2]])
    for _ in 0..<40 { test.steps.advance(by: .milliseconds(250)) }

    #expect(test.journal.durable == 2)
    #expect(test.journal.failure == nil)
    var random = SeededGenerator(seed: 2)
    try test.restart(.power, &random)
    #expect(test.replayed.map(\.count) == [1000, 1])
  }

  @Test func `a full disk refuses new business first, and what must be known last`() throws {
    // Two segments and not a byte more.
    test.disk.bytesMax = 2 * 4096
    var admitted = 0
    var refusal: JournalError?
    while refusal == nil {
      do throws(JournalError) {
        try test.admit([Array(repeating: 1, count: 300)])
        admitted += 1
        test.steps.advance(by: .zero)
      } catch { refusal = error }
    }

    #expect(refusal == .full(left: 4096 - 64 - 320 * 9, reserve: 1024))
    #expect(admitted == 12 + 9)
    #expect(test.journal.failure == refusal)
    #expect(test.journal.durable == UInt64(admitted))
    for _ in 0..<3 { try test.append(300, .essential) }
    #expect(throws: JournalError.self) {
      try test.admit([Array(repeating: 1, count: 300)], .essential)
    }
    #expect(test.journal.durable == UInt64(admitted + 3))

    test.disk.bytesMax = 4 * 4096
    #expect(throws: JournalError.self) { try test.admit([[1]]) }
    test.steps.advance(by: .milliseconds(250))
    #expect(test.journal.failure == nil)
    for _ in 0..<12 { try test.append(300) }
  }

  @Test func `a journal opens on a disk that is full, with what room it has`() throws {
    test.disk.bytesMax = 2 * 4096
    for _ in 0..<20 { try test.append(300) }
    var random = SeededGenerator(seed: 3)

    try test.restart(.process, epoch: 9, &random)

    #expect(test.replayed.count == 20)
    #expect(throws: JournalError.self) { for _ in 0..<20 { try test.append(300) } }
    try test.append(300, .essential)
    test.disk.bytesMax = .max
    test.steps.advance(by: .milliseconds(250))
    for _ in 0..<20 { try test.append(300) }
    #expect(test.journal.failure == nil)
  }

  @Test func `REC-02 each opening that brings an epoch is told from the others`() throws {
    var random = SeededGenerator(seed: 4)
    try test.append(10)
    try test.restart(.process, epoch: 11, &random)
    #expect(test.journal.epoch == 11)
    try test.append(10)
    try test.append(10)
    try test.restart(.process, epoch: 12, &random)
    try test.restart(.process, epoch: 13, &random)
    try test.append(10)

    #expect((1...4).map { test.journal.epoch(of: $0) } == [0, 11, 11, 13])
    #expect(test.replayed.count == 3)
  }
}

/// Seeded faults against a twin that knows what was admitted and what was called durable.
@Suite struct `A journal under seeded faults` {
  private static let honest: [DiskFault] = [
    .failedWrite(code: EIO), .failedSync(code: EIO), .failedAllocation(code: ENOSPC),
  ]
  private static let lies: [DiskFault] = [
    .lostSync, .lostWrite, .misdirectedWrite(by: 512), .misdirectedWrite(by: -700),
  ]

  private func live(
    _ test: JournalUnderTest, _ faults: [DiskFault], _ admitted: inout [[UInt8]],
    _ ends: inout Set<Int>, _ random: inout SeededGenerator
  ) {
    for _ in 0..<Int.random(in: 1...60, using: &random) {
      switch Int.random(in: 0..<10, using: &random) {
      case 0: test.disk.inject(faults.randomElement(using: &random)!)
      case 1: test.steps.advance(by: .milliseconds(Int.random(in: 0...300, using: &random)))
      default:
        let group = (0..<Int.random(in: 1...3, using: &random)).map { _ in
          let size = Int.random(in: 0...600, using: &random)
          return [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: size)
        }
        do throws(JournalError) {
          let use = Bool.random(using: &random) ? JournalUse.business : .essential
          let last = try test.admit(group, use)
          admitted += group
          ends.insert(admitted.count)
          #expect(last == UInt64(admitted.count))
        } catch {}
        if Bool.random(using: &random) { test.steps.advance(by: .zero) }
      }
    }
  }

  @Test(arguments: 0..<60)
  func `TST-04 over crashes and refusals exactly what was called durable comes back`(
    seed: Int
  ) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let test = try JournalUnderTest(bytesMax: 40 * 4096)
    var admitted: [[UInt8]] = []
    // How many records there were at the end of each append.
    var ends: Set<Int> = [0]
    for _ in 0..<6 {
      live(test, Self.honest, &admitted, &ends, &random)
      let durable = Int(test.journal.durable)
      if Bool.random(using: &random) {
        test.disk.cutPower(after: Int.random(in: 0...3000, using: &random))
        live(test, Self.honest, &admitted, &ends, &random)
      }
      do {
        let epoch = UInt64.random(in: 0...3, using: &random)
        try test.restart(Bool.random(using: &random) ? .power : .process, epoch: epoch, &random)
      } catch JournalError.storage(let error, _) where error.code == ENOSPC {
        return
      }
      let found = test.replayed.count
      #expect(found >= durable, "seed \(seed): \(durable) were durable, \(found) came back")
      let isPrefix = test.replayed.elementsEqual(admitted.prefix(found))
      #expect(isPrefix, "seed \(seed)")
      #expect(ends.contains(found), "seed \(seed): a part of an append came back")
      admitted = test.replayed
    }
  }

  @Test(arguments: 0..<60)
  func `TST-04 a disk that lies is found out or loses an end, and never invents`(
    seed: Int
  ) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let test = try JournalUnderTest()
    var admitted: [[UInt8]] = []
    // How many records there were at the end of each append.
    var ends: Set<Int> = [0]
    for _ in 0..<4 {
      live(test, Self.honest + Self.lies, &admitted, &ends, &random)
      do {
        try test.restart(Bool.random(using: &random) ? .power : .process, &random)
      } catch is JournalError {
        return
      }
      let isPrefix = test.replayed.elementsEqual(admitted.prefix(test.replayed.count))
      #expect(isPrefix, "seed \(seed)")
      admitted = test.replayed
    }
  }
}
