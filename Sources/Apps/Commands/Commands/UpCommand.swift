internal import Glibc
internal import ServiceKit

enum UpCommand {
  static let command = Command(
    CommandForm(
      "up", summary: "Brings up the whole mesh on this machine, on the simulated venue.",
      options: MeshOptions.all + [
        CommandForm.Option(
          "--replay", value: "FILE", "the venue plays back this recorded capture"),
        CommandForm.Option(
          "--symbol", value: "SYMBOL", "the capture's market, if it does not tell or has several"),
        CommandForm.Option(
          "--replay-speed", value: "SPEED", "instant, realtime (default) or a factor such as 10x"),
        CommandForm.Option(
          "--limit-factor", value: "N",
          "the venue lets through so many times the documented limits (default 10 to 100)"),
        CommandForm.Option(
          "--fresh",
          "removes pki/ postgres/ journal/ log/ bootstrap/ of the state folder first, and its cluster"
        ),
        CommandForm.Option("--detach", "returns when the mesh serves; `down` stops it"),
        CommandForm.Option("--report", value: "FD", "where a detached mesh says how it goes"),
      ],
      notes: """
        Without --detach it runs until Ctrl-C. Each service is a process, started again when it dies; \
        so is the private PostgreSQL.
        A state whose PostgreSQL is gone or cannot be read is not started: an empty one in its \
        place would be somebody else's. --fresh starts over with nothing.
        The state folder gets pki/ postgres/ journal/ log/ run/ bootstrap/; SHRIVENQUANT_DATABASE_URL \
        names a PostgreSQL to be used instead of a private one.
        With --replay the exchange of the recording is the only one that is connected, unless \
        --set market-connector.venues says otherwise.
        """)
  ) { arguments in
    let plan = try MeshPlan(arguments)
    if StateLock.isHeld(plan.options.state) { throw alreadyUp(plan.options.state) }
    try SettingsCheck.refuse(plan.options)
    if arguments.has("--detach") { return try detach(plan, arguments) }
    return try run(plan)
  }

  private static func alreadyUp(_ state: StateFolder) -> CommandError {
    let who = MeshRecord.read(state).map { " (process \($0.supervisor))" } ?? ""
    return CommandError(
      "a mesh already runs on \(state.path)\(who); `shrivenquant down --state "
        + "\(FirstSteps.quoted(state.path))` stops it, another --state runs a second one")
  }

  private static func run(_ plan: MeshPlan) throws -> Int32 {
    SignalWatch.block()
    guard let lock = try StateLock(plan.options.state) else {
      throw alreadyUp(plan.options.state)
    }
    if let report = plan.report {
      // Detached: a session of our own, which the terminal's end does not reach.
      setsid()
      _ = fcntl(report, F_SETFD, FD_CLOEXEC)
    }
    let ports = try plan.options.ports()
    let code = try onLoop { loop in try await MeshRun(plan, ports: ports, loop: loop).run() }
    _ = consume lock
    return code
  }

  /// Starts this program again in a session of its own, and shows its progress until it serves.
  private static func detach(_ plan: MeshPlan, _ arguments: Arguments) throws -> Int32 {
    let state = plan.options.state
    try makeFolder(state.log)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw CommandError("no pipe for the progress of the mesh") }
    // Only the copy that the child gets as descriptor 3 may live on: the end of the report is told by
    // nobody having it open any more.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var words = ["up", "--report", "3"] + plan.options.words
    if let replay = plan.replay, let market = plan.replayed {
      words += ["--replay", replay, "--symbol", market.listed, "--replay-speed", plan.replaySpeed]
    }
    if let factor = plan.limitFactor { words += ["--limit-factor", String(factor)] }
    if plan.isFresh { words.append("--fresh") }
    // --fresh removes log/: the supervisor's own log lies beside it.
    let log = state.path + "/up.log"
    _ = try ChildProcess.start(
      ChildPlan(name: "up", words: words, environment: processEnvironment(), log: log),
      program: executablePath(), ownGroup: false, passed: ends[1])
    close(ends[1])
    return follow(ends[0], log: log)
  }

  private static func follow(_ report: Int32, log: String) -> Int32 {
    var chunk = [UInt8](repeating: 0, count: 4096)
    var isGood = false
    while true {
      let count = read(report, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      if chunk[..<count].contains(Progress.good) { isGood = true }
      let text = chunk[..<count].filter { $0 != Progress.good }
      Terminal.write(String(decoding: text, as: UTF8.self), to: 1)
    }
    if !isGood { Terminal.complain("the mesh did not come up; \(log) says more") }
    return isGood ? 0 : 1
  }
}
