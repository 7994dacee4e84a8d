import Glibc

/// From a frame of the exchange to a strategy, through the processes of a mesh: venue-sim,
/// market-connector, (orderbook,) trading-gateway, as `up` starts them.
///
/// The times are the services' own. A price carries when the market-connector had its frame whole,
/// decrypted and unmasked, and every process reads the same clock of the machine; so nothing here
/// guesses, and what the kernel and TLS take before that moment is not in it. Quantiles are read off
/// histograms whose bounds are a quarter apart. The strategy quotes once and only decides from then on.
/// The market is a recorded day, played back ten times as fast as it was; without it, the simulator's.
enum FrameToStrategy {
  private static let rounds = 3
  private static let seconds = 20
  private static let quiet = [
    "--set", "trading-gateway.maker_requote_interval=1h", "--set",
    "trading-gateway.maker_half_spread_ticks=100000", "--set",
    "market-connector.binance_symbols=BTCUSDT",
  ]

  private struct Path {
    let name: String
    let source: String
    let settings: [String]
  }

  private static let paths = [
    Path(name: "ring", source: "ring", settings: ["trading-gateway.tick_ring=on"]),
    Path(name: "stream", source: "stream", settings: ["trading-gateway.tick_ring=off"]),
    Path(
      name: "ring-spin", source: "ring",
      settings: ["trading-gateway.tick_ring=on", "trading-gateway.tick_ring_spin=5ms"]),
  ]

  static func run() throws -> [Figures] {
    var best: [String: Round] = [:]
    for round in 1...rounds {
      for path in paths {
        let measured = try measure(path)
        note("  round \(round), \(path.name): \(measured.total.line)")
        if let known = best[path.name], known.p50 <= measured.p50 { continue }
        best[path.name] = measured
      }
    }
    return paths.flatMap { path in best[path.name].map { [$0.total] + $0.stages } ?? [] }
  }

  private static func measure(_ path: Path) throws -> Round {
    let mesh = try MeshUnderTest(
      path.name, quiet + path.settings.flatMap { ["--set", $0] } + RecordedDay.options)
    try mesh.call("trading.v1.TradingService/StartStrategy", #"{"strategyId":"mm-btcusdt"}"#)
    try pause(.seconds(2))
    let before = (connector: try mesh.metrics(port: 50_052), gate: try mesh.metrics(port: 50_061))
    try pause(.seconds(seconds))
    let after = (connector: try mesh.metrics(port: 50_052), gate: try mesh.metrics(port: 50_061))

    func here(_ stage: String) -> Spans {
      Spans(
        "trading_gateway_price_seconds", #"source="\#(path.source)",stage="\#(stage)""#,
        from: before.gate, to: after.gate)
    }
    func there(_ name: String, _ labels: String) -> Spans {
      Spans(name, #"venue="binance""# + labels, from: before.connector, to: after.connector)
    }
    let stage = "market_connector_stage_seconds"
    let isRing = path.source == "ring"
    return try Round(
      "market.frame-to-strategy.\(path.name)",
      decode: there(stage, #",stage="decode""#), book: there(stage, #",stage="book""#),
      left: isRing
        ? there(stage, #",stage="tick""#) : there("market_connector_publish_seconds", ""),
      desk: here("desk"), strategy: here("strategy"),
      ring: isRing ? before.gate.ringFigures(to: after.gate) : [])
  }
}

/// What one mesh told.
private struct Round {
  let total: Figures
  /// Decoding and the book take their own time; what follows is from the frame on.
  let stages: [Figures]
  var p50: Double { total.p50 ?? .infinity }

  init(
    _ name: String, decode: Spans, book: Spans, left: Spans, desk: Spans, strategy: Spans,
    ring: [(name: String, value: Double)]
  ) throws {
    guard strategy.count > 50 else {
      throw Broken("\(name): only \(strategy.count) prices reached the strategy")
    }
    func line(_ name: String, _ spans: Spans) -> Figures {
      var figures = Figures(name)
      (figures.p50, figures.p99) = (spans.quantile(0.5), spans.quantile(0.99))
      figures.more = [("samples", spans.count)]
      return figures
    }
    stages = [
      line("\(name).decode", decode), line("\(name).book", book),
      line("\(name).until-left", left), line("\(name).until-desk", desk),
    ]
    let middles = [decode, book, left, desk, strategy].map { $0.quantile(0.5) ?? 0 }
    let (left, desk, all) = (middles[2], middles[3], max(1, middles[4]))
    var total = line(name, strategy)
    // Of the medians: how much of the way each stage is.
    total.more += [
      ("decode_percent", middles[0] / all * 100), ("book_percent", middles[1] / all * 100),
      ("leave_percent", max(0, left - middles[0] - middles[1]) / all * 100),
      ("travel_percent", max(0, desk - left) / all * 100),
      ("strategy_percent", max(0, all - desk) / all * 100),
    ]
    total.more += ring
    self.total = total
  }
}

/// The day that the mesh plays.
enum RecordedDay {
  static let capture = "\(Workspace.root)/../shared/data/binance/spot_btcusdt_20240808.gz"

  static var isThere: Bool { access(capture, R_OK) == 0 }
  static var options: [String] {
    isThere ? ["--replay", capture, "--replay-speed", "10x"] : []
  }
}

extension Scrape {
  /// What SHM-01 asks: how full the ring was, and whether anything was lost.
  fileprivate func ringFigures(to after: Scrape) -> [(name: String, value: Double)] {
    let name = "trading_gateway_tick_ring_occupancy_ratio_bucket"
    func grown(_ bound: String) -> Double {
      let sample = "\(name){le=\"\(bound)\"}"
      return after.value(sample) - value(sample)
    }
    let all = grown("+Inf")
    guard all > 0 else { return [] }
    return [
      ("ring_looks", all),
      ("ring_under_1_percent_full_of_looks_percent", grown("0.01") / all * 100),
      ("ring_under_half_full_of_looks_percent", grown("0.5") / all * 100),
      ("overruns", after.value("trading_gateway_tick_ring_overruns_total")),
    ]
  }
}

/// `market.receive-to-publish`: the same clock and histograms over a recorded day, played back ten
/// times as fast as it was: from a whole frame until its tick is in the ring, and until its event is
/// with the readers of streams.
enum ReceiveToPublish {
  private static let seconds = 30

  static func run() throws -> [Figures] {
    guard RecordedDay.isThere else { throw Skipped(reason: "\(RecordedDay.capture) is absent") }
    let mesh = try MeshUnderTest("tape", RecordedDay.options)
    try pause(.seconds(2))
    let before = try mesh.metrics(port: 50_052)
    try pause(.seconds(seconds))
    let after = try mesh.metrics(port: 50_052)
    let venue = #"venue="binance""#
    return try [
      ("ring", "market_connector_stage_seconds", venue + #",stage="tick""#),
      ("stream", "market_connector_publish_seconds", venue),
    ].map { kind, name, labels in
      let spans = Spans(name, labels, from: before, to: after)
      guard spans.count > 100 else { throw Broken("only \(spans.count) events of the tape came") }
      var figures = Figures("market.receive-to-publish.\(kind)")
      (figures.p50, figures.p99) = (spans.quantile(0.5), spans.quantile(0.99))
      figures.more = [("samples", spans.count), ("p999_ns", spans.quantile(0.999) ?? 0)]
      return figures
    }
  }
}
