/// The cases of grpc's interop test descriptions (grpc/doc/interop-test-descriptions.md) that need no
/// cloud, with those of older editions that other implementations still have.
package enum InteropCase: String, Sendable, CaseIterable {
  case emptyUnary = "empty_unary"
  case cacheableUnary = "cacheable_unary"
  case largeUnary = "large_unary"
  case clientCompressedUnary = "client_compressed_unary"
  case serverCompressedUnary = "server_compressed_unary"
  case clientStreaming = "client_streaming"
  case clientCompressedStreaming = "client_compressed_streaming"
  case serverStreaming = "server_streaming"
  case serverCompressedStreaming = "server_compressed_streaming"
  case pingPong = "ping_pong"
  case halfDuplex = "half_duplex"
  case slowConsumer = "slow_consumer"
  case emptyStream = "empty_stream"
  case customMetadata = "custom_metadata"
  case statusCodeAndMessage = "status_code_and_message"
  case specialStatusMessage = "special_status_message"
  case unimplementedMethod = "unimplemented_method"
  case unimplementedService = "unimplemented_service"
  case cancelAfterBegin = "cancel_after_begin"
  case cancelAfterFirstResponse = "cancel_after_first_response"
  case timeoutOnSleepingServer = "timeout_on_sleeping_server"
  case rpcSoak = "rpc_soak"
  case channelSoak = "channel_soak"

  /// What is tried, for a list.
  package var summary: String {
    switch self {
    case .emptyUnary: "messages of no bytes"
    case .cacheableUnary: "the same twice is answered the same (the server, or a proxy, caches)"
    case .largeUnary: "messages larger than a window"
    case .clientCompressedUnary: "a request packed, and one not, and one that lies about it"
    case .serverCompressedUnary: "a response packed, and one not"
    case .clientStreaming: "four requests, one response"
    case .clientCompressedStreaming: "a stream with one request packed and one not"
    case .serverStreaming: "one request, four responses"
    case .serverCompressedStreaming: "a stream with one response packed and one not"
    case .pingPong: "requests and responses in turn"
    case .halfDuplex: "all requests, then all responses"
    case .slowConsumer: "two thousand responses, read slowly"
    case .emptyStream: "a stream of nothing, both ways"
    case .customMetadata: "text and bytes of metadata come back"
    case .statusCodeAndMessage: "a status and its message come back"
    case .specialStatusMessage: "a message with blanks, line ends and Unicode comes back"
    case .unimplementedMethod: "a method that is not there"
    case .unimplementedService: "a service that is not there"
    case .cancelAfterBegin: "cancelled before the first request"
    case .cancelAfterFirstResponse: "cancelled after the first response"
    case .timeoutOnSleepingServer: "a deadline that passes"
    case .rpcSoak: "large_unary again and again on one channel"
    case .channelSoak: "large_unary again and again, each on a channel of its own"
    }
  }
}

/// What a case found that is not as described.
package struct InteropFault: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// How patient the client is. The soak cases are grpc's, with its defaults.
package struct InteropSettings: Sendable {
  /// The deadline of a call; who does not answer by then has failed the case.
  package var callTimeMax = Duration.seconds(30)
  package var soakIterations = 10
  /// More failed iterations than this fail a soak.
  package var soakFailuresMax = 0
  /// An iteration that takes longer has failed.
  package var soakLatencyMax = Duration.seconds(1)
  /// A soak that is not done by then has failed; nil: as long as all iterations may take.
  package var soakTimeMax: Duration?
  /// slow_consumer pauses for so long after every tenth response.
  package var consumerPause = Duration.milliseconds(10)

  package init() {}
}
