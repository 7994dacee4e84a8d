internal import Calls
internal import Loop

/// What all connections of a server share, immutable once it serves.
final class ServerShared: Sendable {
  let methods: ServedMethods
  let interceptors: InterceptorChain
  let observer: any ServerObserver
  /// Nobody wants to know when calls begin and end, so nobody needs the time.
  let isObserved: Bool
  let responder: (any HTTPResponder)?
  let plaintext: PlaintextPolicy
  let limits: ServerLimits
  let drainEndsStreams: Bool
  /// Where handlers run; nil where their calls come in.
  private let home: EventLoop?

  /// `home`: nil when there is one loop, which then is home.
  init(_ configuration: ServerConfiguration, home: EventLoop?) {
    self.home = home
    methods = ServedMethods(configuration.methods)
    interceptors = InterceptorChain(configuration.interceptors, home: home)
    observer = configuration.observer
    isObserved = !(configuration.observer is SilentObserver)
    responder = configuration.responder
    plaintext = configuration.plaintextPolicy
    limits = configuration.limits
    drainEndsStreams = configuration.drainEndsStreams
  }

  /// What the caller is told about an error of a handler.
  func status(of error: any Error, _ context: ServerContext) -> RPCError {
    switch error {
    case let error as RPCError: return error
    case is CancellationError: return RPCError(.cancelled, "the call was cancelled")
    default:
      observer.handlerFailed(context, error)
      return RPCError(.internalError, "the service failed")
    }
  }

  func respond(to request: HTTPRequest, isEncrypted: Bool) async -> HTTPResponse {
    guard isEncrypted || plaintext.admits(request) else { return Self.plaintextRefusal }
    guard let responder else {
      return Self.problem(404, StatusCode.notFound, "there is nothing at this path")
    }
    guard let home, !home.isCurrent else { return await responder.respond(to: request) }
    return await withTaskExecutorPreference(home) { await responder.respond(to: request) }
  }

  private static let plaintextRefusal = problem(
    401, .unauthenticated, "this port answers plaintext requests for health and metrics only")

  private static func problem(_ status: Int, _ code: StatusCode, _ message: String) -> HTTPResponse
  {
    HTTPResponse(
      status: status,
      json: Array(
        #"{"error":{"code":\#(status),"status":"\#(code.name)","message":"\#(message)"}}"#.utf8))
  }
}

/// The responder of an HTTP/1.1 connection of a server: the policy for plaintext comes first.
struct PolicedResponder: HTTPResponder {
  let shared: ServerShared
  let peer: Peer

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    var request = request
    request.identity = Identity(service: peer.serviceName)
    request.peerAddress = peer.address
    return await shared.respond(to: request, isEncrypted: peer.isEncrypted)
  }
}
