internal import Transport

/// What peers may ask of a service's port; part of section `[mesh]`. The other limits of the transport
/// have values that need no operator (`docs/operating.md`, "Limits of a port").
package struct PortSettings: Sendable {
  package let connectionsMax: Int
  package let streamsMax: Int
  package let messageBytesMax: Int
  package let headerBytesMax: Int
  package let greetingTimeMax: Duration
  package let messageTimeMax: Duration
  package let stallTimeMax: Duration
  package let keepaliveAfter: Duration
  package let keepaliveTimeMax: Duration
  package let idleTimeMax: Duration
  package let resetBurst: Int
  package let resetsPerSecond: Int

  init(_ settings: SettingsReader) {
    connectionsMax = settings.int(
      "connections_max", in: 16...1_000_000, default: 10_000, unit: "connections",
      "Connections of one port at once; more are closed when they come.")
    streamsMax = settings.int(
      "streams_max", in: 1...1_000_000, default: 1_000, unit: "calls",
      "Calls at once on one connection; more are refused.")
    messageBytesMax = settings.int(
      "message_bytes_max", in: 1_024...(1 << 30), default: 4 << 20, unit: "bytes",
      "A request message, decompressed; larger ones are RESOURCE_EXHAUSTED.")
    headerBytesMax = settings.int(
      "header_bytes_max", in: 4_096...(1 << 20), default: 32 << 10, unit: "bytes",
      "The fields of a request with 32 for each; more are RESOURCE_EXHAUSTED, or 431.")
    greetingTimeMax = settings.duration(
      "greeting_time_max", in: .milliseconds(10)...(.seconds(300)), default: .seconds(10),
      "From a connection to its first request, with the TLS handshake; then it is closed.")
    messageTimeMax = settings.duration(
      "message_time_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(60),
      "From the start of a request's message to its end; then DEADLINE_EXCEEDED, or 408.")
    stallTimeMax = settings.duration(
      "stall_time_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(30),
      "How long a peer may read nothing of what waits for it; then it is cut off.")
    keepaliveAfter = settings.duration(
      "keepalive_after", in: .milliseconds(10)...(.seconds(86_400)), default: .seconds(120),
      "A peer that was silent for so long is pinged.")
    keepaliveTimeMax = settings.duration(
      "keepalive_time_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(20),
      "How long a pinged peer may stay silent; then it is cut off.")
    idleTimeMax = settings.duration(
      "idle_time_max", in: .milliseconds(10)...(.seconds(86_400)), default: .seconds(1_800),
      "A connection without calls for so long is closed in order.")
    resetBurst = settings.int(
      "reset_burst", in: 1...1_000_000, default: 1_000, unit: "resets",
      "Calls that a peer may reset, or make us reset, at once; beyond, it is sent away.")
    resetsPerSecond = settings.int(
      "resets_per_second", in: 0...1_000_000, default: 100, unit: "resets",
      "The same per second, after the burst.")
  }

  func apply(to limits: inout ServerLimits) {
    limits.connectionsMax = connectionsMax
    limits.streamsMax = streamsMax
    limits.messageBytesMax = messageBytesMax
    limits.headerBytesMax = headerBytesMax
    limits.greetingMax = greetingTimeMax
    limits.messageTimeMax = messageTimeMax
    limits.stallMax = stallTimeMax
    limits.keepaliveAfter = keepaliveAfter
    limits.keepaliveAckMax = keepaliveTimeMax
    limits.idleMax = idleTimeMax
    limits.floods.resets = RateLimit(burst: resetBurst, perSecond: resetsPerSecond)
    limits.floods.provokedResets = RateLimit(burst: resetBurst, perSecond: resetsPerSecond)
  }
}
