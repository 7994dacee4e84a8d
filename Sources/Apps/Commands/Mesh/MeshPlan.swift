internal import ServiceKit
internal import VenueSimulator
internal import Venues

/// What `up` was asked for.
struct MeshPlan: Sendable {
  let options: MeshOptions
  /// A recorded capture that the simulator plays back; nil for its own background flow.
  let replay: String?
  /// The market that the capture is of.
  let replaySymbol: String?
  /// The exchange that the capture is of: the only one that is connected then.
  let replayVenue: KnownVenue?
  let replaySpeed: String
  let isFresh: Bool
  /// Where progress goes as well, for a terminal that waits for a detached mesh.
  let report: Int32?

  init(_ arguments: Arguments) throws {
    options = try MeshOptions(arguments)
    replay = try arguments.value("--replay").map { path in
      guard fileExists(path) else { throw CommandError("\(path): there is no such capture") }
      return absolutePath(path)
    }
    // Before anything starts: a simulator that cannot play would be started again and again.
    replaySymbol = try replay.map { path in
      try ReplayOptions.market(
        of: path, named: arguments.value("--symbol"),
        among: SimulatedMarket.standard.map(\.symbol))
    }
    replayVenue = replay == nil ? nil : .binance
    replaySpeed = arguments.value("--replay-speed") ?? "realtime"
    guard ReplayOptions.speed(replaySpeed) != nil else {
      throw UsageError(
        "--replay-speed is \"\(replaySpeed)\": instant, realtime or a factor such as 10x is meant")
    }
    isFresh = arguments.has("--fresh")
    report = arguments.value("--report").flatMap { Int32($0) }
  }

  /// The words of the child process that is this service.
  func words(for service: ServiceName, supervisor: Int32) -> [String] {
    var words = ["run", service.text, "--supervised", String(supervisor)] + options.words
    let venues = "market-connector.venues"
    if service.text == "market-connector", let replayVenue,
      !options.flags.contains(where: { $0.path == venues })
    {
      words += ["--set", "\(venues)=\(replayVenue.rawValue)"]
    }
    return words
  }

  /// The words of the child process that is the venue.
  func simulatorWords(supervisor: Int32) -> [String] {
    var words = ["venue-sim", "--supervised", String(supervisor), "--state", options.state.path]
    words += ["--ports", options.portsPath, "--port-offset", String(options.portOffset)]
    if let replay, let replaySymbol {
      words += ["--replay", replay, "--symbol", replaySymbol, "--speed", replaySpeed, "--hold"]
    }
    return words
  }
}
