internal import Calls
internal import Chrono
internal import Loop
private import Synchronization

/// One call of a network channel, over one or more attempts.
///
/// Life: waiting for a connection -> streaming on one -> ended. Until the response begins, what was
/// sent is kept (up to `replayMax`), so that a call that no server has seen, or an idempotent one
/// that failed with UNAVAILABLE, starts over on another connection without its caller noticing.
///
/// `@unchecked Sendable`: everything is touched on the channel's loop, except the pipes and
/// `metadata`, which are safe anywhere; `next`, `send`, `finishSending` and `cancel` hop.
final class ClientCall: ClientStream, @unchecked Sendable {
  let method: MethodDescriptor
  let options: CallOptions
  let deadline: Uptime?
  private let loop: EventLoop
  private let channel: ChannelCore
  private let inbound = MessagePipe(bytesMax: Int.max)
  private let outbound: MessagePipe
  private let unreadBytesMax: Int
  private let messageMax: Int
  private let metadata = Mutex((initial: Metadata(), trailing: Metadata()))

  private var connection: HTTP2ClientConnection?
  private var stream: Int32 = 0
  private var timer: TimerToken?
  private(set) var isEnded = false
  private(set) var attempts = 0

  // The request of this attempt.
  private var feed = MessageFeed()
  private var replay: [[UInt8]]? = []
  private var replayBytes = 0
  private var replayed = 0
  private var isDeferred = false
  private var sentEnd = false

  // The response of this attempt.
  private var head = ResponseHead()
  private var headDone = false
  private var deframer: MessageDeframer
  private var uncredited = 0
  private var sawMessage = false

  private static let replayMax = 256 * 1024
  private static let headerBytesMax = 64 * 1024

  init(
    _ method: MethodDescriptor, _ options: CallOptions, deadline: Uptime?, _ channel: ChannelCore
  ) {
    self.method = method
    self.options = options
    self.deadline = deadline
    self.channel = channel
    loop = channel.loop
    outbound = MessagePipe(bytesMax: channel.options.unsentBytesMax)
    unreadBytesMax = channel.options.unreadBytesMax
    messageMax = channel.options.messageBytesMax
    deframer = MessageDeframer(messageMax: messageMax, acceptsGzip: true)
  }

  // MARK: Caller

  var initialMetadata: Metadata { metadata.withLock { $0.initial } }
  var trailingMetadata: Metadata { metadata.withLock { $0.trailing } }

  /// Queues the only request of a unary call.
  func sendWhole(_ message: [UInt8]) {
    outbound.offer(message)
    outbound.finish()
  }

  func send(_ message: [UInt8]) async throws(RPCError) {
    try await outbound.write(message) {
      if loop.isCurrent { outputReady() } else { loop.execute { self.outputReady() } }
    }
  }

  func finishSending() async throws(RPCError) {
    outbound.finish()
    loop.onLoop { self.outputReady() }
  }

  func next() async throws(RPCError) -> [UInt8]? {
    let result = await withTaskCancellationHandler {
      () async -> Result<[UInt8]?, RPCError> in
      do throws(RPCError) { return .success(try await inbound.next()) } catch {
        return .failure(error)
      }
    } onCancel: {
      cancel()
    }
    if loop.isCurrent { credit() } else { loop.execute { self.credit() } }
    return try result.get()
  }

  /// The one response of a unary or client-streaming call.
  func onlyResponse() async throws(RPCError) -> [UInt8] {
    guard let message = try await next() else {
      throw RPCError(.internalError, "the server answered without a message")
    }
    guard try await next() == nil else {
      cancel()
      throw RPCError(.internalError, "the server answered with more than one message")
    }
    return message
  }

  func cancel() {
    loop.onLoop { self.fail(RPCError(.cancelled, "the call was cancelled")) }
  }

  // MARK: Attempts

  /// On the loop, once: the deadline counts from here.
  func start() {
    guard !isEnded else { return }
    if let deadline {
      // Every end of the call cancels it, so it may hold the call.
      timer = loop.schedule(at: deadline) {
        self.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
      }
    }
    channel.assign(self)
  }

  func began(_ stream: Int32, on connection: HTTP2ClientConnection) {
    self.stream = stream
    self.connection = connection
    attempts += 1
    feed.drop()
    replayed = 0
    isDeferred = false
    sentEnd = false
    head = ResponseHead()
    headDone = false
    deframer = MessageDeframer(messageMax: messageMax, acceptsGzip: true)
    uncredited = 0
  }

  func requestHeaders(scheme: String, authority: String) -> HeaderBlock {
    var block = HeaderBlock()
    block.add(fixed: ":method", "POST")
    block.add(named: ":scheme", scheme)
    block.add(named: ":path", method.path)
    block.add(named: ":authority", authority)
    block.add(fixed: "te", "trailers")
    block.add(fixed: "content-type", "application/grpc")
    block.add(fixed: "user-agent", "shrivenquant")
    block.add(fixed: "grpc-accept-encoding", "identity,gzip")
    if let deadline {
      let left = (deadline - loop.uptime).wholeNanoseconds
      block.add(named: "grpc-timeout", CallTimeout.text(left), isIndexed: false)
    }
    if let traceParent = options.traceParent {
      block.add(named: "traceparent", traceParent, isIndexed: false)
    }
    if !options.metadata.isEmpty { MetadataCodec.add(options.metadata, to: &block) }
    return block
  }

