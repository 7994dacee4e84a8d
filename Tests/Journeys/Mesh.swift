import Foundation
import Glibc
import JSON
import Testing

/// A whole mesh on this machine, brought up and taken down by its own commands. Everything known of it
/// is what a stranger could know: the program's output, its ports, and the state folder.
final class Mesh: Sendable {
  /// The mesh of the suite that runs now.
  @TaskLocal static var current: Mesh!

  let program: String
  let state: String
  let portsFile: String
  let ports: [String: Int]
  private let tokens = TokenShelf()

  /// The ten services of the main path.
  static let services = [
    "gateway", "auth", "market-connector", "risk-manager", "execution-router", "oms",
    "trading-gateway", "portfolio-manager", "orderbook", "discovery",
  ]

  static func up(_ options: [String] = [], portsFile: String? = nil) async throws -> Mesh {
    guard let program = Program.path else { throw Failure("there is no program to try") }
    let table = portsFile ?? "\(Project.root)/ports.toml"
    let offset = try await PortRange.free(table)
    let state = "/tmp/sq-\(getpid())-\(offset)"
    let mesh = Mesh(
      program: program, state: state, portsFile: table,
      ports: try PortRange.ports(table).mapValues { $0 + offset })
    let words =
      ["up", "--state", state, "--port-offset", "\(offset)", "--ports", table, "--detach"]
    let ended = try await run(
      program, words + options, environment: environment(), within: 170)
    guard ended.isGood else {
      let log = (try? String(contentsOfFile: "\(state)/up.log", encoding: .utf8)) ?? ""
      await mesh.down()
      throw Failure("up ended with \(ended.status):\n\(ended.all)\n\(log.suffix(4000))")
    }
    return mesh
  }

  private init(program: String, state: String, portsFile: String, ports: [String: Int]) {
    self.program = program
    self.state = state
    self.portsFile = portsFile
    self.ports = ports
  }

  /// Nothing of the caller's own mesh may reach this one.
  private static func environment() -> [String: String] {
    ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SHRIVENQUANT") }
  }

  /// Stops it; what does not stop is killed, by its process id.
  func down() async {
    let giants = giants(over: 256)
    if !giants.isEmpty { Issue.record("memory ran away: \(giants)") }
    let processes = allProcesses
    let ended = try? await run(
      program, ["down", "--state", state], environment: Self.environment(), within: 90)
    if ended?.isGood != true { Issue.record("down failed: \(ended?.all ?? "it could not be run")") }
    for pid in processes where isOurs(pid) {
      Issue.record("process \(pid) outlived `down`: \(commandLine(pid))")
      kill(pid, SIGKILL)
    }
    if ProcessInfo.processInfo.environment["JOURNEYS_KEEP_STATE"] == nil {
      try? FileManager.default.removeItem(atPath: state)
    }
  }

  // MARK: What is known of it

  func port(_ service: String) -> Int { ports[service] ?? 0 }

  func url(_ service: String, _ path: String) -> String {
    "http://127.0.0.1:\(port(service))\(path)"
  }

  /// Every process by its name, from what `up` tells other commands.
  var processes: [String: Int32] {
    guard let record, let members = record["processes"]?.object else { return [:] }
    var found: [String: Int32] = [:]
    for member in members { found[member.name] = member.value.int.map { Int32($0) } }
    return found
  }

  private var record: JSONDocument? {
    FileManager.default.contents(atPath: "\(state)/run/mesh.json")
      .flatMap { try? JSONDocument(parsing: Array($0)) }
  }

  var allProcesses: [Int32] {
    Array(processes.values) + (record?["supervisor"]?.int.map { [Int32($0)] } ?? [])
  }

