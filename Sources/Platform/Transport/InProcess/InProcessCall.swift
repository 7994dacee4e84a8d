internal import Calls
internal import Chrono
internal import Loop
private import Synchronization

/// One call of the in-process twin: both ends of it. Safe on any thread.
final class InProcessCall: ClientStream {
  private let channel: InProcessChannel
  private let method: ServerMethod
  private let context: ServerContext
  private let requests = MessagePipe(bytesMax: InProcessChannel.unreadBytesMax)
  private let responses = MessagePipe(bytesMax: InProcessChannel.unreadBytesMax)
  private let state = Mutex(State())
  private let began: Uptime
  private let requestEncoding: MessageEncoding
  private let wasCompressed = Atomic(false)

  private struct State {
    var isEnded = false
    var initial: Metadata?
    var trailing = Metadata()
    var handler: Task<Void, Never>?
    var alarm: Task<Void, Never>?
  }

  init(
    _ channel: InProcessChannel, _ method: ServerMethod, _ context: ServerContext,
    requestEncoding: MessageEncoding
  ) {
    self.requestEncoding = requestEncoding
    self.channel = channel
    began = channel.uptime
    self.method = method
    self.context = context
  }

  func start() {
    channel.observer.callStarted(method.descriptor)
    if let deadline = context.deadline {
      let alarm = spawn { [weak self, channel] in
        let wait = deadline - channel.uptime
        if let loop = channel.loop {
          await loop.sleep(for: wait)
        } else if wait > .zero {
          do { try await Task.sleep(for: wait) } catch { return }
        }
        if Task.isCancelled { return }
        self?.end(
          RPCError(.deadlineExceeded, "the deadline has passed"), isCancelled: false,
          keepingQueued: false)
      }
      keep(alarm: alarm)
    }
    keep(handler: spawn { await self.run() })
  }

  private func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    channel.loop?.spawn(body) ?? Task { await body() }
  }

  /// A task whose call ended while it was being made is cancelled at once.
  private func keep(handler: Task<Void, Never>? = nil, alarm: Task<Void, Never>? = nil) {
    let isLate = state.withLock { state in
      guard !state.isEnded else { return true }
      if let handler { state.handler = handler }
      if let alarm { state.alarm = alarm }
      return false
    }
    guard isLate else { return }
    handler?.cancel()
    alarm?.cancel()
  }

  private func run() async {
    do {
      switch method.handler {
      case .unary(let handler):
        guard let request = try await requests.next() else {
          throw RPCError(.internalError, "a unary call without a message")
        }
        context.tookRequest(isCompressed: request.isCompressed)
        var response: [UInt8] = []
        try await channel.interceptors.run(context) {
          response = try await handler(request.bytes, context)
        }
        takeInitialMetadata()
        responses.offer(.unpacked(response, context.settleResponseEncoding()))
      case .streaming(let handler):
        let ends = HandlerEnds(call: self)
        try await channel.interceptors.run(context) { try await handler(ends, ends, context) }
      }
      end(nil, isCancelled: false, keepingQueued: true)
    } catch let error as RPCError {
      end(error, isCancelled: false, keepingQueued: true)
    } catch is CancellationError {
      end(RPCError(.cancelled, "the call was cancelled"), isCancelled: false, keepingQueued: true)
    } catch {
      channel.observer.handlerFailed(context, error)
      end(RPCError(.internalError, "the service failed"), isCancelled: false, keepingQueued: true)
    }
  }

  private func takeInitialMetadata() {
    let metadata = context.initialMetadata
    state.withLock { state in
      if state.initial == nil { state.initial = metadata }
    }
  }

  private func end(_ error: RPCError?, isCancelled: Bool, keepingQueued: Bool) {
    takeInitialMetadata()
    let trailing = context.trailingMetadata
    let tasks = state.withLock { state -> (Task<Void, Never>?, Task<Void, Never>?)? in
      guard !state.isEnded else { return nil }
      state.isEnded = true
      state.trailing = trailing
      defer { (state.handler, state.alarm) = (nil, nil) }
      return (state.handler, state.alarm)
    }
    guard let (handler, alarm) = tasks else { return }
    channel.observer.callFinished(
      method.descriptor, error?.code ?? .ok, latency: channel.uptime - began,
      isCancelled: isCancelled)
    if let error {
      requests.fail(error, keepingQueued: false)
      responses.fail(error, keepingQueued: keepingQueued)
    } else {
      requests.fail(RPCError(.cancelled, "the call has ended"), keepingQueued: false)
      responses.finish()
    }
    handler?.cancel()
    alarm?.cancel()
  }

  // MARK: The client's end

  func sendWhole(_ message: [UInt8]) {
    requests.offer(.unpacked(message, requestEncoding))
    requests.finish()
  }

  func send(_ message: [UInt8]) async throws(RPCError) {
    try await requests.write(.unpacked(message, requestEncoding))
  }

  func sendUncompressed(_ message: [UInt8]) async throws(RPCError) {
    try await requests.write(CallMessage(message))
  }

  var responseWasCompressed: Bool { wasCompressed.load(ordering: .relaxed) }

  func finishSending() async throws(RPCError) { requests.finish() }

  func next() async throws(RPCError) -> [UInt8]? {
    let result = await withTaskCancellationHandler {
      () async -> Result<CallMessage?, RPCError> in
      do throws(RPCError) { return .success(try await responses.next()) } catch {
        return .failure(error)
      }
    } onCancel: {
      cancel()
    }
    guard let message = try result.get() else { return nil }
    wasCompressed.store(message.isCompressed, ordering: .relaxed)
    return message.bytes
  }

  func cancel() {
    end(RPCError(.cancelled, "the call was cancelled"), isCancelled: true, keepingQueued: false)
  }

  var initialMetadata: Metadata { state.withLock { $0.initial ?? Metadata() } }
  var trailingMetadata: Metadata { state.withLock { $0.trailing } }

  // MARK: The handler's end

  private struct HandlerEnds: MessageSource, MessageSink {
    let call: InProcessCall

    func next() async throws(RPCError) -> [UInt8]? {
      guard let message = try await call.requests.next() else { return nil }
      call.context.tookRequest(isCompressed: message.isCompressed)
      return message.bytes
    }

    func send(_ message: [UInt8]) async throws(RPCError) {
      call.takeInitialMetadata()
      try await call.responses.write(.unpacked(message, call.context.settleResponseEncoding()))
    }

    func sendUncompressed(_ message: [UInt8]) async throws(RPCError) {
      call.takeInitialMetadata()
      _ = call.context.settleResponseEncoding()
      try await call.responses.write(CallMessage(message))
    }
  }
}
