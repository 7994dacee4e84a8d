import Foundation
import Glibc

/// How a program ended and what it said.
struct Ended: Sendable {
  let status: Int32
  let output: String
  let error: String

  var isGood: Bool { status == 0 }
  var all: String { output + error }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A process with its output in files, and no descriptor of ours: nothing that it leaves running, such as
/// a detached mesh, can keep us waiting.
struct Spawned: Sendable {
  let pid: pid_t

  init(
    _ words: [String], environment: [String: String]? = nil, input: Int32? = nil,
    output: String = "/dev/null", error: String = "/dev/null"
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
      posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, error, flags, 0o600)
    for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var arguments = words.map { strdup($0) } + [nil]
    let variables = environment ?? ProcessInfo.processInfo.environment
    var settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in arguments + settings { free(pointer) } }
    var pid = pid_t()
    let code = posix_spawnp(&pid, words[0], &actions, nil, &arguments, &settings)
    guard code == 0 else { throw Failure("\(words[0]) cannot be run: error \(code)") }
    self.pid = pid
  }

  /// Blocks; the exit code, or minus the signal.
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
  }
}

/// Runs a program, found through PATH, on a thread of its own; it is ended after `limit` seconds.
func run(
  _ program: String, _ arguments: [String], environment: [String: String]? = nil,
  within limit: Int = 60
) async throws -> Ended {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread {
      continuation.resume(
        with: Result { try runAndWait(program, arguments, environment, limit) })
    }
  }
}

private func runAndWait(
  _ program: String, _ arguments: [String], _ environment: [String: String]?, _ limit: Int
) throws -> Ended {
  let (output, error) = (temporaryFile("out"), temporaryFile("err"))
  defer {
    unlink(output)
    unlink(error)
  }
  let process = try Spawned(
    ["timeout", "-k", "5", "\(limit)", program] + arguments, environment: environment,
    output: output, error: error)
  let status = process.wait()
  func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }
  return Ended(status: status, output: text(output), error: text(error))
}

func temporaryFile(_ ending: String) -> String {
  "\(FileManager.default.temporaryDirectory.path)/journey-\(UUID().uuidString).\(ending)"
}

/// Looks every 50 ms until `look` finds something or throws; nil when the deadline passes.
func soon<Found>(
  within limit: Duration = .seconds(15), _ look: () async throws -> Found?
) async throws -> Found? {
  let clock = ContinuousClock()
  let end = clock.now + limit
  while clock.now < end {
    if let found = try await look() { return found }
    try await Task.sleep(for: .milliseconds(50))
  }
  return try await look()
}

/// The same for a plain condition.
func eventually(
  within limit: Duration = .seconds(15), _ holds: () async throws -> Bool
) async rethrows -> Bool {
  let clock = ContinuousClock()
  let end = clock.now + limit
  while clock.now < end {
    if try await holds() { return true }
    do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
  }
  return try await holds()
}
