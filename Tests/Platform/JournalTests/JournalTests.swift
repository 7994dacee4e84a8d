import Chrono
import Foundation
import Loop
import Synchronization
import Testing

@testable import Journal

func smallSettings(segmentBytes: Int = 4096) -> JournalSettings {
  var settings = JournalSettings()
  settings.segmentBytes = segmentBytes
  settings.recordBytesMax = 1024
  return settings
}

func replayed(
  _ path: String, _ settings: JournalSettings = smallSettings(), from: UInt64 = 1
) throws -> (journal: Journal, records: [JournalRecord]) {
  var records: [JournalRecord] = []
  let journal = try Journal.open(path, settings, from: from) { records.append($0) }
  return (journal, records)
}

@Suite struct `A journal` {
  private let folder = TemporaryFolder()

  @Test func `replays what was appended in order, and sequences go on`() async throws {
    let payloads = [[1, 2, 3], [], [UInt8](repeating: 0, count: 1024)]
    let journal = try Journal.open(folder.path, smallSettings())
    for (index, payload) in payloads.enumerated() {
      #expect(try await journal.append(payload) == UInt64(index + 1))
    }
    journal.close()

    let again = try replayed(folder.path)

    #expect(again.records.map(\.payload) == payloads)
    #expect(again.journal.recovery == JournalRecovery(first: 1, last: 3, segments: 1, cutBytes: 0))
    #expect(try await again.journal.append([9]) == 4)
  }

  @Test func `REC-01 rotates into preallocated segments named for their first record`() async throws
  {
    let journal = try Journal.open(folder.path, smallSettings())

    for index in 0..<10 {
      _ = try await journal.append(Array(repeating: UInt8(index), count: 1000))
    }

    #expect(
      folder.files.map { $0.suffix(10) } == [
        "01.journal", "04.journal", "07.journal", "10.journal",
      ])
    #expect(try folder.read(1).count == 64 + 3 * 1020)
    #expect(try folder.read(10).count == 4096)
    journal.close()
    let again = try replayed(folder.path)
    #expect(again.records.map(\.sequence) == Array(1...10))
    again.journal.close()
    let late = try replayed(folder.path, from: 8)
    #expect(late.records.map(\.sequence) == [8, 9, 10])
  }

  @Test func `a group lies in one segment, and one that no segment holds is refused`() async throws
  {
    let journal = try Journal.open(folder.path, smallSettings())
    let group = (0..<7).map { [UInt8](repeating: $0, count: 500) }
    _ = try await journal.append([UInt8](repeating: 9, count: 1000))

    #expect(try await journal.append(contentsOf: group) == 8)
    await #expect(throws: JournalError.recordTooLarge(bytes: 8 * 520, max: 4096 - 64)) {
      try await journal.append(contentsOf: group + [group[0]])
    }

    journal.close()
    #expect(folder.files.map { $0.suffix(10) } == ["01.journal", "02.journal"])
    #expect(try replayed(folder.path).records.dropFirst().map(\.payload) == group)
  }

  @Test func `many appenders share a sync and stay on their loop`() async throws {
    let journal = try Journal.open(folder.path, smallSettings(segmentBytes: 1 << 20))
    let loop = EventLoop()
    let thread = loop.start()
    let count = 500

    let results = try await withThrowingTaskGroup(of: (UInt64, Bool).self) { group in
      for _ in 0..<count {
        group.addTask(executorPreference: loop) {
          let sequence = try await journal.append([1])
          return (sequence, loop.isCurrent)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    loop.stop()
    thread.join()

    #expect(results.map(\.0).sorted() == Array(1...UInt64(count)))
    #expect(!results.map(\.1).contains(false))
    #expect(journal.statistics.records == UInt64(count))
    #expect(journal.statistics.commits < UInt64(count))
  }

  @Test func `a second opener is refused until the first is gone`() throws {
    var journal: Journal? = try Journal.open(folder.path, smallSettings())
    #expect(throws: JournalError.locked(directory: folder.path)) {
      try Journal.open(folder.path, smallSettings())
    }
    #expect(journal?.failure == nil)
    journal = nil

    #expect(throws: Never.self) { try Journal.open(folder.path, smallSettings()) }
  }

  @Test func `limits are refusals, not failures`() async throws {
    var settings = smallSettings()
    settings.appendsInFlightMax = 3
    let loop = EventLoop()
    settings.driver = .on(loop, latency: .milliseconds(1))
    let thread = loop.start()
    let journal = try Journal.open(folder.path, settings)
    // On one loop in the order of their making: when the fourth runs, three wait for the disk.
    let waiting = (0..<3).map { _ in
      Task(executorPreference: loop) { try await journal.append([7]) }
    }
    await Task(executorPreference: loop) {
      await #expect(throws: JournalError.tooManyInFlight(max: 3)) { try await journal.append([8]) }
      await #expect(throws: JournalError.recordTooLarge(bytes: 1025, max: 1024)) {
        try await journal.append(Array(repeating: 1, count: 1025))
      }
    }.value

    #expect(try await waiting[2].value == 3)
    let last = Task(executorPreference: loop) { try await journal.append([9]) }
    #expect(try await last.value == 4)
    loop.stop()
    thread.join()
  }

  @Test func `a closed journal refuses, after writing what was pending`() async throws {
    let journal = try Journal.open(folder.path, smallSettings())
    async let last = journal.append([1])
    _ = try await last

    journal.close()
    journal.close()

    await #expect(throws: JournalError.closed) { try await journal.append([2]) }
  }

  @Test func `retention removes whole old segments once they may go`() throws {
    var settings = smallSettings()
    let released = Atomic<UInt64>(0)
    let time = SimulatedTime(start: SystemTime().now)
    settings.time = time
    settings.tailBytesMax = 0
    settings.retention = JournalSettings.Retention(ageMax: .seconds(3600), bytesMax: 9000) { last in
      last <= released.load(ordering: .relaxed)
    }
    let steps = StepQueue(time)
    settings.driver = .steps(JournalSteps(latency: .zero, schedule: steps.schedule))
    let journal = try Journal.open(folder.path, settings)
    func fill(_ count: Int) throws {
      for _ in 0..<count {
        let record = [UInt8](repeating: 5, count: 1000)
        let room = try journal.reserve(JournalRoom.Size([record]), for: .essential)
        _ = journal.append([record], in: room)
        steps.advance(by: .zero)
      }
    }

    try fill(12)
    #expect(folder.files.count == 4)
    released.store(3, ordering: .relaxed)
    try fill(3)
    #expect(journal.oldest == 4)
    released.store(.max, ordering: .relaxed)
    steps.advance(by: .seconds(7200))
    try fill(3)

    #expect(journal.oldest >= 13)
    var cursor = journal.records(from: 1)
    #expect(throws: JournalError.removed(sequence: 1)) { try cursor.nextRecord() }
    journal.close()
    #expect(throws: JournalError.removed(sequence: 1)) { try Journal.open(folder.path, settings) }
    let oldest = UInt64(folder.files[0].prefix(20))!
    #expect(try replayed(folder.path, from: oldest).records.first?.sequence == oldest)
  }
}

