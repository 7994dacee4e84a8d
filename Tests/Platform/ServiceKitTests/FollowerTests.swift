import Calls
import Journal
import Loop
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing

/// A log of numbers that a test writes, and that may become another one.
private final class ScriptedLog: Sendable {
  struct Event: Sendable {
    let position: LogPosition
    let number: Int
  }

  private let state = Mutex<[Event]>([])
  private let answersChecks: Bool

  init(answersChecks: Bool = true) { self.answersChecks = answersChecks }

  func write(_ numbers: Int...) {
    state.withLock { events in
      for number in numbers {
        let sequence = UInt64(events.count + 1)
        let mark = UInt64(bitPattern: Int64(number)) << 8 | 1
        events.append(
          Event(position: LogPosition(sequence: sequence, mark: mark), number: number))
      }
    }
  }

  /// As after the restore of an older copy.
  func cut(to count: Int) { state.withLock { $0 = Array($0.prefix(count)) } }

  var source: LogSource<Event> {
    LogSource(
      "numbers", of: "the script",
      target: { [self] in state.withLock { UInt64($0.count) } },
      open: { [self] position in
        let events = state.withLock { $0 }
        if position.sequence > 0, answersChecks {
          let known = events.first { $0.position.sequence == position.sequence }
          guard known?.position == position else {
            throw LogReplaced("another").error(of: "script")
          }
        }
        let rest = Mutex(events.filter { $0.position.sequence > position.sequence })
        return LogReading(
          next: { rest.withLock { $0.isEmpty ? nil : $0.removeFirst() } }, cancel: {})
      },
      position: { $0.position })
  }
}

@Suite struct `A follower` {
  private final class Reader: Sendable {
    let numbers = Mutex<[Int]>([])

    func apply(_ number: Int) throws {
      guard number >= 0 else { throw RPCError(.invalidArgument, "\(number) is negative") }
      numbers.withLock { $0.append(number) }
    }
  }

  private func with(
    _ log: ScriptedLog, misfit: Follower<ScriptedLog.Event>.Misfit = .stop,
    startsOver: Bool = true,
    _ body:
      @escaping @Sendable (Follower<ScriptedLog.Event>, Reader, ServiceContext) async throws
      -> Void
  ) async throws {
    try await withLoop { loop in
      let context = ServiceContext(
        name: "oms", loop: loop, state: StateFolder("/tmp"), connect: { _ in fatalError() })
      let reader = Reader()
      let forget: Follower<ScriptedLog.Event>.Replacement =
        startsOver ? .startOver { reader.numbers.withLock { $0 = [] } } : .stop
      let follower = Follower(log.source, context, misfit: misfit, replacement: forget) {
        try reader.apply($0.number)
      }
      try await body(follower, reader, context)
    }
  }

  /// One connection, to its end.
  private static func read(_ follower: Follower<ScriptedLog.Event>) async {
    do { try await follower.run() } catch {}
  }

  @Test func `resumes behind what it has read, and is caught up when it has what there was`()
    async throws
  {
    let log = ScriptedLog()
    log.write(1, 2)
    try await with(log) { follower, reader, context in
      #expect(context.readiness.missing.map(\.name) == ["numbers caught up"])
      await Self.read(follower)
      #expect(context.readiness.missing.isEmpty)
      log.write(3)
      await Self.read(follower)

      #expect(reader.numbers.withLock { $0 } == [1, 2, 3])
      #expect(follower.position.sequence == 3)
      // The stream has ended, which is told and is no reason not to serve.
      #expect(context.readiness.degraded.map(\.name) == ["numbers followed"])
    }
  }

  @Test(arguments: [0, 1, 2])
  func `REC-02 a log that was replaced is read from its beginning`(kept: Int) async throws {
    let log = ScriptedLog()
    log.write(1, 2, 3)
    try await with(log) { follower, reader, context in
      await Self.read(follower)

      // Shorter than what was read, as long, and longer: a sequence alone tells only the first.
      log.cut(to: kept)
      log.write(7, 8)
      await Self.read(follower)
      #expect(context.readiness.missing.map(\.name) == ["numbers caught up"])
      #expect(reader.numbers.withLock { $0.isEmpty })
      await Self.read(follower)

      #expect(reader.numbers.withLock { $0 } == Array([1, 2, 3].prefix(kept)) + [7, 8])
      #expect(context.readiness.missing.isEmpty)
    }
  }

