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

  static let command = Command(
    CommandForm(
      "venue-sim",
      summary:
        "Exchanges on loopback that speak the spot dialects of Binance, Kraken and OKX over TLS.",
      options: MeshOptions.finding + [
        CommandForm.Option("--port", value: "PORT", "another port than that of ports.toml"),
        CommandForm.Option("--seed", value: "N", "of the background order flow (default 1)"),
        CommandForm.Option("--replay", value: "FILE", "plays a recorded capture; may be repeated"),
        CommandForm.Option(
          "--symbol", value: "SYMBOL", "the capture's market (default: from the file's name)"),
        CommandForm.Option(
          "--speed", value: "SPEED", "of --replay: instant, realtime (default) or 10x"),
        CommandForm.Option(
          "--hold", "--replay begins only when told, by SimulatorService.StartReplay"),
        CommandForm.Option(
          "--tape", value: "SECONDS", "prints what the seed publishes, as a capture, and ends"),
        CommandForm.Option(
          "--supervised", value: "PID", "end when this process, which started it, ends"),
      ],
      notes: """
        One port serves all exchanges, told apart by path: /api/v3, /ws and /stream are Binance's; \
        /0/public, /0/private and /v2 (WebSocket) Kraken's; /api/v5, /ws/v5/public and /ws/v5/private \
        OKX's. Each has its own markets, books, accounts and seed (Kraken's is one more than --seed, \
        OKX's two). All accounts have the key and secret of bootstrap/venue-sim.json; Kraken's clients \
        are given the secret in Base64, as Kraken does, and OKX's passphrase is the key. --replay and \
        --tape are for Binance's markets.

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
    let seed = try seed(arguments)
    let state = options.state
    let key = try SimulatorKey(reading: state)
    let credentials = Credentials(
      certificate: try readText(state.certificate(of: "venue-sim")),
      key: try readText(state.key(of: "venue-sim")))
    let exchange = ExchangeSettings(
      accounts: [
        SimulatedAccountSettings(
          apiKey: key.key, secret: Array(key.secret.utf8), balances: accountBalances)
      ], seed: seed)
    // Another market with another tape: its prices are near the other's, not the same.
    let kraken = ExchangeSettings(
      dialect: .kraken, markets: SimulatedMarket.kraken,
      accounts: [
        SimulatedAccountSettings(
          apiKey: key.key, secret: Array(key.secret.utf8),
          balances: accountBalances.merging(["USD": Decimal(units: 10_000_000, scale: 0)]) { $1 })
      ], seed: seed &+ 1)
    let okx = ExchangeSettings(
      dialect: .okx, markets: SimulatedMarket.okx,
      accounts: [
        SimulatedAccountSettings(
          apiKey: key.key, secret: Array(key.secret.utf8), balances: accountBalances,
          passphrase: key.key)
      ], seed: seed &+ 2, feeAsset: .received)
    var configuration = VenueSimulatorConfiguration(
      address: .tcp(host: "127.0.0.1", port: port),
      tls: try TLSContext.server(
        credentials, clients: .asked(authorities: try readText(state.authority)),
        alpn: .h2OrHTTP11),
      exchanges: [exchange, kraken, okx])
    configuration.methods = { SimulatorHandlers(venues: $0).methods }
    configuration.interceptors = [AccessControl(tokens: NoTokens())]
    let journal = state.journal(of: "venue-sim")
    try makeFolder(journal, mode: 0o700)
    configuration.stateDirectory = journal
    if let replay = try replay(arguments, symbols: exchange.markets.map(\.symbol)) {
      configuration.replays = [replay]
    }
    return configuration
  }

  private static func seed(_ arguments: Arguments) throws -> UInt64 {
    UInt64(try arguments.int("--seed", in: 0...Int.max, default: 1))
  }

  private static func tape(_ arguments: Arguments) throws {
    let seconds = try arguments.int("--tape", in: 1...86_400, default: 1)
    SimulatedTape.write(
      ExchangeSettings(accounts: [], seed: try seed(arguments)), start: tapeStart,
      duration: .seconds(seconds)
    ) { Terminal.write(String(decoding: $0, as: UTF8.self) + "\n", to: 1) }
  }

  private static func replay(_ arguments: Arguments, symbols: [String]) throws -> ReplaySettings? {
    let files = arguments.values("--replay")
    guard let first = files.first else { return nil }
    let speedText = arguments.value("--speed") ?? "realtime"
    guard let speed = ReplayOptions.speed(speedText) else {
      throw UsageError("--speed is \"\(speedText)\": instant, realtime or 10x is expected")
    }
    let named = arguments.value("--symbol")
    let told = named ?? ReplayOptions.symbol(ofCapture: first, among: symbols)
    guard let symbol = try told ?? ReplayOptions.recordedSymbol(first, among: symbols) else {
      throw UsageError(
        "\(first) names none of \(symbols.joined(separator: ", ")): say --symbol SYMBOL")
    }
    guard symbols.contains(symbol) else {
      throw UsageError("no market \(symbol)\(suggestion(for: symbol, among: symbols))")
    }
    var settings = ReplaySettings(symbol: symbol, files: files.map(absolutePath), speed: speed)
    settings.isHeld = arguments.has("--hold")
    return settings
  }
}
