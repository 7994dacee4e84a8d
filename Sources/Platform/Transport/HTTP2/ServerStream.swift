internal import Calls
internal import Chrono
internal import Loop

/// One request of an HTTP/2 client: a gRPC call, or a plain request for the responder.
///
/// Life: head arrives -> (gRPC) the method's handler runs in a task, at once for streaming methods
/// and after the whole message for unary ones -> `finish` sends the status -> closed. A reset, a
/// lost connection or the deadline cancels the task and ends both message pipes.
///
/// `@unchecked Sendable`: everything is touched on the connection's loop, except the pipes, which
/// are safe anywhere; `next` and `send` may be called from any thread and hop.
final class ServerStream: MessageSource, MessageSink, @unchecked Sendable {
  let id: Int32
  private let loop: EventLoop
  private(set) var owner: HTTP2ServerConnection?
  private(set) var head = RequestHead()
  private var headDone = false
  private var inTrailers = false
  private(set) var isClosed = false

  // The gRPC call.
  private var method: ServerMethod?
  private var context: ServerContext?
  private var deframer: MessageDeframer?
  private var request: [UInt8]?
  private var inbound: MessagePipe?
  private var uncredited = 0
  private var task: Task<Void, Never>?
  private var deadlineTimer: TimerToken?
  private var began = Uptime(nanoseconds: 0)

  // The answer.
  private var feed = MessageFeed()
  private var outbound: MessagePipe?
  private var headersSent = false
  private var isDeferred = false
  private(set) var isFinished = false
  private var failure: RPCError?
  private var plain: PlainExchange?

  init(_ id: Int32, _ owner: HTTP2ServerConnection) {
    self.id = id
    self.owner = owner
    self.loop = owner.loop
  }

  private var shared: ServerShared? { owner?.shared }

  // MARK: Request

  func trailersBegan() { inTrailers = true }

  func header(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    // Trailers of a request mean nothing to us.
    guard !inTrailers, let shared else { return }
    head.add(name, value, max: Int(shared.limits.http2.headerListBytesMax))
  }

  func headersEnded(endsStream: Bool) {
    guard let owner else { return }
    if !headDone {
      headDone = true
      if head.isGRPC { beginCall(owner) } else { beginPlain(owner) }
    }
    if endsStream { dataEnded() }
  }

  private func beginPlain(_ owner: HTTP2ServerConnection) {
    let tooLarge = head.bytes > Int(owner.shared.limits.http2.headerListBytesMax)
    plain = PlainExchange(head, owner.connection.peer, bodyMax: owner.shared.limits.bodyBytesMax)
    if head.method == "POST", head.contentType.isEmpty == false, owner.shared.responder == nil {
      answer(HTTPResponse(status: 415))
    } else if tooLarge {
      answer(HTTPResponse(status: 431))
    }
  }

  private func beginCall(_ owner: HTTP2ServerConnection) {
    let shared = owner.shared
    began = loop.uptime
    guard let method = shared.methods[head.path] else {
      refuse(
        RPCError(.unimplemented, "there is no method \(head.path)"), describedBy: nil)
      return
    }
    if let refusal = refusal(method, owner) {
      refuse(refusal, describedBy: method.descriptor)
      return
    }
    self.method = method
    let (traceID, spanID) = owner.newTrace(continuing: head.traceParent)
    let deadline = head.timeout.map { began + $0 }
    let context = ServerContext(
      method: method.descriptor, metadata: head.metadata, deadline: deadline,
      identity: Identity(service: owner.connection.peer.serviceName), traceID: traceID,
      spanID: spanID)
    self.context = context
    deframer = MessageDeframer(
      messageMax: shared.limits.messageBytesMax, acceptsGzip: head.encoding == "gzip")
    if let deadline {
      deadlineTimer = loop.schedule(at: deadline) { [weak self] in self?.expire() }
    }
    shared.observer.callStarted(method.descriptor)
    if case .streaming = method.handler {
      inbound = MessagePipe(bytesMax: Int.max)
      outbound = MessagePipe(bytesMax: shared.limits.unsentBytesMax)
      owner.isReady(self)
    }
  }

