import CAllocationCount
import CLinux
import Chrono
import Glibc
import SharedRing

/// A ring in shared memory between two processes, each on a core of its own and never asleep.
enum RingBenchmark {
  static let command = "ring-peer"
  private static let total: UInt64 = 40_000_000
  private static let rounds = 5

  static func run() throws -> [Figures] {
    guard sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 else {
      throw Skipped(reason: "two processes that spin need two cores")
    }
    return [try oneWay(), try throughput(), try wakeUp()]
  }

  /// Half of the time from writing an entry until its echo has been read.
  private static func oneWay() throws -> Figures {
    let files = try Files("one-way")
    let child = try files.child("echo")
    defer { child.stop() }
    var there = try RingWriter(files.there)
    var back = try RingReader(files.back)
    let time = SystemTime()
    var samples: [Double] = []
    let batch = 100
    try Cores.onClientCore {
      for _ in 0..<20_000 {
        let start = time.uptime.nanoseconds
        for value in 0..<batch {
          there.write(RingContent((UInt64(value), 0, 0, 0, 0, 0, 0)))
          while case .none = back.read() {}
        }
        samples.append(Double(time.uptime.nanoseconds - start) / Double(2 * batch))
      }
    }
    var figures = Figures("ring.one-way", samples: samples.dropFirst(1_000).map { $0 })
    if let bare = bareLine() {
      figures.peer = "a bare cache line in C"
      figures.ratio = figures.p50.map { bare / $0 }
      figures.more = [("peer_p50_ns", bare)]
    }
    return figures
  }

  /// What handing over one cache line takes here, below which no ring can be; nil, with a note, when it
  /// cannot be measured.
  private static func bareLine() -> Double? {
    do {
      let program = try Peers.lineProgram()
      let words = [program, String(Cores.client), String(Cores.server), "20000"]
      let samples = try Child.output(of: words).split(separator: "\n").compactMap { Double($0) }
      guard samples.count == 20_000 else { throw Broken("it told \(samples.count) rounds") }
      return Array(samples.dropFirst(1_000)).median
    } catch {
      note("  without a bare cache line: \(error)")
      return nil
    }
  }

  /// Entries that a reader has seen whole and in order, while the writer keeps at most a half of the
  /// ring ahead of what the reader last said.
  private static func throughput() throws -> Figures {
    var rates: [Double] = []
    var allocations = 0.0
    for _ in 0..<rounds {
      let files = try Files("throughput")
      let child = try files.child("count")
      defer { child.stop() }
      var there = try RingWriter(files.there)
      var back = try RingReader(files.back)
      let time = SystemTime()
      try Cores.onClientCore {
        let before = allocation_count()
        let start = time.uptime.nanoseconds
        var seen: UInt64 = 0
        var sent: UInt64 = 0
        while seen < total {
          while sent < min(total, seen + 32_768) {
            there.write(RingContent((sent, sent, sent, sent, sent, sent, sent)))
            sent += 1
          }
          if case .next(let content, _) = back.read() { seen = content.words.0 }
        }
        rates.append(Double(total) * 1e9 / Double(time.uptime.nanoseconds - start))
        allocations = Double(allocation_count() - before) / Double(total)
      }
    }
    var figures = Figures("ring.throughput")
    figures.operationsPerSecond = rates.max()
    figures.p50 = 1e9 / rates.median
    figures.allocations = allocations
    return figures
  }

  /// From writing an entry until a reader that slept on its bell has it and has said so, by a ring that
  /// we look at without sleeping; and of it what the writer spends on writing and ringing.
  private static func wakeUp() throws -> Figures {
    let files = try Files("wake-up")
    let child = try files.child("sleep")
    defer { child.stop() }
    var there = try RingWriter(files.there)
    var back = try RingReader(files.back)
    let time = SystemTime()
    var (samples, writing): ([Double], [Double]) = ([], [])
    try Cores.onClientCore {
      for value in 0..<5_000 as Range<UInt64> {
        // Long enough for the reader to fall asleep, and its core with it.
        let rest = time.uptime.nanoseconds + 200_000
        while time.uptime.nanoseconds < rest { clinux_pause() }
        let start = time.uptime.nanoseconds
        there.write(RingContent((value, 0, 0, 0, 0, 0, 0)))
        let woken = there.wake()
        let written = time.uptime.nanoseconds
        while case .none = back.read() { clinux_pause() }
        guard woken == 1 else { continue }
        samples.append(Double(time.uptime.nanoseconds - start))
        writing.append(Double(written - start))
      }
    }
    guard samples.count > 1_000 else {
      throw Broken("the reader slept \(samples.count) times only")
    }
    var figures = Figures("ring.wake-up", samples: samples)
    let sorted = writing.sorted()
    figures.more = [
      ("writer_p50_ns", sorted.quantile(0.5)), ("writer_p99_ns", sorted.quantile(0.99)),
      ("samples", Double(samples.count)),
    ]
    return figures
  }

  // MARK: The other process

  /// `ring-peer echo|count|sleep THERE BACK`
  static func peer(_ arguments: [String]) -> Int32 {
    do {
      var there = try RingReader(arguments[1], from: .oldest)
      var back = try RingWriter(arguments[2])
      say("ready\n")
      switch arguments[0] {
      case "echo": return echo(&there, &back)
      case "count": return count(&there, &back)
      default: return try sleep(&there, &back)
      }
    } catch {
      note("\(error)")
      return 1
    }
  }

  private static func echo(_ there: inout RingReader, _ back: inout RingWriter) -> Int32 {
    while true {
      if case .next(let content, _) = there.read() { back.write(content) }
    }
  }

  private static func sleep(_ there: inout RingReader, _ back: inout RingWriter) throws -> Int32 {
    var bell = pollfd(fd: try there.openBell(), events: Int16(POLLIN), revents: 0)
    while true {
      if case .next(let content, _) = there.read() {
        back.write(content)
      } else if there.sleeps() {
        poll(&bell, 1, -1)
        there.wakes()
        there.silence()
      }
    }
  }

  private static func count(_ there: inout RingReader, _ back: inout RingWriter) -> Int32 {
    var seen: UInt64 = 0
    while true {
      guard case .next(let content, let sequence) = there.read() else { continue }
      guard content.words.0 == seen, content.words.6 == seen, sequence == seen + 1 else { return 1 }
      seen += 1
      if seen % 4_096 == 0 || seen == total { back.write(RingContent((seen, 0, 0, 0, 0, 0, 0))) }
    }
  }

  /// Two rings that go with the benchmark.
  private final class Files {
    let there: String
    let back: String

    init(_ name: String) throws {
      there = "/dev/shm/shrivenquant-bench-\(getpid())-\(name)-there"
      back = "/dev/shm/shrivenquant-bench-\(getpid())-\(name)-back"
      // Both are there before anybody looks.
      _ = try RingWriter(there)
      _ = try RingWriter(back)
    }

    deinit {
      unlink(there)
      unlink(back)
      unlink(there + ".bell-0")
    }

    func child(_ role: String) throws -> Child {
      let child = try Child(
        ["/proc/\(getpid())/exe", RingBenchmark.command, role, there, back], core: Cores.server)
      guard child.readLine() == "ready" else { throw Broken("the other side of the ring ended") }
      return child
    }
  }
}
