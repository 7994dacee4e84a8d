import Foundation
import Testing

/// The program under test and the tools of an outsider: found once, missed loudly.
enum Program {
  /// `SHRIVENQUANT`, else what the project's own build has left: the release before the debug build.
  static let path: String? = {
    let built = [".build/release/shrivenquant", ".build/debug/shrivenquant"]
    let named = ProcessInfo.processInfo.environment["SHRIVENQUANT"].map { [$0] }
    return (named ?? built.map { "\(Project.root)/\($0)" })
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// The Python that has grpcio and its reflection: `PYTHON`, the project's, or the machine's.
  static let python: String? = {
    let named = ProcessInfo.processInfo.environment["PYTHON"]
    let own = "\(Project.root)/.build/venv/bin/python3"
    return [named, own, "python3"].compactMap { $0 }.first {
      succeeds($0, ["-c", "import grpc, grpc_reflection.v1alpha, grpc_health.v1"])
    }
  }()

  static let isPromtoolPresent = succeeds("promtool", ["--version"])

  private static func succeeds(_ program: String, _ arguments: [String]) -> Bool {
    (try? Spawned(["env", program] + arguments))?.wait() == 0
  }
}

/// The project's files, of which an outsider has those that are handed out with the program.
enum Project {
  static let root: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    return parts.dropLast().joined(separator: "/")
  }()

  static func script(_ name: String) -> String {
    "\(root)/Tests/Fixtures/python/journeys/\(name)"
  }

  /// A recorded capture, next to the project or where RECORDED_DATA says.
  static func capture(_ name: String) -> String {
    let folder = ProcessInfo.processInfo.environment["RECORDED_DATA"] ?? "\(root)/../shared/data"
    return "\(folder)/\(name)"
  }
}

extension Trait where Self == ConditionTrait {
  static var needsProgram: Self {
    .enabled(
      if: Program.path != nil,
      "no program to try: make build, or name one in SHRIVENQUANT; the journeys go untested")
  }

  static var needsGRPC: Self {
    .enabled(
      if: Program.python != nil,
      "no Python with grpcio, grpcio-reflection and grpcio-health-checking (PYTHON): stock gRPC clients go untested"
    )
  }

  static var needsPromtool: Self {
    .enabled(
      if: Program.isPromtoolPresent,
      "promtool (Debian package prometheus) is missing: metrics go unchecked")
  }
}
