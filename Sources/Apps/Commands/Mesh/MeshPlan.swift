internal import ServiceKit

/// What `up` was asked for.
struct MeshPlan: Sendable {
  let options: MeshOptions
  /// A recorded capture that the simulator plays back; nil for its own background flow.
  let replay: String?
  /// The market that the capture is of.
  let replayed: ReplayedMarket?
  let replaySpeed: String
  /// How many times the venues' documented limits the simulator lets through; nil for its own default.
  let limitFactor: Int?
  let isFresh: Bool
  /// Where progress goes as well, for a terminal that waits for a detached mesh.
  let report: Int32?

  init(_ arguments: Arguments) throws {
    replay = try arguments.value("--replay").map { path in
      guard fileExists(path) else { throw CommandError("\(path): there is no such capture") }
      return absolutePath(path)
    }
    // Before anything starts: a simulator that cannot play would be started again and again.
    replayed = try replay.map { path in
      try ReplayOptions.market(of: path, named: arguments.value("--symbol"))
    }
    options = try MeshOptions(arguments).implying(replayed?.settings ?? [])
    replaySpeed = arguments.value("--replay-speed") ?? "realtime"
    guard ReplayOptions.speed(replaySpeed) != nil else {
      throw UsageError(
        "--replay-speed is \"\(replaySpeed)\": instant, realtime or a factor such as 10x is meant")
    }
    limitFactor = try arguments.value("--limit-factor").map { _ in
      try arguments.int("--limit-factor", in: VenueSimCommand.limitFactors, default: 1)
    }
    isFresh = arguments.has("--fresh")
    report = arguments.value("--report").flatMap { Int32($0) }
  }

  /// The words of the child process that is this service.
  func words(for service: ServiceName, supervisor: Int32) -> [String] {
    ["run", service.text, "--supervised", String(supervisor)] + options.words
  }

  /// The words of the child process that is the venue.
  func simulatorWords(supervisor: Int32) -> [String] {
    var words = ["venue-sim", "--supervised", String(supervisor), "--state", options.state.path]
    words += ["--ports", options.portsPath, "--port-offset", String(options.portOffset)]
    if let limitFactor { words += ["--limit-factor", String(limitFactor)] }
    if let replay, let replayed {
      words += ["--replay", replay, "--symbol", replayed.listed, "--speed", replaySpeed, "--hold"]
    }
    return words
  }
}
