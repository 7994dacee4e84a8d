import Chrono
import Glibc
import Journal
import Loop

/// `journal.append-synced`: from append to on the disk, for one task that appends again and again
/// (nothing to share a sync with) and for 64 of them. The peer is what the disk itself takes:
/// pwrite and fdatasync of the same bytes, in a preallocated file, on one thread.
enum JournalAppends {
  private static let recordBytes = 128
  private static let appends = 3_000
  private static let tasks = 64
  private static let appendsPerTask = 500

  static func run() throws -> [Figures] {
    let workspace = try Workspace("journal")
    let raw = try rawSyncs(workspace).sorted()
    let alone = try append(workspace, tasks: 1, each: appends)
    let together = try append(workspace, tasks: tasks, each: appendsPerTask)

    return [
      figures("journal.append-synced", alone, raw),
      figures("journal.append-synced.64", together, raw),
    ]
  }

  private struct Outcome: Sendable {
    var nanoseconds: [Double]
    var elapsed: Double
    var recordsPerSync: Double
  }

  private static func figures(_ name: String, _ outcome: Outcome, _ raw: [Double]) -> Figures {
    var figures = Figures(name, samples: outcome.nanoseconds)
    figures.operationsPerSecond = Double(outcome.nanoseconds.count) * 1e9 / outcome.elapsed
    let rawPerSecond = 1e9 * Double(raw.count) / raw.reduce(0, +)
    figures.peer = "pwrite and fdatasync"
    figures.ratio = (figures.operationsPerSecond ?? 0) / rawPerSecond
    figures.more = [
      ("peer_p50_ns", raw.quantile(0.5)), ("peer_ops_per_s", rawPerSecond),
      ("records_per_sync", outcome.recordsPerSync),
    ]
    return figures
  }

  private static func append(_ workspace: Workspace, tasks: Int, each: Int) throws -> Outcome {
    let journal = try Journal.open("\(workspace.path)/of-\(tasks)")
    defer { journal.close() }
    let record = [UInt8](repeating: 0x5a, count: recordBytes)
    return try onLoop { loop in
      for _ in 0..<50 { _ = try await journal.append(record) }
      let before = journal.statistics
      let start = loop.uptime.nanoseconds
      let nanoseconds = try await withThrowingTaskGroup(of: [Double].self) { group in
        for _ in 0..<tasks {
          group.addTask(executorPreference: loop) { try await times(journal, record, each, loop) }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      let elapsed = Double(loop.uptime.nanoseconds - start)
      let after = journal.statistics
      let syncs = Double(max(1, after.commits - before.commits))
      return Outcome(
        nanoseconds: nanoseconds, elapsed: elapsed,
        recordsPerSync: Double(after.records - before.records) / syncs)
    }
  }

  private static func times(
    _ journal: Journal, _ record: [UInt8], _ count: Int, _ loop: EventLoop
  ) async throws -> [Double] {
    var times: [Double] = []
    times.reserveCapacity(count)
    for _ in 0..<count {
      let start = loop.uptime.nanoseconds
      _ = try await journal.append(record)
      times.append(Double(loop.uptime.nanoseconds - start))
    }
    return times
  }

  private static func rawSyncs(_ workspace: Workspace) throws -> [Double] {
    let file = "\(workspace.path)/raw"
    let fd = creat(file, 0o600)
    guard fd >= 0 else { throw Broken("\(file): \(SystemCall.lastError)") }
    defer { close(fd) }
    let block = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<8 where write(fd, block, block.count) != block.count {
      throw Broken("\(file): \(SystemCall.lastError)")
    }
    fsync(fd)
    let record = [UInt8](repeating: 0x5a, count: recordBytes)
    let time = SystemTime()
    var times: [Double] = []
    for number in 0..<appends {
      let start = time.uptime.nanoseconds
      let written = pwrite(fd, record, record.count, number * recordBytes)
      guard written == recordBytes, fdatasync(fd) == 0 else {
        throw Broken("\(file): \(SystemCall.lastError)")
      }
      times.append(Double(time.uptime.nanoseconds - start))
    }
    return times
  }
}
