import Journal
import Seeds
import Testing

/// A disk that says yes and has not done it.
@Suite struct `A journal whose disk lies` {
  private let test: JournalUnderTest
  private var random = SeededGenerator(seed: 5)

  init() throws { test = try JournalUnderTest(isReplicated: true) }

  @Test(arguments: [
    DiskFault.lostWrite, .misdirectedWrite(by: 512), .misdirectedWrite(by: 1_700),
    .misdirectedWrite(by: -90), .misdirectedWrite(by: -9_000),
  ])
  mutating func
    `REC-08 a lost or misdirected write is refused at the next start, by name and place`(
      _ fault: DiskFault
    ) throws
  {
    try test.append(100)
    test.disk.inject(fault)
    for _ in 0..<3 { try test.append(100) }
    #expect(test.disk.writesBehindDamage == 2)

    do {
      try test.restart(.process, &random)
      Issue.record("a journal with a hole was opened")
    } catch JournalError.damaged(let file, let offset, let reason) {
      #expect(file.hasPrefix(JournalUnderTest.folder))
      #expect(offset >= 0 && !reason.isEmpty)
    }

    // Whoever has a second copy has lost nothing.
    test.disk.restoreReplica()
    try test.restart(.process, &random)
    #expect(test.replayed.map(\.count) == [100, 100, 100, 100])
    try test.append(100)
  }

  @Test mutating func `REC-08 a lost write behind which nothing follows is a shorter log`() throws {
    try test.append(100)
    test.disk.inject(.lostWrite)
    try test.append(50)
    #expect(test.disk.writesBehindDamage == 0)

    try test.restart(.process, &random)

    // Nothing in it can tell; who has read record 2 can, for there is none or another one now.
    #expect(test.replayed.map(\.count) == [100])
    #expect(test.journal.durable == 1)
  }

  @Test mutating func `REC-08 a sync that saved nothing is made good by the next one that does`()
    throws
  {
    try test.append(100)
    test.disk.inject(.lostSync)
    try test.append(50)
    try test.append(60)

    try test.restart(.power, &random)

    #expect(test.replayed.map(\.count) == [100, 50, 60])
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `REC-08 what goes with the power after such a sync is the end of the log and nothing else`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let test = try JournalUnderTest()
    try test.append(100)
    test.disk.inject(.lostSync)
    try test.append(50)

    try test.restart(.power, &random)

    #expect([[100], [100, 50]].contains(test.replayed.map(\.count)))
    try test.append(60)
    try test.restart(.power, &random)
    #expect(test.replayed.last?.count == 60)
  }

  @Test mutating func `REC-08 a copy that is put back is the log of its moment`() throws {
    try test.append(100)
    let image = test.disk.image
    try test.append(50)
    try test.append(60)

    test.disk.crash(.process, using: &random)
    test.disk.restore(image)
    try test.restart(.process, &random)
    #expect(test.replayed.map(\.count) == [100])
    try test.append(70)
    try test.restart(.power, &random)
    #expect(test.replayed.map(\.count) == [100, 70])
  }
}
