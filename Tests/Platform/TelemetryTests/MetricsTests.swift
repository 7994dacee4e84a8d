import Foundation
import Telemetry
import Testing

private let promtool = "/usr/bin/promtool"

@Suite struct `Metrics` {
  @Test func `counters, gauges and histograms are written as Prometheus reads them`() {
    let registry = MetricsRegistry()
    registry.counter("orders_total", help: "Orders.\nSecond \\ line.").increment(by: 3)
    registry.gauges("depth_levels", help: "Levels.", labels: ["symbol", "side"])
      .with("B\"T\\C\n", "bid").set(2.5)
    let latency = registry.histogram("ack_seconds", help: "Ack.", bounds: [0.1, 1])
    latency.observe(.milliseconds(100))
    latency.observe(0.5)
    latency.observe(7)

    #expect(
      registry.exposition() == """
        # HELP ack_seconds Ack.
        # TYPE ack_seconds histogram
        ack_seconds_bucket{le="0.1"} 1
        ack_seconds_bucket{le="1"} 2
        ack_seconds_bucket{le="+Inf"} 3
        ack_seconds_sum 7.6
        ack_seconds_count 3
        # HELP depth_levels Levels.
        # TYPE depth_levels gauge
        depth_levels{symbol="B\\"T\\\\C\\n",side="bid"} 2.5
        # HELP orders_total Orders.\\nSecond \\\\ line.
        # TYPE orders_total counter
        orders_total 3

        """)
  }

  @Test func `the same name is the same metric`() {
    let registry = MetricsRegistry()

    registry.counter("a_total", help: "A.").increment()
    registry.counter("a_total", help: "A.").increment()

    #expect(registry.counter("a_total", help: "A.").value == 2)
  }

  @Test func `label values beyond the limit count as other`() {
    let registry = MetricsRegistry(seriesMax: 2)
    let family = registry.counters("calls_total", help: "Calls.", labels: ["method"])

    for method in ["a", "b", "c", "d", "a"] { family.with(method).increment() }

    #expect(family.with("a").value == 2)
    #expect(family.with("other").value == 2)
  }

  @Test func `nothing is lost between threads`() async {
    let registry = MetricsRegistry()
    let (counter, gauge) = (
      registry.counter("n_total", help: "N."), registry.gauge("g", help: "G.")
    )
    let histogram = registry.histogram("h_seconds", help: "H.")

    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<1000 {
            counter.increment()
            gauge.add(1)
            histogram.observe(0.25)
          }
        }
      }
    }

    #expect(counter.value == 4000)
    #expect(gauge.value == 4000)
    #expect(histogram.count == 4000)
    #expect(histogram.sum == 1000)
  }

  @Test func `the process describes itself`() {
    let registry = MetricsRegistry()
    ProcessMetrics.register(in: registry)
    var values: [Substring: Double] = [:]

    for line in registry.exposition().split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      values[parts[0]] = Double(parts[1])
    }

    #expect(values["process_resident_memory_bytes"]! > 1_000_000)
    #expect(values["process_open_fds"]! >= 3)
    #expect(values["process_max_fds"]! > values["process_open_fds"]!)
    #expect(values["process_cpu_seconds_total"]! > 0)
    #expect(abs(values["process_start_time_seconds"]! - Date().timeIntervalSince1970) < 3600)
  }

  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: promtool),
      "promtool (Debian package prometheus) is missing: the exposition goes unchecked"))
  func `OBS-02 promtool accepts the exposition`() throws {
    let registry = MetricsRegistry()
    ProcessMetrics.register(in: registry)
    registry.counters("rpc_requests_total", help: "Calls.", labels: ["method", "code"])
      .with("/a.B/C", "OK\n\"\\").increment()
    registry.gauge("rpc_in_flight_requests", help: "Open calls.").set(-1.5e-9)
    registry.histograms("rpc_duration_seconds", help: "Time.", labels: ["method"]).with("x")
      .observe(.microseconds(70))

    let process = Process()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: promtool)
    process.arguments = ["check", "metrics"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(registry.exposition().utf8))
    try input.fileHandleForWriting.close()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()

    #expect(process.terminationStatus == 0, "\(said)")
    #expect(said == "")
  }
}
