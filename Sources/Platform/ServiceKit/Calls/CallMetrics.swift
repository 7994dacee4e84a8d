package import Calls
package import Telemetry
package import Transport

/// Counts and times every call of a server, by method and by status.
package final class CallMetrics: ServerObserver {
  private struct Series: Sendable {
    let started: Counter
    let succeeded: Counter
    let cancelled: Counter
    let seconds: Histogram
    let inFlight: Gauge
  }

  private let series: [MethodDescriptor: Series]
  private let handled: CounterFamily
  private let connections: Gauge
  private let failed: CounterFamily
  private let refused: CounterFamily
  private let limits: [TransportLimit: Counter]
  private let log: Log

  /// One row per method from the start, so that rates begin at zero.
  package init(_ methods: [MethodDescriptor], metrics: MetricsRegistry, log: Log) {
    self.log = log
    let labels = ["grpc_service", "grpc_method"]
    let started = metrics.counters(
      "rpc_server_started_total", help: "Calls begun.", labels: labels)
    let cancelled = metrics.counters(
      "rpc_cancelled_total", help: "Calls whose caller went away before the answer.",
      labels: labels)
    let seconds = metrics.histograms(
      "rpc_server_handling_seconds", help: "From the request's head to the status.",
      labels: labels)
    let inFlight = metrics.gauges(
      "rpc_server_in_flight", help: "Calls that run now.", labels: labels)
    let handled = metrics.counters(
      "rpc_server_handled_total", help: "Calls ended, by status.",
      labels: labels + ["grpc_code"])
    self.handled = handled
    series = Dictionary(
      methods.map { method in
        let (service, name) = (method.service, method.name)
        let row = Series(
          started: started.with(service, name),
          succeeded: handled.with(service, name, StatusCode.ok.name),
          cancelled: cancelled.with(service, name),
          seconds: seconds.with(service, name), inFlight: inFlight.with(service, name))
        return (method, row)
      }, uniquingKeysWith: { first, _ in first })
    failed = metrics.counters(
      "rpc_server_failures_total", help: "Handlers that threw what callers may not see.",
      labels: labels)
    refused = metrics.counters(
      "rpc_server_refused_total", help: "Calls that no handler has seen, by status.",
      labels: ["grpc_code"])
    let passed = metrics.counters(
      "transport_limits_total", help: "Limits of the port that peers ran into.", labels: ["limit"])
    limits = Dictionary(
      uniqueKeysWithValues: TransportLimit.allCases.map { ($0, passed.with($0.rawValue)) })
    connections = metrics.gauge("server_connections", help: "Open connections.")
  }

  package func callStarted(_ method: MethodDescriptor) {
    guard let row = series[method] else { return }
    row.started.increment()
    row.inFlight.increment()
  }

  package func callFinished(
    _ method: MethodDescriptor, _ code: StatusCode, latency: Duration, isCancelled: Bool
  ) {
    let row = series[method]
    if code == .ok, let row {
      row.succeeded.increment()
    } else {
      handled.with(method.service, method.name, code.name).increment()
    }
    guard let row else { return }
    row.inFlight.decrement()
    row.seconds.observe(latency)
    if isCancelled { row.cancelled.increment() }
  }

  package func callRefused(_ method: MethodDescriptor?, path: String, _ code: StatusCode) {
    refused.with(code.name).increment()
    log.debug("call refused", ["path": .text(path), "code": .text(code.name)])
  }

  package func handlerFailed(_ context: ServerContext, _ error: any Error) {
    failed.with(context.method.service, context.method.name).increment()
    log.error(
      "handler failed",
      [
        "method": .text(context.method.path), "trace_id": .text(context.traceID),
        "error": LogValue(describing: error),
      ])
  }

  package func connectionOpened() { connections.increment() }
  package func connectionClosed() { connections.decrement() }

  package func defended(_ limit: TransportLimit) {
    limits[limit]?.increment()
    log.debug("a peer ran into a limit", ["limit": .text(limit.rawValue)])
  }
}
