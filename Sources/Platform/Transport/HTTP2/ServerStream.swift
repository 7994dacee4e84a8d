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
  /// Where its connection keeps it.
  var place = 0
  /// Lets go of this stream when one of them is closed; until then they hold each other.
  private let owner: HTTP2ServerConnection
  private(set) var isClosed = false

  // The gRPC call.
  private var method: ServedMethod?
  private var context: ServerContext?
  @exclusivity(unchecked) private var deframer: MessageDeframer
  private var request: [UInt8]?
  private var inbound: MessagePipe?
  private var uncredited = 0
  private var task: Task<Void, Never>?
  private var deadlineTimer: TimerToken?
  private var began = Uptime(nanoseconds: 0)

  // The answer.
  @exclusivity(unchecked) private var feed = MessageFeed()
  private var outbound: MessagePipe?
  private var headersSent = false
  /// The handler has ended, and its answer carries no metadata.
  private var isBare = false
  private var isDeferred = false
  private(set) var isFinished = false
  private var failure: RPCError?
  private var plain: PlainExchange?

  private var watch = StreamWatch()
  /// Whole messages that have arrived.
  private var messages = 0

  init(_ id: Int32, _ owner: HTTP2ServerConnection) {
    self.id = id
    self.owner = owner
    deframer = MessageDeframer(messageMax: owner.shared.limits.messageBytesMax)
  }

  private var loop: EventLoop { owner.loop }
  private var shared: ServerShared { owner.shared }

  // MARK: Request

  func begin(_ head: RequestHead, endsStream: Bool) {
    if head.isGRPC { beginCall(head) } else { beginPlain(head) }
    if endsStream { dataEnded() }
  }

  private func beginPlain(_ head: RequestHead) {
    plain = PlainExchange(head, owner.connection.peer, bodyMax: shared.limits.bodyBytesMax)
    if head.isPost, head.hasContentType, shared.responder == nil {
      answer(HTTPResponse(refusing: 415, "only gRPC is spoken here"))
    } else if head.countedBytes > shared.limits.headerBytesMax {
      answer(HTTPResponse(refusing: 431, "the headers are too long"))
    }
  }

  private func beginCall(_ head: RequestHead) {
    guard let method = shared.methods.find(head.buffer(head.path)) else {
      let path = head.pathText
      refuse(RPCError(.unimplemented, "there is no method \(path)"), nil, path: path)
      return
    }
    let timeout = head.callTimeout
    if let refusal = refusal(head, method, hasTimeout: timeout != nil) {
      refuse(refusal, method.descriptor, path: method.descriptor.path)
      return
    }
    self.method = method
    if timeout != nil || shared.isObserved { began = loop.uptime }
    let deadline = timeout.map { began + $0 }
    context = ServerContext(
      method: method.descriptor, metadata: head.metadata, deadline: deadline,
      identity: owner.identity, trace: owner.newTrace(continuing: head.traceParentBytes))
    deframer.acceptsGzip = head.isGzip
    if let deadline {
      // Every end of the call cancels it, so it may hold the stream.
      deadlineTimer = loop.schedule(at: deadline) { self.expire() }
    }
    if shared.isObserved { shared.observer.callStarted(method.descriptor) }
    if !method.isUnary {
      inbound = MessagePipe(bytesMax: Int.max)
      outbound = MessagePipe(bytesMax: shared.limits.unsentBytesMax)
      owner.isReady(self)
    }
  }

  private func refusal(
    _ head: RequestHead, _ method: ServedMethod, hasTimeout: Bool
  ) -> RPCError? {
    if head.countedBytes > shared.limits.headerBytesMax {
      return RPCError(
        .resourceExhausted, "more than \(shared.limits.headerBytesMax) bytes of headers")
    }
    if !head.isPost { return RPCError(.internalError, "a call is a POST") }
    if !owner.isEncrypted, !shared.plaintext.admits(method.descriptor) {
      return RPCError(.unauthenticated, "calls need TLS and a client certificate of the mesh")
    }
    if head.hasTimeout, !hasTimeout {
      return RPCError(.internalError, "malformed grpc-timeout")
    }
    if let encoding = head.unknownEncoding {
      return RPCError(.unimplemented, "the encoding \(encoding) is not supported")
    }
    return nil
  }

  /// Ends a call that no handler has seen.
  private func refuse(_ error: RPCError, _ method: MethodDescriptor?, path: String) {
    isFinished = true
    failure = error
    shared.observer.callRefused(method, path: path, error.code)
    sendTrailersOnly(error)
  }

  func data(_ bytes: UnsafeBufferPointer<UInt8>) {
    if plain != nil {
      owner.session.consumed(id, bytes.count)
      if plain?.take(bytes) == false, !isFinished {
        let most = shared.limits.bodyBytesMax
        answer(HTTPResponse(refusing: 413, "the body is over \(most) bytes"))
      }
      return
    }
    guard !isFinished, method != nil else {
      owner.session.consumed(id, bytes.count)
      return
    }
    uncredited += bytes.count
    if inbound == nil, request == nil, let message = deframer.whole(bytes) {
      request = message
      return
    }
    do throws(RPCError) {
      var extra = false
      try deframer.take(bytes) { message in
        messages &+= 1
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

  /// Opens the stream's window again, unless the handler is behind with what it has been given. An
  /// eighth of the window at a time: most requests end before.
  private func credit() {
    guard uncredited > shared.limits.http2.streamWindow / 8, !isClosed else { return }
    if let inbound, inbound.queuedBytes > shared.limits.unreadBytesMax { return }
    owner.session.consumed(id, uncredited)
    uncredited = 0
    owner.flushSoon()
  }

  func dataEnded() {
    guard !isFinished else { return }
    if plain != nil {
      owner.isReady(self)
    } else if deframer.isInside {
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

  /// Runs the handler in a task on the loop, at once.
  func start() {
    guard !isFinished, task == nil else { return }
    let started: Task<Void, Never>
    if let method, let context, case .unary(let handler) = method.handler,
      shared.interceptors.isEmpty
    {
      let request = self.request ?? []
      self.request = nil
      started = Task.immediate(executorPreference: loop) {
        do {
          self.returned(nil, try await handler(request, context))
        } catch {
          self.failed(error)
        }
      }
    } else {
      started = Task.immediate(executorPreference: loop) { await self.run() }
    }
    // Most handlers have answered by now, and what they leave is nothing to cancel.
    if !isFinished { task = started }
  }

  private func failed(_ error: any Error) {
    if let context { returned(shared.status(of: error, context), nil) }
  }

  private func run() async {
    guard let method, let context else {
      await runPlain()
      return
    }
    do {
      switch method.handler {
      case .unary(let handler):
        let request = self.request ?? []
        self.request = nil
        var response: [UInt8]?
        try await shared.interceptors.run(context) {
          response = try await handler(request, context)
        }
        returned(nil, response)
      case .streaming(let handler):
        try await shared.interceptors.run(context) { try await handler(self, self, context) }
        returned(nil, nil)
      }
    } catch {
      failed(error)
    }
  }

  /// From any thread: the handler has ended.
  private func returned(_ error: RPCError?, _ response: [UInt8]?) {
    if loop.isCurrent {
      finish(error, response)
    } else {
      loop.execute { self.finish(error, response) }
    }
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
    guard !isClosed else { return }
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
  private func finish(_ error: RPCError?, _ response: [UInt8]?) {
    guard !isFinished, !isClosed else { return }
    settle(error?.code ?? .ok, isCancelled: false)
    failure = error
    if error == nil, let response { feed.begin(response) }
    isBare = error == nil && context?.responseMetadata == nil
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
    guard shared.isObserved, let method else { return }
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
  }

  private func sendHeaders() {
    headersSent = true
    if isBare {
      owner.session.respond(id, .answer)
      return
    }
    guard let metadata = context?.responseMetadata?.initial, !metadata.isEmpty else {
      owner.session.respond(id, .answer)
      return
    }
    owner.session.respond(id, Self.answer(with: metadata), endsStream: false)
  }

  private static func answer(with metadata: Metadata) -> HeaderBlock {
    var block = HeaderBlock()
    block.add(fixed: ":status", "200")
    block.add(fixed: "content-type", "application/grpc")
    block.add(fixed: "grpc-accept-encoding", "identity,gzip")
    MetadataCodec.add(metadata, to: &block)
    return block
  }

  private func sendTrailersOnly(_ error: RPCError) {
    guard !isClosed else { return }
    headersSent = true
    let metadata = context?.responseMetadata
    var block = Self.answer(with: metadata?.initial ?? Metadata())
    addStatus(to: &block, metadata?.trailing)
    owner.session.respond(id, block, endsStream: true)
    owner.flushSoon()
  }

  private func sendTrailers() {
    if isBare {
      owner.session.trailers(id, .success)
      return
    }
    var block = HeaderBlock()
    addStatus(to: &block, context?.responseMetadata?.trailing)
    owner.session.trailers(id, block)
  }

  private func addStatus(to block: inout HeaderBlock, _ metadata: Metadata?) {
    if let failure {
      block.add(named: "grpc-status", String(failure.code.rawValue))
      if !failure.message.isEmpty {
        block.add(named: "grpc-message", StatusText.encode(failure.message))
      }
      if !failure.details.isEmpty {
        block.add(
          named: "grpc-status-details-bin", MetadataCodec.unpadded(StatusDetails.encode(failure)))
      }
    } else {
      block.add(fixed: "grpc-status", "0")
    }
    if let metadata { MetadataCodec.add(metadata, to: &block) }
  }

  func pull(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    if let plain { return plain.pull(buffer) }
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
          sendTrailers()
          return .end(filled, trailers: true)
        }
      }
      filled += feed.copy(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
    }
    return .bytes(filled)
  }

  // MARK: Time

  /// From time to time: whether the peer completes what it has begun, and takes what is sent.
  func look(_ now: Uptime) {
    guard !isClosed else { return }
    let limit = watch.look(
      owed: !isFinished && owesMessage ? messages : nil, isBlocked: isBlocked,
      messageTimeMax: shared.limits.messageTimeMax, stallMax: shared.limits.streamStallMax, now)
    guard let limit else { return }
    shared.observer.defended(limit)
    if limit == .streamStall {
      owner.session.reset(id, code: HTTP2Code.cancel)
      owner.flushSoon()
    } else if plain != nil {
      answer(HTTPResponse(refusing: 408, "the request did not arrive in time"))
    } else {
      abandon(RPCError(.deadlineExceeded, "the request's message did not arrive in time"))
    }
  }

  /// There is something to send, and the peer does not let us.
  private var isBlocked: Bool {
    headersSent && !isDeferred && shared.limits.streamStallMax != nil
      && owner.session.isWindowClosed(id)
  }

  /// The peer has begun a message, or a request that is one, and not ended it.
  private var owesMessage: Bool {
    if owner.session.isRemoteClosed(id) { return false }
    return inbound == nil ? task == nil : deframer.isInside
  }

  // MARK: Plain HTTP

  private func runPlain() async {
    guard let plain else { return }
    let response = await shared.respond(to: plain.request, isEncrypted: owner.isEncrypted)
    loop.onLoop { self.answer(response) }
  }

  /// Sends a whole response.
  private func answer(_ response: HTTPResponse) {
    guard !isFinished, !isClosed else { return }
    isFinished = true
    headersSent = true
    let block = PlainExchange.head(of: response)
    let isBodyless = response.body.isEmpty || plain?.isHead == true
    plain?.begin(response.body)
    owner.session.respond(id, block, endsStream: isBodyless)
    owner.flushSoon()
  }
}
