import Chrono
import Glibc

/// A whole mesh of the release build on its own simulated venue, for one measurement.
final class MeshUnderTest {
  private let program: String
  private let state: String
  /// Above the ports of ports.toml and of the other benchmarks.
  private static let offset = 14_300

  init(_ name: String, _ options: [String]) throws {
    let given = getenv("SHRIVENQUANT").map { String(cString: $0) }
    program = given ?? "\(Workspace.root)/.build/release/shrivenquant"
    guard access(program, X_OK) == 0 else {
      throw Skipped(reason: "\(program) is not built (make build)")
    }
    // A Unix socket's path is short, and PostgreSQL has one in there.
    state = "/tmp/sq-bench-\(getpid())-\(name)"
    do {
      _ = try Child.output(
        of: [
          program, "up", "--detach", "--state", state, "--port-offset", String(Self.offset),
          "--ports", "\(Workspace.root)/ports.toml",
        ] + options, silent: true)
    } catch {
      down()
      throw error
    }
  }

  deinit { down() }

  private func down() {
    do {
      _ = try Child.output(of: [program, "down", "--state", state], silent: true)
      _ = try Child.output(of: ["rm", "-rf", state])
    } catch {
      note("  \(state) is left behind: \(error)")
    }
  }

  /// An RPC with the operator's certificate.
  func call(_ method: String, _ request: String) throws {
    _ = try Child.output(
      of: [program, "call", "--state", state, "shrivenquant." + method, request], silent: true)
  }

  var gatewayPort: Int { 8_080 + Self.offset }

  /// Of ports.toml, before the offset.
  static func plainPort(of service: String) throws -> Int {
    let text = readWhole("\(Workspace.root)/ports.toml") ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(service + " ") }
    guard let port = line?.split(separator: "=").last.flatMap({ Int($0.filter(\.isNumber)) }) else {
      throw Broken("ports.toml has no port of \(service)")
    }
    return port
  }

  static func port(of service: String) throws -> Int { try plainPort(of: service) + offset }

  /// A POST by REST; the body of its answer.
  func post(_ path: String, _ body: String, token: String) throws -> String {
    try Child.output(of: [
      "curl", "-sS", "-f", "-m", "60", "-H", "Authorization: Bearer \(token)", "-H",
      "Content-Type: application/json", "-d", body, "http://127.0.0.1:\(gatewayPort)\(path)",
    ])
  }

  func token(user: String) throws -> String {
    let text = try Child.output(
      of: [program, "token", "--state", state, "--user", user], silent: true)
    return text.split(separator: "\n").first.map(String.init) ?? ""
  }

  /// The body of a GET by REST.
  func get(_ path: String, token: String) throws -> String {
    try Child.output(of: [
      "curl", "-sS", "-m", "10", "-H", "Authorization: Bearer \(token)",
      "http://127.0.0.1:\(gatewayPort)\(path)",
    ])
  }

  /// CPU time of each process so far, by the names of `status`.
  func processorSeconds() throws -> [String: Double] {
    try processes().mapValues { Process.processorSeconds(of: $0) }
  }

  func processes() throws -> [String: pid_t] {
    let table = try Child.output(
      of: [
        program, "status", "--state", state, "--port-offset", String(Self.offset), "--ports",
        "\(Workspace.root)/ports.toml",
      ], silent: true)
    var found: [String: pid_t] = [:]
    for line in table.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count > 3, let pid = pid_t(words[2]) else { continue }
      found[String(words[0])] = pid
    }
    return found
  }

  func metrics(port: Int) throws -> Scrape {
    let url = "http://127.0.0.1:\(port + Self.offset)/metrics"
    return Scrape(try Child.output(of: ["curl", "-sS", "-m", "10", url]))
  }
}

/// The text of `/metrics`.
struct Scrape {
  private let lines: [Substring]

  init(_ text: String) { lines = text.split(separator: "\n") }

  /// `sample` is a name and its labels as they are written.
  func value(_ sample: String) -> Double {
    lines.first { $0.hasPrefix(sample + " ") }
      .flatMap { Double($0.dropFirst(sample.count + 1)) } ?? 0
  }

  /// A histogram's buckets: upper bounds in seconds, and what is under each of them.
  func histogram(_ name: String, _ labels: String) -> [(bound: Double, count: Double)] {
    let head = "\(name)_bucket{\(labels),le=\""
    return lines.filter { $0.hasPrefix(head) }.compactMap { line in
      let parts = line.dropFirst(head.count).split(separator: "\"} ")
      guard parts.count == 2, let count = Double(parts[1]) else { return nil }
      return (parts[0] == "+Inf" ? .infinity : Double(parts[0]) ?? 0, count)
    }
  }
}

/// What a histogram has counted between two scrapes.
struct Spans {
  private let buckets: [(bound: Double, count: Double)]

  init(_ name: String, _ labels: String, from: Scrape, to: Scrape) {
    let (before, after) = (from.histogram(name, labels), to.histogram(name, labels))
    buckets = zip(before, after).map { ($1.bound, $1.count - $0.count) }
  }

  var count: Double { buckets.last?.count ?? 0 }

  /// In nanoseconds; within a bucket as if all were spread evenly over the logarithm.
  func quantile(_ share: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = share * count
    var lower = (bound: 1e-9, count: 0.0)
    for bucket in buckets {
      if bucket.count >= rank, bucket.bound.isFinite {
        let part = (rank - lower.count) / max(1, bucket.count - lower.count)
        // The first bucket begins nowhere: a tenth of its bound.
        let low =
          lower.count == 0 && lower.bound < bucket.bound / 10 ? bucket.bound / 10 : lower.bound
        return low * pow(bucket.bound / low, part) * 1e9
      }
      lower = bucket
    }
    return nil
  }
}
