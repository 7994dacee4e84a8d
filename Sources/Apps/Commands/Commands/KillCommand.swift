internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
internal import Transport

enum KillCommand {
  static let command = Command(
    CommandForm(
      "kill", summary: "Engages the kill switch on this machine, whatever else is dead.",
      options: MeshOptions.finding + [
        CommandForm.Option("--reason", value: "TEXT", "why, for those who come after"),
        CommandForm.Option("--release", "releases it instead; the risk-manager alone does that"),
      ],
      notes: """
        Leaves a mark in the state folder (run/kill-switch), which no service trades against, and \
        tells the trading-gateway, the risk-manager and the market-connector directly, with the \
        operator's certificate: no gateway, auth, discovery or database is needed. Exit code 0: it is engaged, and a \
        restart knows of it; 1: it could neither be kept nor told.
        """)
  ) { arguments in
    let options = try MeshOptions(arguments)
    guard isFolder(options.state.path) else {
      throw UsageError("there is no state folder \(options.state.path): say --state DIR")
    }
    let reason = arguments.value("--reason") ?? ""
    return try arguments.has("--release")
      ? release(options, reason) : engage(options, reason)
  }

  private static let actor = "operator"
  private static let timeMax = Duration.seconds(2)

  private static func engage(_ options: MeshOptions, _ reason: String) throws -> Int32 {
    let mark = KillMark(options.state)
    var isLeft = false
    do throws(FileError) {
      try mark.announce(.init(reason: reason, actor: actor), at: SystemTime().now)
      isLeft = true
      try HoldMark(options.state).touch()
    } catch {
      Terminal.complain("no mark could be left: \(error)")
    }
    let marked = isLeft
    return try onLoop { loop in
      let mesh: OperatorChannel
      do { mesh = try OperatorChannel(options) } catch {
        guard marked else { throw error }
        Terminal.complain("nobody can be told: \(errorText(error))")
        guard keep(mark) else { return 1 }
        Terminal.say("\(mark.path) is left for those that start")
        return 0
      }
      async let trading = stop(mesh, reason, loop)
      async let risk = tell(mesh, reason, loop)
      async let venues = hold(mesh, loop)
      // They are on their way before the disk is waited for.
      await loop.sleep(for: diskPause)
      let kept = marked && keep(mark)
      let told = await [trading, risk, venues]
      for line in told { Terminal.say(line.text) }
      if kept { Terminal.say("\(mark.path): left for those that are not there; gone once kept") }
      return kept || told[1].isDone ? 0 : 1
    }
  }

  private static let diskPause = Duration.milliseconds(10)

  private static func keep(_ mark: KillMark) -> Bool {
    do throws(FileError) {
      try mark.keep()
      return true
    } catch {
      Terminal.complain("the mark may not survive this machine: \(error)")
      return false
    }
  }

  private struct Line: Sendable {
    let text: String
    let isDone: Bool
  }

  private static func stop(
    _ mesh: OperatorChannel, _ reason: String, _ loop: EventLoop
  ) async -> Line {
    await ask("trading-gateway", mesh, loop) { channel, options in
      var request = TradingV1.StopTradingRequest()
      request.reason = reason
      let answer = try await TradingV1.TradingServiceClient(channel: channel)
        .stopTrading(request, options)
      return "stopped; \(answer.openOrders) orders were open and are cancelled until none is left"
    }
  }

  private static func tell(
    _ mesh: OperatorChannel, _ reason: String, _ loop: EventLoop
  ) async -> Line {
    await ask("risk-manager", mesh, loop) { channel, options in
      var request = RiskV1.EngageKillSwitchRequest()
      request.reason = reason
      let answer = try await RiskV1.RiskServiceClient(channel: channel)
        .engageKillSwitch(request, options)
      return answer.warning.isEmpty ? "engaged" : answer.warning
    }
  }

  private static func hold(_ mesh: OperatorChannel, _ loop: EventLoop) async -> Line {
    await ask("market-connector", mesh, loop) { channel, options in
      var request = MarketV1.HoldOrdersRequest()
      request.forMs = UInt32(HoldMark.time.wholeNanoseconds / 1_000_000)
      _ = try await MarketV1.VenueOrderServiceClient(channel: channel)
        .holdOrders(request, options)
      return "holds what is not at a venue yet"
    }
  }

  private static func ask(
    _ service: ServiceName, _ mesh: OperatorChannel, _ loop: EventLoop,
    _ call: (NetworkChannel, CallOptions) async throws -> String
  ) async -> Line {
    do {
      let channel = try mesh.channel(to: service, loop)
      defer { channel.close() }
      let answer = try await call(channel, CallOptions(deadline: loop.uptime + timeMax))
      return Line(text: "\(service): \(answer)", isDone: true)
    } catch let error as RPCError {
      return Line(text: "\(service): not told: \(error.message)", isDone: false)
    } catch {
      return Line(text: "\(service): not told: \(errorText(error))", isDone: false)
    }
  }

  private static func release(_ options: MeshOptions, _ reason: String) throws -> Int32 {
    let mesh = try OperatorChannel(options)
    return try onLoop { loop in
      let line = await ask("risk-manager", mesh, loop) { channel, options in
        var request = RiskV1.ReleaseKillSwitchRequest()
        request.reason = reason
        _ = try await RiskV1.RiskServiceClient(channel: channel)
          .releaseKillSwitch(request, options)
        return "released"
      }
      if line.isDone { Terminal.say(line.text) } else { Terminal.complain(line.text) }
      return line.isDone ? 0 : 1
    }
  }
}
