internal import Chrono
internal import Contracts
internal import Loop
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Transport
internal import Units
internal import VenueSimulator

enum VenueSimCommand {
  private static let accountBalances = [
    "USDT": Decimal(units: 10_000_000, scale: 0), "BTC": Decimal(units: 100, scale: 0),
    "ETH": Decimal(units: 2_000, scale: 0), "SOL": Decimal(units: 50_000, scale: 0),
  ]

  /// 2024-01-01 00:00 UTC: every tape of a seed is the same.
  private static let tapeStart = Instant(nanoseconds: 1_704_067_200_000_000_000)

  static let limitFactors = 1...10_000

  static let command = Command(
    CommandForm(
      "venue-sim",
      summary:
        "Exchanges on loopback that speak the spot dialects of Binance, Kraken and OKX over TLS.",
      options: MeshOptions.finding + [
        CommandForm.Option("--port", value: "PORT", "another port than that of ports.toml"),
        CommandForm.Option("--seed", value: "N", "of the background order flow (default 1)"),
        CommandForm.Option(
          "--flow", value: "KIND", "how its events follow: uniform (default), poisson or hawkes"),
        CommandForm.Option(
          "--limit-factor", value: "N",
          "limits are so many times the venues' documented ones (default 10 to 100; 1: as they are)"
        ),
        CommandForm.Option(
          "--kraken-tier", value: "TIER",
          "whose limits Kraken's are: starter, intermediate or pro (default)"),
        CommandForm.Option("--replay", value: "FILE", "plays a recorded capture; may be repeated"),
        CommandForm.Option(
          "--symbol", value: "SYMBOL", "the capture's market, if it does not tell or has several"),
        CommandForm.Option(
          "--speed", value: "SPEED", "of --replay: instant, realtime (default) or 10x"),
        CommandForm.Option(
          "--hold", "--replay begins only when told, by SimulatorService.StartReplay"),
        CommandForm.Option(
          "--tape", value: "SECONDS", "prints what the seed publishes, as a capture, and ends"),
        CommandForm.Option(
          "--behind-max", value: "BYTES",
          "a stream's client that has so much unread is sent away (default 8388608)"),
        CommandForm.Option(
          "--supervised", value: "PID", "end when this process, which started it, ends"),
      ],
      notes: """
        One port serves all exchanges, told apart by path: /api/v3, /ws and /stream are Binance's; \
        /0/public, /0/private and /v2 (WebSocket) Kraken's; /api/v5, /ws/v5/public and /ws/v5/private \
        OKX's. Each has its own markets, books, accounts and seed (Kraken's is one more than --seed, \
        OKX's two). All accounts have the key and secret of bootstrap/venue-sim.json; Kraken's clients \
        are given the secret in Base64, as Kraken does, and OKX's passphrase is the key. --replay takes \
        a recording of any of the three (docs/recordings.md), which that exchange plays instead of its \
        market's background flow; --tape is for Binance's markets.

        SimulatorService (faults on command, the exchange's own books and accounts) answers on the same \
        port over gRPC, to callers with a certificate of the mesh.

        The state folder must have pki/venue-sim.* and bootstrap/venue-sim.json, which `up` makes; \
        acknowledged orders are kept in journal/venue-sim/.
        """)
  ) { arguments in
    if let supervisor = arguments.value("--supervised").flatMap({ Int32($0) }) {
      dieWith(supervisor: supervisor)
    }
    if arguments.has("--tape") {
      try tape(arguments)
      return 0
    }
    let configuration = try configuration(arguments)
    SignalWatch.block()
    return try onLoop { loop in
      let log = Log(LogSink(.descriptor(2), level: .info), service: "venue-sim")
      let stop = StopWait()
      let signals = try SignalWatch(loop) { stop.received($0) }
      defer { signals.stop() }
      let server = try VenueSimulatorServer(
        configuration, time: SystemTime(), loop: loop, log: log)
      let address = try await server.start()
      log.info("listening", ["address": LogValue(describing: address)])
      await stop.wait()
      await server.stop()
      log.info("stopped")
      return 0
    }
  }