  @Test func `REC-02 a follower that may not start over stops, and says why`() async throws {
    let log = ScriptedLog(answersChecks: false)
    log.write(1, 2, 3)
    try await with(log, startsOver: false) { follower, reader, context in
      await Self.read(follower)
      log.cut(to: 1)
      try await follower.run()
      log.write(2, 3, 4)
      try await follower.run()

      #expect(reader.numbers.withLock { $0 } == [1, 2, 3])
      let reason = context.readiness.missing.first?.reason
      #expect(
        reason
          == "the log of the script was replaced: event 3 of the script was read, and its log ends at 1"
      )
    }
  }

  @Test func `REC-02 an event that does not apply is set aside, counted and told`() async throws {
    let log = ScriptedLog()
    log.write(1, -2, 3)
    try await with(log, misfit: .setAside) { follower, reader, context in
      await Self.read(follower)
      await Self.read(follower)

      #expect(reader.numbers.withLock { $0 } == [1, 3])
      #expect(context.readiness.missing.isEmpty)
      let told = context.readiness.degraded.first { $0.name == "numbers set aside" }
      #expect(
        told?.reason
          == "1 events do not apply; the last is 2: INVALID_ARGUMENT: -2 is negative")
      let metrics = context.metrics.exposition()
      #expect(metrics.contains(#"log_set_aside_total{log="numbers"} 1"#))
    }
  }

  @Test func `REC-02 a follower that stops at a misfit names it and never tries again`()
    async throws
  {
    let log = ScriptedLog()
    log.write(1, -2, 3)
    try await with(log, misfit: .stop) { follower, reader, context in
      try await follower.run()
      try await follower.run()

      #expect(reader.numbers.withLock { $0 } == [1])
      #expect(
        context.readiness.missing.first?.reason.hasPrefix("event 2 of the script does not apply")
          == true)
    }
  }
}

@Suite struct `A journal and who has read it` {
  @Test func `REC-02 a reader before the oldest segment is told where the journal begins`()
    async throws
  {
    let folder = try TemporaryFolder()
    var settings = JournalSettings()
    settings.segmentBytes = 4_096
    settings.recordBytesMax = 1_024
    settings.retention = .init(ageMax: nil, bytesMax: 1) { _ in true }
    let journal = try Journal.open(folder.path, settings)
    for _ in 0..<40 { _ = try await journal.append([UInt8](repeating: 7, count: 1_000)) }
    journal.close()
    let oldest = journal.oldest
    #expect(oldest > 2)

    let refusal = #expect(throws: RPCError.self) {
      _ = try journal.records(behind: .start, of: "execution-router")
    }
    #expect(refusal?.code == .outOfRange)
    #expect(refusal?.message.hasPrefix("records before \(oldest) have left the journal") == true)
    let position = LogPosition(sequence: oldest - 1, mark: 0)
    var cursor = try journal.records(behind: position, of: "execution-router")
    #expect(try cursor.nextRecord()?.sequence == oldest)
  }

  @Test func `REC-02 a reader of another history is told so, wherever it stands`() async throws {
    let (first, copy) = (try TemporaryFolder(), try TemporaryFolder())
    let settings = JournalSettings()
    let journal = try Journal.open(first.path, settings)
    _ = try await journal.append(contentsOf: [[1], [2], [3]])
    var cursor = journal.records(from: 1)
    var seen: [LogPosition] = []
    while let record = try cursor.nextRecord() { seen.append(LogPosition(record)) }
    journal.close()

    // As after the restore of a copy that had one record: two others follow it.
    let restored = try Journal.open(copy.path, settings)
    _ = try await restored.append(contentsOf: [[1], [8]])

    #expect(try journal.replacement(of: seen[2]) == nil)
    #expect(try restored.replacement(of: .start) == nil)
    #expect(try restored.replacement(of: seen[0]) == nil)
    #expect(
      try restored.replacement(of: seen[1])?.description
        == "record 2 of the journal is not the one that was read before")
    #expect(
      try restored.replacement(of: seen[2])?.description
        == "record 3 was read before, and the journal ends at 2")
    // A reader of an earlier version does not say what it has read.
    #expect(try restored.replacement(of: LogPosition(sequence: 2, mark: 0)) == nil)
    let refusal = #expect(throws: RPCError.self) {
      _ = try restored.records(behind: seen[2], of: "oms")
    }
    #expect(refusal.flatMap(LogReplaced.init) != nil)
    restored.close()
  }
}
