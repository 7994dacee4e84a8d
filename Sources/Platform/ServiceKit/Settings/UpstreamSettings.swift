/// How a service calls its neighbours; part of section `[mesh]`.
package struct UpstreamSettings: Sendable {
  /// The names of Transport's policies.
  package enum Balancing: String, CaseIterable, Sendable {
    case roundRobin = "round_robin"
    case leastOutstanding = "least_outstanding"
  }

  package let loadBalancing: Balancing
  package let connectionsPerInstance: Int
  package let callsOutstandingMax: Int
  package let retryAttemptsMax: Int
  package let circuitFailuresMax: Int
  package let circuitPause: Duration
  package let circuitPauseMax: Duration

  init(_ settings: SettingsReader) {
    loadBalancing = settings.choice(
      "load_balancing", default: .roundRobin, "Which instance of a neighbour gets the next call.")
    connectionsPerInstance = settings.int(
      "connections_per_instance", in: 1...16, default: 1, unit: "connections",
      "Connections to each instance of a neighbour.")
    callsOutstandingMax = settings.int(
      "calls_outstanding_max", in: 1...1_000_000, default: 20_000, unit: "calls",
      "Calls to one neighbour that have not ended; more are UNAVAILABLE at once.")
    retryAttemptsMax = settings.int(
      "retry_attempts_max", in: 1...5, default: 3, unit: "tries",
      "Tries of an idempotent call that a neighbour answers with UNAVAILABLE, the first included.")
    circuitFailuresMax = settings.int(
      "circuit_failures_max", in: 0...100_000, default: 10, unit: "calls",
      "Calls in a row that a neighbour fails or does not answer; then others fail at once. 0: never."
    )
    circuitPause = settings.duration(
      "circuit_pause", in: .milliseconds(10)...(.seconds(300)), default: .milliseconds(500),
      "How long calls to such a neighbour fail at once before a few are let through to see.")
    circuitPauseMax = settings.duration(
      "circuit_pause_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(5),
      "The pause doubles each time in a row, up to this.")
    settings.check(
      circuitPause <= circuitPauseMax, "circuit_pause must not exceed circuit_pause_max")
  }
}
