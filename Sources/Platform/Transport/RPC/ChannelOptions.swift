package import Security

/// How long to wait before the next attempt to connect, as gRPC's connection-backoff.md has it.
package struct ConnectionBackoff: Sendable, Hashable {
  package var initial = Duration.seconds(1)
  package var factor = 1.6
  package var jitter = 0.2
  package var max = Duration.seconds(20)

  package init() {}

  /// Before attempt `failures + 1`. `chance` is in 0..<1.
  func delay(after failures: Int, chance: Double) -> Duration {
    var delay = initial
    for _ in 1..<Swift.max(2, failures) where delay < max { delay = delay * factor }
    return min(delay, max) * (1 + jitter * (2 * chance - 1))
  }
}

/// How a channel behaves. The defaults suit services of one mesh.
package struct ChannelOptions: Sendable {
  /// Nil for plaintext.
  package var tls: TLSContext?
  /// Whom the server's certificate must name; nil asks for the target's own service name.
  package var expectation: PeerExpectation?
  package var connectionsPerAddress = 1
  package var connectTimeout = Duration.seconds(5)
  package var backoff = ConnectionBackoff()
  /// For unary and client-streaming calls that set no deadline; the others may last for ever.
  package var defaultTimeout = Duration.seconds(10)
  package var messageBytesMax = 4 * 1024 * 1024
  /// Requests of a call that wait for a slow server; then `send` waits.
  package var unsentBytesMax = 64 * 1024
  /// Responses of a call that nobody has read; then its window stays closed.
  package var unreadBytesMax = 64 * 1024
  /// Calls that wait for a connection; more fail at once with RESOURCE_EXHAUSTED.
  package var waitingCallsMax = 10_000
  /// Tries of one idempotent call, the first included.
  package var attemptsMax = 3
  package var retryPause = Duration.milliseconds(20)
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

/// Keeps retries from making an outage worse: each costs a token, each success earns a tenth of
/// one, and none is allowed while less than half of the tokens are left (gRFC A6, "retry
/// throttling").
struct RetryBudget {
  private static let tokensMax = 100.0
  private var tokens = Self.tokensMax

  mutating func succeeded() { tokens = min(Self.tokensMax, tokens + 0.1) }

  mutating func mayRetry() -> Bool {
    tokens = max(0, tokens - 1)
    return tokens > Self.tokensMax / 2
  }
}
