package import Calls
internal import Chrono
package import Loop

/// A channel to methods of this process: the twin of a network channel and a server, with the same
/// deadlines, cancellation, metadata, interceptors and backpressure, and no bytes on any wire.
package final class InProcessChannel: Channel {
  let methods: [String: ServerMethod]
  let interceptors: InterceptorChain
  let observer: any ServerObserver
  let loop: EventLoop?
  private let identity: Identity
  private let defaultTimeout: Duration

  /// Messages of one direction that nobody has read; then `send` waits.
  static let unreadBytesMax = 64 * 1024

  /// Handlers run as tasks on `loop`, or on the global pool when it is nil. They see `identity`.
  package init(
    methods: [ServerMethod], interceptors: [any ServerInterceptor] = [],
    observer: any ServerObserver = SilentObserver(), identity: Identity = Identity(),
    loop: EventLoop? = nil, defaultTimeout: Duration = .seconds(10)
  ) {
    self.methods = Dictionary(
      methods.map { ($0.descriptor.path, $0) },
      uniquingKeysWith: { first, _ in
        preconditionFailure("\(first.descriptor.path) is served twice")
      })
    self.interceptors = InterceptorChain(interceptors)
    self.observer = observer
    self.identity = identity
    self.loop = loop
    self.defaultTimeout = defaultTimeout
  }

  var uptime: Uptime { loop?.uptime ?? SystemTime().uptime }

  package func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let call = try begin(method, options)
    call.sendWhole(request)
    guard let response = try await call.next() else {
      throw RPCError(.internalError, "the server answered without a message")
    }
    guard try await call.next() == nil else {
      call.cancel()
      throw RPCError(.internalError, "the server answered with more than one message")
    }
    return response
  }

  package func open(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws(RPCError) -> any ClientStream {
    try begin(method, options)
  }

  private func begin(
    _ method: MethodDescriptor, _ options: CallOptions
  ) throws(RPCError) -> InProcessCall {
    guard let served = methods[method.path] else {
      observer.callRefused(nil, path: method.path, .unimplemented)
      throw RPCError(.unimplemented, "there is no method \(method.path)")
    }
    var deadline = options.deadline
    if deadline == nil, !method.shape.responsesStream {
      deadline = uptime + defaultTimeout
    }
    var metadata = Metadata()
    for entry in options.metadata.entries where MetadataCodec.isSendable(entry.key) {
      switch entry.value {
      case .text(let text):
        if let text = MetadataCodec.sendable(text) { metadata.add(entry.key, text) }
      case .bytes(let bytes): metadata.add(entry.key, bytes: bytes)
      }
    }
    var trace = TraceIdentity(loop)
    let context = ServerContext(
      method: served.descriptor, metadata: metadata, deadline: deadline, identity: identity,
      trace: trace.hop(continuing: options.traceParent ?? ""), acceptsGzip: true)
    let call = InProcessCall(self, served, context, requestEncoding: options.requestEncoding)
    call.start()
    return call
  }
}