  private func commandLine(_ pid: Int32) -> String {
    let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    return String(decoding: bytes.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
  }

  private func isOurs(_ pid: Int32) -> Bool { commandLine(pid).contains(state) }

  /// Processes that have grown beyond reason.
  func giants(over megabytes: Int) -> [String] {
    processes.compactMap { name, pid in
      let status = FileManager.default.contents(atPath: "/proc/\(pid)/status") ?? Data()
      let line = String(decoding: status, as: UTF8.self).split(separator: "\n")
        .first { $0.hasPrefix("VmRSS:") }
      let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      return kilobytes > megabytes * 1024 ? "\(name): \(kilobytes / 1024) MB" : nil
    }
  }

  /// Kills a service without a word, and waits until `up` has started another process for it.
  func crash(_ service: String) async throws {
    guard let pid = processes[service], isOurs(pid) else {
      throw Failure("\(service) has no process: \(processes)")
    }
    kill(pid, SIGKILL)
    let restarted = await eventually { self.processes[service].map { $0 != pid } ?? false }
    guard restarted else { throw Failure("\(service) was not started again") }
  }

  /// Waits until every service answers that it is ready; the laggards when it takes too long.
  func laggards(within limit: Duration = .seconds(30)) async throws -> [String] {
    var waiting = Self.services
    _ = try await eventually(within: limit) {
      var still: [String] = []
      for service in waiting where try await !isReady(service) { still.append(service) }
      waiting = still
      return waiting.isEmpty
    }
    return waiting
  }

  func isReady(_ service: String) async throws -> Bool {
    try await REST.get(url(service, "/health/ready")).status == 200
  }

  // MARK: Its commands and its database

  func command(_ words: [String]) async throws -> Ended {
    try await run(
      program, [words[0], "--state", state] + words.dropFirst(), environment: Self.environment())
  }

  /// Any RPC with the operator's certificate.
  func call(_ method: String, _ request: String = "{}") async throws -> JSONDocument {
    let ended = try await command(["call", method, request])
    guard ended.isGood else { throw Failure("call \(method): \(ended.all)") }
    return try JSONDocument(parsing: ended.output)
  }

  func token(_ user: String) async throws -> String {
    try await tokens.token(of: user) {
      let ended = try await self.command(["token", "--user", user])
      guard ended.isGood else { throw Failure("token --user \(user): \(ended.all)") }
      return ended.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }

  /// Rows of a query, each a list of columns as psql prints them.
  func psql(_ query: String) async throws -> [[String]] {
    let socket = "\(state)/postgres/socket"
    let ended = try await run(
      "psql",
      ["-h", socket, "-d", "shrivenquant", "-AtX", "-F", "|", "-v", "ON_ERROR_STOP=1", "-c", query])
    guard ended.isGood else { throw Failure("psql: \(ended.all)") }
    return ended.output.split(separator: "\n").map {
      $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    }
  }
}

/// Tokens, fetched once a user.
private actor TokenShelf {
  private var tokens: [String: String] = [:]

  func token(of user: String, _ make: () async throws -> String) async throws -> String {
    if let known = tokens[user] { return known }
    let token = try await make()
    tokens[user] = token
    return token
  }
}

/// Brings up one mesh for all tests of a suite, and takes it down however they end.
struct MeshTrait: SuiteTrait, TestScoping {
  let options: @Sendable () throws -> (words: [String], ports: String?)

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let (words, ports) = try options()
    let mesh = try await Mesh.up(words, portsFile: ports)
    let guardian = try Guardian(mesh)
    do {
      try await Mesh.$current.withValue(mesh) { try await function() }
    } catch {
      await mesh.down()
      guardian.dismiss()
      throw error
    }
    await mesh.down()
    guardian.dismiss()
  }
}

extension Trait where Self == MeshTrait {
  static func mesh(_ words: String...) -> Self { MeshTrait { (words, nil) } }

  static func mesh(ports: @escaping @Sendable () throws -> String) -> Self {
    MeshTrait { ([], try ports()) }
  }
}

/// Takes the mesh down when the test process dies before it can: it reads from a pipe that the test
/// process alone holds open.
struct Guardian {
  private let process: Spawned
  private let lifeline: Int32

  init(_ mesh: Mesh) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Failure("no pipe for the guardian") }
    let script = #"read word; [ "$word" = done ] || { "$0" down --state "$1"; rm -rf "$1"; }"#
    process = try Spawned(["sh", "-c", script, mesh.program, mesh.state], input: ends[0])
    lifeline = ends[1]
    _ = fcntl(lifeline, F_SETFD, FD_CLOEXEC)
    close(ends[0])
  }

  func dismiss() {
    _ = write(lifeline, "done\n", 5)
    close(lifeline)
    _ = process.wait()
  }
}
