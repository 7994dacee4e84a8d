import Testing

/// Whole-system stories, told from outside: curl, stock gRPC clients, psql and the program's own
/// commands against real processes. One after another, as each needs the machine.
@Suite(.serialized, .needsProgram) struct Journeys {}

extension Journeys {
  /// The journeys that share one mesh, each leaving it as it found it, save for its orders.
  @Suite(.serialized, .mesh()) struct `One mesh` {}
}

/// Says what a script found wrong; its lines are `ok WHAT` or `FAILED WHAT WHY`, the last one `done`.
func expectAllOK(_ ended: Ended, sourceLocation: SourceLocation = #_sourceLocation) {
  let lines = ended.output.split(separator: "\n")
  for line in lines where !line.hasPrefix("ok ") && line != "done" {
    Issue.record("\(line)", sourceLocation: sourceLocation)
  }
  #expect(lines.last == "done", "\(ended.error.suffix(2000))", sourceLocation: sourceLocation)
}

extension Mesh {
  /// `name=port` of the ten services, for scripts.
  var portWords: [String] { Self.services.map { "\($0)=\(port($0))" } }

  func python(_ script: String, _ arguments: [String], within limit: Int = 120) async throws
    -> Ended
  {
    guard let python = Program.python else { throw Failure("there is no Python with grpcio") }
    return try await run(python, [Project.script(script)] + arguments, within: limit)
  }
}
