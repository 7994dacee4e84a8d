/// What a peer ran into, as told to `ServerObserver.defended` and counted in
/// `transport_limits_total{limit}`. Each has its setting in `ServerLimits`.
package enum TransportLimit: String, Sendable, Hashable, CaseIterable {
  /// More connections than a loop takes: the newcomer was closed.
  case connections
  /// More connections than one address may have: the newcomer was closed.
  case connectionsPerAddress = "connections_per_address"
  /// More TLS handshakes in progress than a loop takes: the newcomer was closed.
  case handshakes
  /// A new connection did not come to its first request in time.
  case greeting
  /// More changes of TLS keys than a connection needs.
  case keyUpdates = "key_updates"
  /// The first bytes belong to no protocol that is spoken here.
  case garbage
  /// A frame that breaks HTTP/2 beyond repair.
  case `protocol`
  /// A header block did not end in time.
  case headTime = "head_time"
  /// The fields of a request were too many bytes; it was refused.
  case headerBytes = "header_bytes"
  /// A header block inflated to a multiple of what a request may have.
  case headerBomb = "header_bomb"
  /// A header block in more CONTINUATION frames than one needs.
  case continuations
  /// More open streams than allowed: the new one was refused.
  case streams
  /// More RST_STREAM than the budget.
  case resets
  /// More streams that we had to reset for the peer's fault than the budget.
  case provokedResets = "provoked_resets"
  /// More PING than the budget, or pings too often on a connection that is idle otherwise.
  case pings
  case settings
  case windowUpdates = "window_updates"
  /// Frames that carry nothing: empty DATA, PRIORITY, unknown types.
  case emptyFrames = "empty_frames"
  /// The peer has not read anything of what was sent for too long.
  case stall
  /// A stream's window stayed closed for too long.
  case streamStall = "stream_stall"
  /// A request's message did not end in time.
  case messageTime = "message_time"
  /// A silent peer did not answer our PING.
  case keepalive
  /// A connection without calls was closed in order.
  case idle
}
