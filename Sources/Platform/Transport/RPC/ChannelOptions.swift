package import Security

/// How a channel asks its servers how they are: `grpc.health.v1.Health/Watch` on every connection
/// (gRFC A17). A server that has no such service counts as healthy.
package struct HealthChecking: Sendable, Hashable {
  /// Whose health is watched; empty for the whole process.
  package var service = ""
  /// What becomes of calls while no connected server says SERVING: they are sent anyway, and each
  /// server answers for itself; else they fail or wait as without a connection, as in gRPC.
  package var usesAllWhenNoneServes = false

  package init() {}
}

/// How a channel behaves. The defaults suit services of one mesh.
package struct ChannelOptions: Sendable {
  /// Nil for plaintext.
  package var tls: TLSContext?
  /// Whom the server's certificate must name; nil asks for the target's own service name.
  package var expectation: PeerExpectation?
  package var connectionsPerAddress = 1
  package var loadBalancing = LoadBalancing.roundRobin
  /// For one try to connect, from looking up its host name to the server's SETTINGS. The addresses
  /// of a name share it.
  package var connectTimeout = Duration.seconds(20)
  package var backoff = ConnectionBackoff()
  /// Nil asks nobody.
  package var health: HealthChecking?
  /// Nil ejects nobody.
  package var outliers: OutlierSettings?
  package var circuit = CircuitSettings()
  package var retry = RetryPolicy()
  /// For unary and client-streaming calls that set no deadline; the others may last for ever. It
  /// spans all attempts, and the wait for a connection.
  package var defaultTimeout = Duration.seconds(10)
  /// A response message, also after decompression; larger ones end the call with
  /// RESOURCE_EXHAUSTED.
  package var messageBytesMax = 4 * 1024 * 1024
  /// A request message before it is packed; larger ones are RESOURCE_EXHAUSTED and never sent.
  package var sentMessageBytesMax = 64 * 1024 * 1024
  /// Names, values and 32 for each field of the head or the trailers of an answer; more ends the call
  /// with RESOURCE_EXHAUSTED.
  package var headerBytesMax = 64 * 1024
  /// Requests of a call that wait for a slow server; then `send` waits.
  package var unsentBytesMax = 64 * 1024
  /// Responses of a call that nobody has read; then its window stays closed.
  package var unreadBytesMax = 64 * 1024
  /// Calls that wait for a connection, or for room on one; more fail at once with
  /// RESOURCE_EXHAUSTED.
  package var waitingCallsMax = 10_000
  /// Calls that have begun and not ended; more fail at once with UNAVAILABLE, as in gRFC A32: who is
  /// asked too much is as good as away.
  package var callsMax = 20_000
  /// Nil for nobody.
  package var observer: (any ChannelObserver)?
  /// How long a server may read nothing of what waits for it; then the connection is cut.
  package var stallMax = Duration.seconds(30)
  /// A server that was silent for so long while calls are open is pinged (gRFC A8). Nil, as gRPC
  /// has it: never, for strange servers count pings more often than every five minutes as abuse.
  package var keepaliveAfter: Duration?
  /// How long a pinged server may stay silent; then the connection is cut.
  package var keepaliveAckMax = Duration.seconds(20)
  /// Whether a connection without calls is pinged, too.
  package var keepaliveWithoutCalls = false
  /// What frames that are legal one by one may add up to before a server is left.
  package var floods: FloodLimits {
    get { http2.floods }
    set { http2.floods = newValue }
  }
  var http2 = HTTP2Settings()
  /// Who looks up host names.
  var hosts = HostResolver.shared

  /// Bytes that a server may send on one stream before its caller has read them.
  package var streamWindow: Int {
    get { Int(http2.streamWindow) }
    set { http2.streamWindow = UInt32(clamping: min(newValue, Int(Int32.max))) }
  }

  /// Bytes that a server may send on all streams of a connection before we have seen them.
  package var connectionWindow: Int {
    get { Int(http2.connectionWindow) }
    set { http2.connectionWindow = UInt32(clamping: min(newValue, Int(Int32.max))) }
  }

  var watch: ConnectionWatch.Limits {
    ConnectionWatch.Limits(
      stallMax: stallMax, headTimeMax: .seconds(10), keepaliveAfter: keepaliveAfter,
      keepaliveAckMax: keepaliveAckMax, idleMax: nil)
  }

  package init(tls: TLSContext? = nil) { self.tls = tls }
}
