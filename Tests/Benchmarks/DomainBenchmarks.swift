import CAllocationCount
import Chrono
private import Glibc

func riskGate() throws -> [Figures] {
  [
    try riskGate("risk.gate", isEveryRuleOn: false),
    try riskGate("risk.gate.every-rule", isEveryRuleOn: true),
  ]
}

private func riskGate(_ name: String, isEveryRuleOn: Bool) throws -> Figures {
  _ = try RiskGateBenchmark(isEveryRuleOn: isEveryRuleOn).samples(count: 10_000)
  let benchmark = try RiskGateBenchmark(isEveryRuleOn: isEveryRuleOn)
  var figures = Figures(name, samples: benchmark.samples(count: 1_000_000).map { Double($0) })
  let count = 1_000_000
  let before = allocation_count()
  let backToBack = benchmark.backToBackNanoseconds(count: count)
  figures.allocations = Double(allocation_count() - before) / Double(count)
  figures.operationsPerSecond = 1e9 / backToBack
  figures.more = [("back_to_back_ns", backToBack), ("timer_ns", timerNanoseconds())]
  return figures
}

/// What two readings of the clock with nothing between them say has passed.
private func timerNanoseconds() -> Double {
  let time = SystemTime()
  var samples: [Double] = []
  for _ in 0..<10_000 {
    let start = time.uptime.nanoseconds
    samples.append(Double(time.uptime.nanoseconds &- start))
  }
  return samples.median
}

func orderBookApply() throws -> [Figures] {
  let file = "../shared/data/binance/spot_btcusdt_20240808.gz"
  let path = "\(Workspace.root)/\(file)"
  let isRecorded = access(path, R_OK) == 0
  if !isRecorded { note("  \(file) is absent; a seeded synthetic stream takes its place") }
  let capture = isRecorded ? try OrderBookCapture(path: path) : OrderBookCapture(seed: 20_240_808)
  let name = isRecorded ? "order-book.apply" : "order-book.apply.synthetic"
  let ours = orderBookReplay(capture, name: name)
  let peers = BookPeers.measure(capture)
  guard !peers.isEmpty else { return [Figures(ours)] }
  // Peers tell the mean of their fastest round, so ours stands beside them as a mean too.
  let mean = 1e9 / ours.operationsPerSecond
  return peers.enumerated().map { index, peer in
    var figures = index == 0 ? Figures(ours) : Figures("\(name).\(peer.library)")
    figures.operationsPerSecond = ours.operationsPerSecond
    figures.peer = "\(peer.library) \(peer.version)"
    figures.ratio = peer.nanoseconds / mean
    figures.more = [("mean_ns", mean), ("peer_mean_ns", peer.nanoseconds)]
    return figures
  }
}

func codecOrder() -> [Figures] {
  let measurement = codecBenchmark()
  return [
    figures(
      "codec.order.encode", measurement.encode, against: measurement.packC,
      allocations: measurement.encodeAllocations, wireBytes: measurement.wireBytes),
    figures(
      "codec.order.decode", measurement.decode, against: measurement.unpackC,
      allocations: measurement.decodeAllocations, wireBytes: measurement.wireBytes),
  ]
}

private func figures(
  _ name: String, _ ours: [Double], against theirs: [Double], allocations: Double, wireBytes: Int
) -> Figures {
  var figures = Figures(name, samples: ours)
  figures.operationsPerSecond = 1e9 / ours.median
  figures.allocations = allocations
  figures.peer = "protobuf-c"
  figures.ratio = theirs.median / ours.median
  figures.more = [("peer_p50_ns", theirs.median), ("wire_bytes", Double(wireBytes))]
  return figures
}