  private func refusal(_ method: ServerMethod, _ owner: HTTP2ServerConnection) -> RPCError? {
    let shared = owner.shared
    if head.bytes > Int(shared.limits.http2.headerListBytesMax) {
      return RPCError(
        .resourceExhausted, "more than \(shared.limits.http2.headerListBytesMax) bytes of headers")
    }
    if head.method != "POST" { return RPCError(.internalError, "a call is a POST") }
    if !owner.connection.peer.isEncrypted, !shared.plaintext.admits(method.descriptor) {
      return RPCError(.unauthenticated, "calls need TLS and a client certificate of the mesh")
    }
    if head.hasMalformedTimeout { return RPCError(.internalError, "malformed grpc-timeout") }
    if !head.encoding.isEmpty, head.encoding != "identity", head.encoding != "gzip" {
      return RPCError(.unimplemented, "the encoding \(head.encoding) is not supported")
    }
    return nil
  }

  /// Ends a call that no handler has seen.
  private func refuse(_ error: RPCError, describedBy method: MethodDescriptor?) {
    isFinished = true
    failure = error
    owner?.shared.observer.callRefused(method, path: head.path, error.code)
    sendTrailersOnly(error)
  }

  func data(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let owner else { return }
    if plain != nil {
      owner.session.consumed(id, bytes.count)
      if plain?.take(bytes) == false, !isFinished { answer(HTTPResponse(status: 413)) }
      return
    }
    guard !isFinished, deframer != nil else {
      owner.session.consumed(id, bytes.count)
      return
    }
    uncredited += bytes.count
    do throws(RPCError) {
      var extra = false
      try deframer?.take(bytes) { message in
        if let inbound {
          inbound.offer(message)
        } else if request == nil {
          request = message
        } else {
          extra = true
        }
      }
      if extra { throw RPCError(.internalError, "more than one message in a unary call") }
    } catch {
      abandon(error)
      return
    }
    credit()
  }

  /// Opens the stream's window again, unless the handler is behind with what it has been given.
  private func credit() {
    guard uncredited > 0, let owner else { return }
    let backlog = inbound?.queuedBytes ?? 0
    guard backlog <= owner.shared.limits.unreadBytesMax else { return }
    owner.session.consumed(id, uncredited)
    uncredited = 0
    owner.flushSoon()
  }

  func dataEnded() {
    guard !isFinished, let owner else { return }
    if plain != nil {
      startPlain()
      return
    }
    if deframer?.isInside == true {
      abandon(RPCError(.internalError, "the request ends within a message"))
    } else if let inbound {
      inbound.finish()
    } else if request == nil {
      abandon(RPCError(.internalError, "a unary call without a message"))
    } else {
      owner.isReady(self)
    }
  }

  // MARK: Handler

  /// Runs the handler in a task on the loop.
  func start() {
    guard !isFinished, task == nil else { return }
    task = loop.spawn { await self.run() }
  }

  private func run() async {
    if plain != nil {
      await runPlain()
      return
    }
    guard let method, let context, let shared else { return }
    var response: [UInt8]?
    do {
      switch method.handler {
      case .unary(let handler):
        let request = self.request ?? []
        self.request = nil
        try await shared.interceptors.run(context) {
          response = try await handler(request, context)
        }
      case .streaming(let handler):
        try await shared.interceptors.run(context) { try await handler(self, self, context) }
      }
    } catch {
      let error = shared.status(of: error, context)
      loop.onLoop { self.finish(error) }
      return
    }
    let answer = response
    loop.onLoop { self.finish(nil, response: answer) }
  }

  func next() async throws(RPCError) -> [UInt8]? {
    guard let inbound else { return nil }
    let message = try await inbound.next()
    if loop.isCurrent { credit() } else { loop.execute { self.credit() } }
    return message
  }

  func send(_ message: [UInt8]) async throws(RPCError) {
    guard let outbound else { throw RPCError(.internalError, "not a streaming call") }
    try await outbound.write(message) {
      if loop.isCurrent { outputReady() } else { loop.execute { self.outputReady() } }
    }
  }

  private func outputReady() {
    guard let owner, !isClosed else { return }
    if !headersSent {
      sendHeaders()
    } else if isDeferred {
      isDeferred = false
      owner.session.resume(id)
    }
    owner.flushSoon()
  }

  // MARK: Answer

  /// Ends the call with the handler's answer. What it sent before goes out first.
  private func finish(_ error: RPCError?, response: [UInt8]? = nil) {
    guard !isFinished, !isClosed else { return }
    settle(error?.code ?? .ok, isCancelled: false)
    failure = error
    if error == nil, let response { feed.begin(response) }
    let nothingSent = !headersSent && (outbound?.queuedBytes ?? 0) == 0
    outbound?.finish()
    inbound?.fail(RPCError(.cancelled, "the call has ended"), keepingQueued: false)
    if let error, nothingSent {
      sendTrailersOnly(error)
    } else {
      outputReady()
    }
  }

