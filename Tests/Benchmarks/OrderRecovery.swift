import Calls
import Chrono
import Contracts
import Glibc
import Journal
import Loop
import OMSService
import ServiceKit
import Synchronization

/// `oms.recovery`: from opening the journal to orders, after a million events of half a million orders
/// that the oms has taken itself, with the snapshots that it has written meanwhile, as a crash at that
/// moment finds them. PostgreSQL has what is older; `whole_s` is the same without snapshots.
///
/// `oms.snapshot.1m`: what orders wait for while a million done ones are being written down, again and
/// again: the longest time in which the oms's loop did nothing else (`pause_ms`, and `pause_without_ms`
/// of the same load without snapshots), and submits one after another. A load that fills the loop has a
/// queue, and waits for that.
enum OrderRecovery {
  private static let events = 1_000_000

  static func run() throws -> [Figures] {
    let workspace = try Workspace("oms-recovery")
    return [try recovery(workspace.path), try pause(workspace.path)]
  }

  private static func recovery(_ path: String) throws -> Figures {
    let (live, crashed) = ("\(path)/live", "\(path)/crashed")
    let count = events / 2
    try onLoop { loop in
      try await SubmitsWithHistory.write(0, live + "/journal/oms", loop)
      let oms = try await OMSUnderLoad(live, RecordedStore(loop: loop), [], loop)
      _ = try await oms.submit(count, "o")
      try copy(live, crashed)
      await oms.stop()
    }
    var figures = Figures("oms.recovery", samples: try starts(crashed, 5))
    let newest = try Child.output(of: [
      "/bin/sh", "-c", "ls \(crashed)/journal/oms | grep '[.]snapshot$' | tail -1 | tr -dc 0-9",
    ])
    let whole = "\(path)/whole"
    try copy(crashed, whole)
    _ = try Child.output(of: ["/bin/sh", "-c", "rm \(whole)/journal/oms/*.snapshot"])
    figures.more = [
      ("events", Double(events)), ("snapshot_at", Double(newest) ?? 0),
      ("resident_mb", OMSUnderLoad.residentMegabytes),
      ("whole_s", try starts(whole, 1)[0] / 1e9),
    ]
    return figures
  }

  private static func starts(_ path: String, _ times: Int) throws -> [Double] {
    try (0..<times).map { number in
      let folder = "\(path)-\(number)"
      try copy(path, folder)
      return try onLoop { loop in
        let start = loop.uptime.nanoseconds
        let (oms, _) = try OMSUnderLoad.open(folder, [], RecordedStore(loop: loop), [], loop)
        let took = Double(loop.uptime.nanoseconds - start)
        await oms.stop()
        return took
      }
    }
  }

  private static func pause(_ path: String) throws -> Figures {
    let folder = "\(path)/large"
    try onLoop { try await SubmitsWithHistory.write(1_000_000, folder + "/journal/oms", $0) }
    try copy(folder, folder + "-still")
    // The machine and its disk stop the loop as well: only what is more than that is the snapshots'.
    let (_, still) = try submits(folder + "-still", snapshotEvery: 0)
    let (times, pause) = try submits(folder, snapshotEvery: 1_000)
    var figures = Figures("oms.snapshot.1m", samples: times)
    figures.more = [
      ("pause_ms", pause / 1e6), ("pause_without_ms", still / 1e6),
      ("p999_ns", times.sorted().quantile(0.999)), ("max_ms", (times.max() ?? 0) / 1e6),
    ]
    return figures
  }

  /// The times of orders, and the longest pause of the loop.
  private static func submits(
    _ folder: String, snapshotEvery: Int
  ) throws -> (times: [Double], pause: Double) {
    try onLoop { loop in
      let oms = try await OMSUnderLoad(
        folder, RecordedStore(loop: loop),
        ["oms.orders_kept_max=1000000", "oms.snapshot_records=\(snapshotEvery)"], loop)
      let gaps = LongestGap()
      let ticker = loop.spawn { await gaps.watch(loop) }
      let times = try await oms.submit(20_000, "p", tasks: 1)
      ticker.cancel()
      await oms.stop()
      return (times, gaps.nanoseconds)
    }
  }

  private static func copy(_ from: String, _ to: String) throws {
    _ = try Child.output(of: ["/bin/cp", "-r", from, to])
  }
}

/// Beyond the millisecond that was asked for, the longest time until a sleeper was woken.
private final class LongestGap: Sendable {
  private let longest = Mutex(0.0)

  var nanoseconds: Double { longest.withLock { $0 } }

  func watch(_ loop: EventLoop) async {
    while !Task.isCancelled {
      let start = loop.uptime.nanoseconds
      await loop.sleep(for: .milliseconds(1))
      let gap = Double(loop.uptime.nanoseconds - start) - 1e6
      longest.withLock { $0 = max($0, gap) }
    }
  }
}