  private func outputReady() {
    guard isDeferred, let connection else { return }
    isDeferred = false
    connection.resume(stream)
  }

  func pull(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Pull {
    var filled = 0
    while filled < buffer.count {
      if feed.isEmpty {
        switch nextOutgoing() {
        case .message(let message): feed.begin(message)
        case .nothingYet:
          if filled > 0 { return .bytes(filled) }
          isDeferred = true
          return .later
        case .finished, .failed:
          sentEnd = true
          return .end(filled, trailers: false)
        }
      }
      filled += feed.copy(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
    }
    return .bytes(filled)
  }

  private func nextOutgoing() -> MessagePipe.Taken {
    if let replay, replayed < replay.count {
      defer { replayed += 1 }
      return .message(replay[replayed])
    }
    let taken = outbound.take()
    if case .message(let message) = taken, replay != nil {
      replayBytes += message.count
      if replayBytes > Self.replayMax {
        replay = nil
      } else {
        replay?.append(message)
        replayed += 1
      }
    }
    return taken
  }

  // MARK: Response

  func headersBegan() { if headDone { head = ResponseHead() } }

  func header(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    head.add(name, value, max: Self.headerBytesMax)
  }

  func headersEnded(endsStream: Bool) {
    if head.isTooLong {
      settle(
        .failure(RPCError(.resourceExhausted, "more than \(Self.headerBytesMax) bytes of headers")),
        mayRetry: false)
      return
    }
    let isTrailers = headDone || endsStream
    if !headDone {
      if (100..<200).contains(head.status) {
        head = ResponseHead()
        return
      }
      headDone = true
      if !isTrailers {
        metadata.withLock { $0.initial = head.metadata }
        guard head.status == 200, head.isGRPC else {
          settle(.failure(head.httpError), mayRetry: true)
          return
        }
        if !head.encoding.isEmpty, head.encoding != "identity", head.encoding != "gzip" {
          settle(
            .failure(RPCError(.internalError, "the server answers in \(head.encoding)")),
            mayRetry: false)
        }
        return
      }
    }
    guard isTrailers else { return }
    metadata.withLock { $0.trailing = head.metadata }
    guard endsStream else { return }
    settle(
      head.outcome
        ?? .failure(
          head.status == 200 || head.status == 0
            ? RPCError(.unknown, "the server ended the call without a status") : head.httpError),
      mayRetry: true)
  }

  func data(_ bytes: UnsafeBufferPointer<UInt8>) {
    uncredited += bytes.count
    do throws(RPCError) {
      try deframer.take(bytes) { message in
        sawMessage = true
        replay = nil
        inbound.offer(message)
      }
    } catch {
      settle(.failure(error), mayRetry: false)
      return
    }
    credit()
  }

  /// END_STREAM on DATA: no trailers, so no status.
  func ended() {
    settle(
      .failure(RPCError(.unknown, "the server ended the call without a status")), mayRetry: false)
  }

  private func credit() {
    guard uncredited > 0, inbound.queuedBytes <= unreadBytesMax else { return }
    connection?.consumed(stream, uncredited)
    uncredited = 0
  }

  // MARK: End

  func closed(code: UInt32, wasSent: Bool) {
    guard !isEnded else { return }
    connection = nil
    let isUnseen = !wasSent || code == HTTP2Code.refusedStream
    retryOrEnd(
      ResponseHead.error(resetBy: isUnseen ? HTTP2Code.refusedStream : code), isUnseen: isUnseen)
  }

  func connectionLost(_ reason: CloseReason, wasSent: Bool) {
    guard !isEnded else { return }
    connection = nil
    retryOrEnd(
      RPCError(.unavailable, "the connection was lost: \(reason)"), isUnseen: !wasSent)
  }

  private func settle(_ outcome: Result<Void, RPCError>, mayRetry: Bool) {
    guard !isEnded else { return }
    let isWhole: Bool
    if case .success = outcome { isWhole = !deframer.isInside } else { isWhole = true }
    release(resetting: sentEnd && headDone ? nil : HTTP2Code.cancel)
    switch outcome {
    case .success where isWhole:
      channel.callSucceeded()
      end(nil)
    case .success:
      end(RPCError(.internalError, "the response ends within a message"))
    case .failure(let error):
      if mayRetry { retryOrEnd(error, isUnseen: false) } else { end(error) }
    }
  }

  private func retryOrEnd(_ error: RPCError, isUnseen: Bool) {
    guard !isEnded else { return }
    if !sawMessage, replay != nil, channel.mayRetry(self, error, isUnseen: isUnseen) {
      channel.retry(self, isUnseen: isUnseen)
    } else {
      end(error)
    }
  }

  /// Ends the call from our side: deadline, cancellation, no connection.
  func fail(_ error: RPCError) {
    guard !isEnded else { return }
    release(resetting: HTTP2Code.cancel)
    end(error)
  }

  private func release(resetting code: UInt32?) {
    connection?.forget(stream, resetting: code)
    connection = nil
  }

  private func end(_ error: RPCError?) {
    isEnded = true
    if let timer { loop.cancel(timer) }
    timer = nil
    replay = nil
    channel.ended(self)
    if let error {
      let isOurs = error.code == .cancelled || error.code == .deadlineExceeded
      inbound.fail(error, keepingQueued: !isOurs)
      outbound.fail(error, keepingQueued: false)
    } else {
      inbound.finish()
      outbound.fail(RPCError(.ok, "the call has ended"), keepingQueued: false)
    }
  }
}
