internal import Calls
internal import Telemetry
internal import Transport

/// Counts and times calls to other services, by the service and not by its instances.
struct UpstreamMetrics: Sendable {
  fileprivate let started: CounterFamily
  fileprivate let handled: CounterFamily
  fileprivate let seconds: HistogramFamily
  fileprivate let retries: CounterFamily
  fileprivate let throttled: CounterFamily
  fileprivate let ejections: CounterFamily
  fileprivate let ejected: GaugeFamily
  fileprivate let circuit: GaugeFamily
  fileprivate let opened: CounterFamily
  fileprivate let connections: GaugeFamily

  init(_ metrics: MetricsRegistry) {
    started = metrics.counters(
      "rpc_client_started_total", help: "Calls begun to another service.", labels: ["upstream"])
    handled = metrics.counters(
      "rpc_client_handled_total", help: "Calls to another service ended, by status.",
      labels: ["upstream", "grpc_code"])
    seconds = metrics.histograms(
      "rpc_client_handling_seconds", help: "From the call to its end, over all its attempts.",
      labels: ["upstream"])
    retries = metrics.counters(
      "rpc_client_retries_total",
      help: "Attempts after the first: policy, or transparent when no server had seen the call.",
      labels: ["upstream", "kind"])
    throttled = metrics.counters(
      "rpc_client_retries_throttled_total",
      help: "Times the budget of retries was used up.", labels: ["upstream"])
    ejections = metrics.counters(
      "rpc_client_ejections_total", help: "Instances that were left alone for their failures.",
      labels: ["upstream"])
    ejected = metrics.gauges(
      "rpc_client_ejected_instances", help: "Instances that are left alone now.",
      labels: ["upstream"])
    circuit = metrics.gauges(
      "rpc_client_circuit", help: "1 at the state of the circuit to another service.",
      labels: ["upstream", "state"])
    opened = metrics.counters(
      "rpc_client_circuit_opened_total", help: "Times that a circuit opened.",
      labels: ["upstream"])
    connections = metrics.gauges(
      "rpc_client_connections", help: "Connections to another service, by state.",
      labels: ["upstream", "state"])
  }

  func observer(of upstream: ServiceName) -> any ChannelObserver {
    UpstreamObserver(upstream.text, self)
  }
}

/// The metrics of one neighbour, found once.
private final class UpstreamObserver: ChannelObserver {
  private let upstream: String
  private let families: UpstreamMetrics
  private let started: Counter
  private let succeeded: Counter
  private let seconds: Histogram
  private let ejected: Gauge

  init(_ upstream: String, _ families: UpstreamMetrics) {
    self.upstream = upstream
    self.families = families
    started = families.started.with(upstream)
    succeeded = families.handled.with(upstream, StatusCode.ok.name)
    seconds = families.seconds.with(upstream)
    ejected = families.ejected.with(upstream)
    for kind in ["policy", "transparent"] { _ = families.retries.with(upstream, kind) }
    _ = families.throttled.with(upstream)
    _ = families.ejections.with(upstream)
    _ = families.opened.with(upstream)
    show(.closed)
    connectionsChanged([:])
  }

  func callStarted(_ method: MethodDescriptor) { started.increment() }

  func callFinished(_ method: MethodDescriptor, _ code: StatusCode, latency: Duration) {
    if code == .ok {
      succeeded.increment()
    } else {
      families.handled.with(upstream, code.name).increment()
    }
    seconds.observe(latency)
  }

  func callRetried(_ method: MethodDescriptor, isTransparent: Bool) {
    families.retries.with(upstream, isTransparent ? "transparent" : "policy").increment()
  }

  func retryThrottled(_ method: MethodDescriptor) {
    families.throttled.with(upstream).increment()
  }

  func instanceEjected(_ address: Address) {
    families.ejections.with(upstream).increment()
    ejected.increment()
  }

  func instanceRestored(_ address: Address) { ejected.decrement() }

  func circuitChanged(_ state: CircuitState) {
    if state == .open { families.opened.with(upstream).increment() }
    show(state)
  }

  private func show(_ state: CircuitState) {
    for each in CircuitState.allCases {
      families.circuit.with(upstream, Self.label(each)).set(each == state ? 1 : 0)
    }
  }

  func connectionsChanged(_ counts: [ConnectionState: Int]) {
    for state in ConnectionState.allCases {
      families.connections.with(upstream, Self.label(state)).set(counts[state] ?? 0)
    }
  }

  private static func label(_ state: CircuitState) -> String {
    switch state {
    case .closed: "closed"
    case .open: "open"
    case .halfOpen: "half_open"
    }
  }

  private static func label(_ state: ConnectionState) -> String {
    switch state {
    case .idle: "idle"
    case .connecting: "connecting"
    case .ready: "ready"
    case .transientFailure: "transient_failure"
    }
  }
}
