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
  private var request: CallMessage?
  private var inbound: MessagePipe?
  private var uncredited = 0
  private var hasRequestEnded = false
  private var task: HandlerTask?
  private var deadlineTimer: TimerToken?
  private var began = Uptime(nanoseconds: 0)

  // The answer.
  private let sentMax: Int
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
    sentMax = owner.shared.limits.sentMessageBytesMax
  }

  private var loop: EventLoop { owner.loop }
  private var shared: ServerShared { owner.shared }

  // MARK: Request

  func begin(_ head: RequestHead, endsStream: Bool) {
    hasRequestEnded = endsStream
    if head.isGRPC { beginCall(head) } else { beginPlain(head) }
    if endsStream { dataEnded() }
  }

  private func beginPlain(_ head: RequestHead) {
    plain = PlainExchange(head, owner.connection.peer, bodyMax: shared.limits.bodyBytesMax)
    if let refusal = shared.refusal(ofPlain: head) {
      answer(refusal)
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
    if let refusal = shared.refusal(
      of: head, method, timeout, isEncrypted: owner.isEncrypted)
    {
      refuse(refusal, method.descriptor, path: method.descriptor.path)
      return
    }
    self.method = method
    if timeout != nil || shared.isObserved { began = loop.uptime }
    let deadline = timeout.map { began + $0 }
    context = ServerContext(
      method: method.descriptor, metadata: head.metadata, deadline: deadline,
      identity: owner.identity, trace: owner.newTrace(continuing: head.traceParentBytes),
      acceptsGzip: head.acceptsGzip)
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
    if inbound == nil, request == nil, !deframer.isInside,
      let message = MessageDeframer.whole(bytes, max: deframer.messageMax)
    {
      request = CallMessage(message)
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
    hasRequestEnded = true
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

  private func takeRequest(_ context: ServerContext) -> [UInt8] {
    guard let request = request.take() else { return [] }
    if request.isCompressed { context.tookRequest(isCompressed: true) }
    return request.bytes
  }

  private func failed(_ error: any Error) {
    if let context { finish(shared.status(of: error, context), nil) }
  }

  /// A unary call with nothing around its handler, which its task calls itself: each asynchronous
  /// function between the two costs a hop.
  func beginBare(in task: HandlerTask) -> BareCall? {
    guard !isClosed, !isFinished, let method, let context,
      case .unary(let handler) = method.handler,
      shared.interceptors.isEmpty
    else { return nil }
    self.task = task
    return BareCall(handler: handler, request: takeRequest(context), context: context)
  }

  struct BareCall {
    let handler: @Sendable ([UInt8], ServerContext) async throws -> [UInt8]
    let request: [UInt8]
    let context: ServerContext
  }

  func ended(_ result: Result<[UInt8], any Error>) {
    switch result {
    case .success(let response): finish(nil, response)
    case .failure(let error): failed(error)
    }
  }

  /// Runs the handler to its end, on the loop.
  func run(in task: HandlerTask) async {
    // The caller may have gone between the request's end and now.
    guard !isClosed, !isFinished else { return }
    self.task = task
    guard let method, let context else {
      await runPlain()
      return
    }
    do {
      switch method.handler {
      case .unary(let handler):
        let request = takeRequest(context)
        var response: [UInt8]?
        try await shared.interceptors.run(context) {
          response = try await handler(request, context)
        }
        finish(nil, response)
      case .streaming(let handler):
        try await shared.interceptors.run(context) { try await handler(self, self, context) }
        finish(nil, nil)
      }
    } catch {
      failed(error)
    }
  }

  func next() async throws(RPCError) -> [UInt8]? {
    guard let inbound else { return nil }
    let message = try await inbound.next()
    if loop.isCurrent { credit() } else { loop.execute { self.credit() } }
    if let message { context?.tookRequest(isCompressed: message.isCompressed) }
    return message?.bytes
  }

  func send(_ message: [UInt8]) async throws(RPCError) {
    let pipe = try outbound(for: message)
    let encoding = context?.settleResponseEncoding() ?? .identity
    try await pipe.write(.packed(message, encoding)) { queued() }
  }

  func sendUncompressed(_ message: [UInt8]) async throws(RPCError) {
    let pipe = try outbound(for: message)
    _ = context?.settleResponseEncoding()
    try await pipe.write(CallMessage(message)) { queued() }
  }

  private func outbound(for message: [UInt8]) throws(RPCError) -> MessagePipe {
    guard let outbound else { throw RPCError(.internalError, "not a streaming call") }
    guard message.count <= sentMax else {
      throw CallMessage.tooLarge(message.count, max: sentMax)
    }
    return outbound
  }

  private func queued() {
    if loop.isCurrent { outputReady() } else { loop.execute { self.outputReady() } }
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
    if let response, response.count > sentMax {
      finish(CallMessage.tooLarge(response.count, max: sentMax), nil)
      return
    }
    settle(error?.code ?? .ok, isCancelled: false)
    task = nil
    failure = error
    let packs = if case .gzip? = context?.responseEncoding { true } else { false }
    if packs { _ = context?.settleResponseEncoding() }
    if error == nil, let response {
      feed.begin(packs ? .packed(response, .gzip) : CallMessage(response))
    }
    // Who sends gzip is told that it is read here, also when the answer is not packed.
    isBare =
      error == nil && !packs && !deframer.acceptsGzip
      && context?.responseMetadata == nil
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

  /// A stream of answers would last; its caller is to go on elsewhere.
  func drain() {
    guard let method, method.descriptor.shape.responsesStream else { return }
    abandon(RPCError(.unavailable, "the server is going away; call again"))
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
      owner.session.respond(id, .answer, body: self)
      return
    }
    let metadata = context?.responseMetadata?.initial ?? Metadata()
    let encoding = context?.settleResponseEncoding() ?? .identity
    if case .identity = encoding, metadata.isEmpty, !deframer.acceptsGzip {
      owner.session.respond(id, .answer, body: self)
      return
    }
    owner.session.respond(id, .answer(with: metadata, encoding), body: self)
  }

  private func sendTrailersOnly(_ error: RPCError) {
    guard !isClosed else { return }
    headersSent = true
    let metadata = context?.responseMetadata
    var block = HeaderBlock.answer(with: metadata?.initial ?? Metadata(), .identity)
    block.addStatus(failure, metadata?.trailing)
    hasAnswered()
    owner.session.respond(id, block, body: nil)
    owner.flushSoon()
  }

  private func sendTrailers() {
    if isBare {
      owner.session.trailers(id, .success)
    } else {
      var block = HeaderBlock()
      block.addStatus(failure, context?.responseMetadata?.trailing)
      owner.session.trailers(id, block)
    }
    hasAnswered()
  }

  private func hasAnswered() { if !hasRequestEnded { owner.asksToStop(id) } }

  func pull(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    if let plain {
      let pulled = plain.pull(buffer)
      if case .end = pulled { hasAnswered() }
      return pulled
    }
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
    if hasRequestEnded { return false }
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
    owner.session.respond(id, block, body: isBodyless ? nil : self)
    if isBodyless { hasAnswered() }
    owner.flushSoon()
  }
}