@Suite struct `A journal's cursor` {
  private let folder = TemporaryFolder()

  @Test func `reads across segments while others append, then follows`() async throws {
    let journal = try Journal.open(folder.path, smallSettings())
    for index in 0..<20 { _ = try await journal.append(Array(repeating: UInt8(index), count: 700)) }
    var cursor = journal.records(from: 6)
    var seen: [UInt64] = []
    while let record = try cursor.nextRecord() { seen.append(record.sequence) }
    #expect(seen == Array(6...20))

    let follower = Task { [cursor] in
      var cursor = cursor
      var seen: [UInt64] = []
      while seen.count < 30, let record = try await cursor.followingRecord() {
        #expect(record.payload == Array(repeating: UInt8(record.sequence), count: 500))
        seen.append(record.sequence)
      }
      return seen
    }
    for index in 21...50 {
      _ = try await journal.append(Array(repeating: UInt8(index), count: 500))
    }

    #expect(try await follower.value == Array(21...50))
  }

  @Test func `a waiting cursor ends when its task is cancelled or the journal closes`() async throws
  {
    let journal = try Journal.open(folder.path, smallSettings())
    let cancelled = Task {
      var cursor = journal.records(from: 1)
      return try await cursor.followingRecord()
    }
    let closed = Task {
      var cursor = journal.records(from: 1)
      return try await cursor.followingRecord()
    }

    cancelled.cancel()
    #expect(try await cancelled.value == nil)
    journal.close()

    #expect(try await closed.value == nil)
  }
}
