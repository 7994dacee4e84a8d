import Glibc

/// From a frame of the exchange to a strategy, through the processes of a mesh: venue-sim,
/// market-connector, (orderbook,) trading-gateway, as `up` starts them.
///
/// The times are the services' own. A price carries when the market-connector had its frame whole,
/// decrypted and unmasked, and every process reads the same clock of the machine; so nothing here
/// guesses, and what the kernel and TLS take before that moment is not in it. Quantiles are read off
/// histograms whose bounds are a quarter apart. The strategy quotes once and only decides from then on.
enum FrameToStrategy {
  private static let rounds = 3
  private static let seconds = 20
  private static let quiet = [
    "--set", "trading-gateway.maker_requote_interval=1h", "--set",
    "trading-gateway.maker_half_spread_ticks=100000",
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
    guard readWhole("/proc/self/stat") != nil else { throw Skipped(reason: "there is no /proc") }
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

  private struct Round {
    let total: Figures
    let stages: [Figures]
    var p50: Double { total.p50 ?? .infinity }
  }

  private static func measure(_ path: Path) throws -> Round {
    let mesh = try MeshUnderTest(
      path.name, quiet + path.settings.flatMap { ["--set", $0] })
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
    let (desk, strategy) = (here("desk"), here("strategy"))
    // What has left the connector, from the frame on.
    let left =
      path.source == "ring"
      ? there(stage, #",stage="tick""#) : there("market_connector_publish_seconds", "")
    guard strategy.count > 50 else {
      throw Broken("\(path.name): only \(strategy.count) prices reached the strategy")
    }
    let name = "market.frame-to-strategy.\(path.name)"
    var total = Figures(name)
    (total.p50, total.p99) = (strategy.quantile(0.5), strategy.quantile(0.99))
    total.more = [("samples", strategy.count)]
    total.more += before.gate.lossFigures(to: after.gate)
    return Round(
      total: total,
      stages: [
        line("\(name).decode", there(stage, #",stage="decode""#), of: total),
        line("\(name).book", there(stage, #",stage="book""#), of: total),
        line(
          "\(name).leave", left,
          after: [
            there(stage, #",stage="decode""#), there(stage, #",stage="book""#),
          ], of: total),
        line("\(name).travel", desk, after: [left], of: total),
        line("\(name).strategy", strategy, after: [desk], of: total),
      ])
  }

  /// A stage that is measured from the frame on is less what came before it, quantile by quantile.
  private static func line(
    _ name: String, _ spans: Spans, after earlier: [Spans] = [], of total: Figures
  ) -> Figures {
    func own(_ share: Double) -> Double? {
      spans.quantile(share).map { all in
        max(0, earlier.reduce(all) { $0 - ($1.quantile(share) ?? 0) })
      }
    }
    var figures = Figures(name)
    (figures.p50, figures.p99) = (own(0.5), own(0.99))
    if let part = figures.p50, let all = total.p50 {
      figures.more = [("share_percent", part / all * 100)]
    }
    return figures
  }
}

extension Scrape {
  /// What SHM-01 asks: how full the ring was, and whether anything was lost.
  fileprivate func lossFigures(to after: Scrape) -> [(name: String, value: Double)] {
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
    let capture = "\(Workspace.root)/../shared/data/binance/spot_btcusdt_20240808.gz"
    guard access(capture, R_OK) == 0 else { throw Skipped(reason: "\(capture) is absent") }
    let mesh = try MeshUnderTest("tape", ["--replay", capture, "--replay-speed", "10x"])
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
