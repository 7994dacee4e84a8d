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
    guard request.method == "GET" || request.method == "HEAD" else { return false }
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

  /// Streams a client may reset in a burst; beyond it, and `resetsPerSecond`, it is sent away.
  package var resetBurst: Int {
    get { Int(http2.resetBurst) }
    set { http2.resetBurst = UInt64(max(0, newValue)) }
  }

  package var resetsPerSecond: Int {
    get { Int(http2.resetsPerSecond) }
    set { http2.resetsPerSecond = UInt64(max(0, newValue)) }
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
