private import Glibc

/// `Benchmarks [NAME...]`: one JSON line on stdout for each figure, progress and notes on stderr.
@main struct Benchmarks {
  private static let help = """
    Usage: Benchmarks [--list | --help] [NAME...]

    Runs the benchmarks whose names begin with one of NAME, or all of them. Each figure is one JSON
    line on stdout: name, p50_ns, p99_ns, ops_per_s, allocations (of the heap, per operation),
    peer, ratio (how many times better than the peer; over 1 is better), and what else there is.
    What cannot be measured here is skipped with a note on stderr. docs/benchmarks.md says what
    each one measures. The exit status is 1 when a benchmark failed.

    """

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == EchoServer.command { exit(EchoServer.run(Array(arguments.dropFirst()))) }
    if arguments.first == RingBenchmark.command {
      exit(RingBenchmark.peer(Array(arguments.dropFirst())))
    }
    if arguments.contains("--help") || arguments.contains("-h") { return say(help) }
    if arguments.contains("--list") {
      for benchmark in Benchmark.all { say("\(benchmark.name)\t\(benchmark.question)\n") }
      return
    }
    if let option = arguments.first(where: { $0.hasPrefix("-") }) {
      note("\(option) is not an option; --help lists them")
      exit(2)
    }
    exit(run(arguments))
  }

  private static func run(_ filters: [String]) -> Int32 {
    let chosen = Benchmark.all.filter { benchmark in
      filters.isEmpty || filters.contains { benchmark.name.hasPrefix($0) }
    }
    guard !chosen.isEmpty else {
      note("no benchmark's name begins with \(filters.joined(separator: ", ")); --list lists them")
      return 2
    }
    // A child that ends while we write to it is not our end.
    signal(SIGPIPE, SIG_IGN)
    var failures = 0
    for benchmark in chosen {
      note("\(benchmark.name): \(benchmark.question)")
      do {
        for figures in try benchmark.run() { say(figures.line + "\n") }
      } catch let skip as Skipped {
        note("\(benchmark.name): skipped: \(skip.reason)")
      } catch {
        note("\(benchmark.name): failed: \(error)")
        failures += 1
      }
    }
    return failures == 0 ? 0 : 1
  }
}

/// On stdout, at once.
func say(_ text: String) { write(text, to: 1) }

/// A line on stderr, at once.
func note(_ text: String) { write(text + "\n", to: 2) }

private func write(_ text: String, to descriptor: Int32) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard count > 0 else { return }
    rest = rest.dropFirst(count)
  }
}

/// A benchmark that cannot run here, and why.
struct Skipped: Error {
  let reason: String
}

/// A benchmark that ran and measured nothing that can be believed.
struct Broken: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