  private static func configuration(
    _ arguments: Arguments
  ) throws -> VenueSimulatorConfiguration {
    let options = try MeshOptions(arguments)
    let known = try options.ports().port(of: "venue-sim") ?? 9443
    let port = try arguments.int("--port", in: 1...65_535, default: known)
    let state = options.state
    let key = try SimulatorKey(reading: state)
    let credentials = Credentials(
      certificate: try readText(state.certificate(of: "venue-sim")),
      key: try readText(state.key(of: "venue-sim")))
    let exchanges = try limited(exchanges(arguments, key), arguments)
    var configuration = VenueSimulatorConfiguration(
      address: .tcp(host: "127.0.0.1", port: port),
      tls: try TLSContext.server(
        credentials, clients: .asked(authorities: try readText(state.authority)),
        alpn: .h2OrHTTP11),
      exchanges: exchanges)
    configuration.methods = { SimulatorHandlers(venues: $0).methods }
    configuration.interceptors = [AccessControl(tokens: NoTokens())]
    configuration.behindMax = try arguments.int(
      "--behind-max", in: 65_536...1 << 30, default: configuration.behindMax)
    let journal = state.journal(of: "venue-sim")
    try makeFolder(journal, mode: 0o700)
    configuration.stateDirectory = journal
    if let replay = try replay(arguments) { configuration.replays = [replay] }
    return configuration
  }

  /// Markets of their own and tapes of their own: prices are near each other, not the same.
  private static func exchanges(
    _ arguments: Arguments, _ key: SimulatorKey
  ) throws -> [ExchangeSettings] {
    let (seed, flow) = (try seed(arguments), try flow(arguments))
    let secret = Array(key.secret.utf8)
    return [
      ExchangeSettings(
        markets: SimulatedMarket.standard.map { $0.with(flow) },
        accounts: [
          SimulatedAccountSettings(apiKey: key.key, secret: secret, balances: accountBalances)
        ], seed: seed),
      ExchangeSettings(
        dialect: .kraken, markets: SimulatedMarket.kraken.map { $0.with(flow) },
        accounts: [
          SimulatedAccountSettings(
            apiKey: key.key, secret: secret,
            balances: accountBalances.merging(["USD": Decimal(units: 10_000_000, scale: 0)]) { $1 })
        ], seed: seed &+ 1),
      ExchangeSettings(
        dialect: .okx, markets: SimulatedMarket.okx.map { $0.with(flow) },
        accounts: [
          SimulatedAccountSettings(
            apiKey: key.key, secret: secret, balances: accountBalances, passphrase: key.key)
        ], seed: seed &+ 2, feeAsset: .received),
    ]
  }

  /// With the limits that were asked for.
  private static func limited(
    _ exchanges: [ExchangeSettings], _ arguments: Arguments
  ) throws -> [ExchangeSettings] {
    let tiers = ["starter": KrakenTier.starter, "intermediate": .intermediate, "pro": .pro]
    let named = arguments.value("--kraken-tier") ?? "pro"
    guard let tier = tiers[named] else {
      throw UsageError("--kraken-tier is \"\(named)\": starter, intermediate or pro is expected")
    }
    let factor = try arguments.value("--limit-factor").map { _ in
      try arguments.int("--limit-factor", in: limitFactors, default: 1)
    }
    return exchanges.map { exchange in
      var exchange = exchange
      exchange.krakenTier = tier
      guard let factor else { return exchange }
      exchange.limitFactor = factor
      exchange.requestWeightPerMinuteMax = ExchangeSettings.binanceWeightPerMinute * factor
      exchange.ordersPerTenSecondsMax = ExchangeSettings.binanceOrdersPerTenSeconds * factor
      return exchange
    }
  }

  private static func flow(_ arguments: Arguments) throws -> FlowArrivals {
    switch arguments.value("--flow") ?? "uniform" {
    case "uniform": return .uniform
    case "poisson": return .poisson
    case "hawkes": return .bursts
    case let other:
      throw UsageError("--flow is \"\(other)\": uniform, poisson or hawkes is expected")
    }
  }

  private static func seed(_ arguments: Arguments) throws -> UInt64 {
    UInt64(try arguments.int("--seed", in: 0...Int.max, default: 1))
  }

  private static func tape(_ arguments: Arguments) throws {
    let flow = try flow(arguments)
    let seconds = try arguments.int("--tape", in: 1...86_400, default: 1)
    SimulatedTape.write(
      ExchangeSettings(
        markets: SimulatedMarket.standard.map { $0.with(flow) }, accounts: [],
        seed: try seed(arguments)), start: tapeStart,
      duration: .seconds(seconds)
    ) { Terminal.write(String(decoding: $0, as: UTF8.self) + "\n", to: 1) }
  }

  private static func replay(_ arguments: Arguments) throws -> ReplaySettings? {
    let files = arguments.values("--replay")
    guard let first = files.first else { return nil }
    let speedText = arguments.value("--speed") ?? "realtime"
    guard let speed = ReplayOptions.speed(speedText) else {
      throw UsageError("--speed is \"\(speedText)\": instant, realtime or 10x is expected")
    }
    let market = try ReplayOptions.market(of: first, named: arguments.value("--symbol"))
    var settings = ReplaySettings(
      dialect: market.dialect, symbol: market.listed, files: files.map(absolutePath), speed: speed)
    settings.isHeld = arguments.has("--hold")
    return settings
  }
}