  /// Ends the call without its handler, which is cancelled; unsent messages are dropped.
  private func abandon(_ error: RPCError) {
    guard !isFinished else { return }
    settle(error.code, isCancelled: false)
    failure = error
    endPipes(error)
    if headersSent { outputReady() } else { sendTrailersOnly(error) }
    task?.cancel()
  }

  private func expire() {
    deadlineTimer = nil
    abandon(RPCError(.deadlineExceeded, "the deadline has passed"))
  }

  private func settle(_ code: StatusCode, isCancelled: Bool) {
    isFinished = true
    if let deadlineTimer { loop.cancel(deadlineTimer) }
    deadlineTimer = nil
    guard let method, let shared else { return }
    shared.observer.callFinished(
      method.descriptor, code, latency: loop.uptime - began, isCancelled: isCancelled)
  }

  private func endPipes(_ error: RPCError) {
    inbound?.fail(error, keepingQueued: false)
    outbound?.fail(error, keepingQueued: false)
    feed.drop()
  }

  /// The peer or the connection is gone.
  func closed(code: UInt32) {
    isClosed = true
    if !isFinished {
      settle(.cancelled, isCancelled: true)
      endPipes(RPCError(.cancelled, "the caller is gone"))
      task?.cancel()
    } else if headersSent || plain != nil {
      endPipes(RPCError(.cancelled, "the caller is gone"))
      plain = nil
    }
    task = nil
    owner = nil
  }

  private func sendHeaders() {
    guard let owner else { return }
    headersSent = true
    var block = HeaderBlock()
    block.add(":status", "200")
    block.add("content-type", "application/grpc")
    block.add("grpc-accept-encoding", "identity,gzip")
    if let metadata = context?.initialMetadata, !metadata.isEmpty {
      MetadataCodec.add(metadata, to: &block)
    }
    owner.session.respond(id, block, endsStream: false)
  }

  private func sendTrailersOnly(_ error: RPCError) {
    guard let owner else { return }
    headersSent = true
    var block = HeaderBlock()
    block.add(":status", "200")
    block.add("content-type", "application/grpc")
    block.add("grpc-accept-encoding", "identity,gzip")
    if let metadata = context?.initialMetadata { MetadataCodec.add(metadata, to: &block) }
    addStatus(to: &block)
    owner.session.respond(id, block, endsStream: true)
    owner.flushSoon()
  }

  private func addStatus(to block: inout HeaderBlock) {
    if let failure {
      block.add("grpc-status", String(failure.code.rawValue))
      if !failure.message.isEmpty { block.add("grpc-message", StatusText.encode(failure.message)) }
      if !failure.details.isEmpty {
        block.add(
          "grpc-status-details-bin", MetadataCodec.unpadded(StatusDetails.encode(failure)))
      }
    } else {
      block.add("grpc-status", "0")
    }
    if let metadata = context?.trailingMetadata, !metadata.isEmpty {
      MetadataCodec.add(metadata, to: &block)
    }
  }

  func pull(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    if plain != nil { return plain!.pull(buffer) }
    var filled = 0
    while filled < buffer.count {
      if feed.isEmpty {
        switch outbound?.take() ?? .finished {
        case .message(let message): feed.begin(message)
        case .nothingYet:
          if filled > 0 { return .bytes(filled) }
          isDeferred = true
          return .later
        case .finished, .failed:
          var block = HeaderBlock()
          addStatus(to: &block)
          owner?.session.trailers(id, block)
          return .end(filled, trailers: true)
        }
      }
      filled += feed.copy(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
    }
    return .bytes(filled)
  }

  // MARK: Plain HTTP

  private func startPlain() {
    guard let owner, !isFinished else { return }
    owner.isReady(self)
  }

  private func runPlain() async {
    guard let plain, let shared, let owner else { return }
    let response = await shared.respond(
      to: plain.request, isEncrypted: owner.connection.peer.isEncrypted)
    loop.onLoop { self.answer(response) }
  }

  /// Sends a whole response.
  private func answer(_ response: HTTPResponse) {
    guard let owner, !isFinished, !isClosed else { return }
    isFinished = true
    headersSent = true
    let block = PlainExchange.head(of: response)
    let isBodyless = response.body.isEmpty || head.method == "HEAD"
    plain?.begin(response.body)
    owner.session.respond(id, block, endsStream: isBodyless)
    owner.flushSoon()
  }
}
