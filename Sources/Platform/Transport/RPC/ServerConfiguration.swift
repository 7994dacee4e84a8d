package import Calls
package import Security

/// What a server may be asked without TLS.
package enum PlaintextPolicy: Sendable, Hashable {
  /// `grpc.health.v1.Health`, `GET /health/live`, `GET /health/ready` and `GET /metrics`.
  case healthAndMetricsOnly
  /// Everything: the gateway behind its own authentication, and tests.
  case everything

  func admits(_ method: MethodDescriptor) -> Bool {
    self == .everything || method.service == "grpc.health.v1.Health"
  }

  func admits(_ request: HTTPRequest) -> Bool {
    if self == .everything { return true }
    // Whatever the method: the responder tells a POST that it is none of these paths'.
    switch request.path {
    case "/health/live", "/health/ready", "/metrics": return true
    default: return false
    }
  }
}

/// What one server, connection and call may use up.
package struct ServerLimits: Sendable {
  /// A request message, also after decompression; larger ones are RESOURCE_EXHAUSTED.
  package var messageBytesMax = 4 * 1024 * 1024
  /// A response message before it is packed; a handler that answers more ends its call with
  /// RESOURCE_EXHAUSTED, and nothing of it is sent.
  package var sentMessageBytesMax = 64 * 1024 * 1024
  /// The body of a plain request over HTTP/2; larger ones are 413.
  package var bodyBytesMax = 1024 * 1024
  /// Responses of a call that wait for a slow reader; then the handler's `send` waits.
  package var unsentBytesMax = 64 * 1024
  /// Requests of a call that the handler has not read; then its window stays closed.
  package var unreadBytesMax = 64 * 1024
  /// Connections at once per loop; more are closed when they are accepted.
  package var connectionsMax = 10_000
  /// From accepting a connection to its first request's first bytes, with the TLS handshake.
  package var greetingMax = Duration.seconds(10)
  /// Connections at once from one IP address; more are closed when they are accepted. Nil: no bound
  /// of its own, as behind a proxy and on loopback, where all peers share an address.
  package var connectionsPerAddressMax: Int?
  /// TLS handshakes in progress per loop; connections that would begin more are closed.
  package var handshakesMax = 1_024
  /// Changes of its TLS keys that a peer may make on one connection, each of which is good for
  /// terabytes; then the connection is closed.
  package var keyUpdatesMax = 100
  /// How long an HTTP/2 peer may read nothing of what waits for it; then the connection is cut.
  package var stallMax = Duration.seconds(30)
  /// How long one stream's window may stay closed while there is something to send on it; then the
  /// stream is reset. Nil: for ever, as a subscriber may pause.
  package var streamStallMax: Duration?
  /// From the start of an HTTP/2 header block to its end; then the connection is cut.
  package var headTimeMax = Duration.seconds(10)
  /// From the start of a request's message, or of a unary request, to its end; then the call ends
  /// with DEADLINE_EXCEEDED, and a plain request with 408.
  package var messageTimeMax = Duration.seconds(60)
  /// A peer that was silent for so long is pinged. Nil: never.
  package var keepaliveAfter: Duration? = .seconds(120)
  /// How long a pinged peer may stay silent; then the connection is cut.
  package var keepaliveAckMax = Duration.seconds(20)
  /// An HTTP/2 connection without calls for so long is closed in order. Nil: it stays.
  package var idleMax: Duration? = .seconds(30 * 60)
  /// What frames that are legal one by one may add up to on an HTTP/2 connection.
  package var floods: FloodLimits {
    get { http2.floods }
    set { http2.floods = newValue }
  }
  package var http1 = HTTP1Limits.standard
  package var webSocket = WebSocketLimits.standard
  var http2 = HTTP2Settings()

  /// Streams that one connection may have open; more are refused.
  package var streamsMax: Int {
    get { Int(http2.streamsMax) }
    set { http2.streamsMax = UInt32(clamping: newValue) }
  }

  /// Names, values and 32 for each header field of a request.
  package var headerBytesMax: Int {
    get { Int(http2.headerListBytesMax) }
    set { http2.headerListBytesMax = UInt32(clamping: newValue) }
  }

  /// What a header block may inflate to before its connection is cut; below, it is only refused.
  var headerBombBytesMax: Int { max(8 * headerBytesMax, 256 * 1024) }

  /// Streams a client may reset in a burst; beyond it, and `resetsPerSecond`, it is sent away.
  package var resetBurst: Int {
    get { http2.floods.resets.burst }
    set { http2.floods.resets.burst = newValue }
  }

  package var resetsPerSecond: Int {
    get { http2.floods.resets.perSecond }
    set { http2.floods.resets.perSecond = newValue }
  }

  /// Bytes that a client may send on one stream before its handler has read them.
  package var streamWindow: Int {
    get { Int(http2.streamWindow) }
    set { http2.streamWindow = UInt32(clamping: min(newValue, Int(Int32.max))) }
  }

  /// Bytes that a client may send on all streams of a connection before we have seen them.
  package var connectionWindow: Int {
    get { Int(http2.connectionWindow) }
    set { http2.connectionWindow = UInt32(clamping: min(newValue, Int(Int32.max))) }
  }

  var watch: ConnectionWatch.Limits {
    ConnectionWatch.Limits(
      stallMax: stallMax, headTimeMax: headTimeMax, keepaliveAfter: keepaliveAfter,
      keepaliveAckMax: keepaliveAckMax, idleMax: idleMax)
  }

  /// How often connections are looked at.
  var lookInterval: Duration {
    let streams = max(.milliseconds(5), min(messageTimeMax, streamStallMax ?? messageTimeMax) / 4)
    return min(watch.lookInterval, streams)
  }

  package init() {}
}

/// Everything that a server is started with.
package struct ServerConfiguration: Sendable {
  package var address: Address
  /// Nil for a port that speaks plaintext only.
  package var tls: TLSContext?
  package var methods: [ServerMethod]
  package var responder: (any HTTPResponder)?
  package var plaintextPolicy = PlaintextPolicy.healthAndMetricsOnly
  /// Around every call, the first one outermost.
  package var interceptors: [any ServerInterceptor] = []
  package var observer: any ServerObserver = SilentObserver()
  package var limits = ServerLimits()
  /// A drain ends streams of answers with UNAVAILABLE, so that their callers go on elsewhere at once;
  /// otherwise it waits for them as for all calls.
  package var drainEndsStreams = false

  package init(
    address: Address, tls: TLSContext? = nil, methods: [ServerMethod] = [],
    responder: (any HTTPResponder)? = nil
  ) {
    self.address = address
    self.tls = tls
    self.methods = methods
    self.responder = responder
  }
}
