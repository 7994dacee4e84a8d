internal import Calls
internal import Chrono
internal import Loop

/// One call between two simulated processes: both ends of it, and the packets between.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class SimulatedCall: ClientStream, @unchecked Sendable {
  private let client: SimulatedEndpoint
  private let server: SimulatedEndpoint
  private let method: MethodDescriptor
  private let deadline: Uptime?
  private let identity: Identity
  private let traceParent: String?
  private let metadata: Metadata
  private let number: UInt64
  private let network: SimulatedNetwork

  private let responses = MessagePipe(bytesMax: .max)
  private let requests = MessagePipe(bytesMax: .max)
  private var toServer = Uptime(nanoseconds: 0)
  private var toClient = Uptime(nanoseconds: 0)
  private var alarm: TimerToken?
  private var handler: Task<Void, Never>?
  /// Behind a packet that is lost nothing of a connection comes through.
  private var isBroken = (toServer: false, toClient: false)
  private var clientIsOver = false
  private var serverIsOver = false
  /// Bytes on their way to the reader or unread, and senders that wait for room.
  private var unread = 0
  private var senders: [UnsafeContinuation<Void, Never>] = []

  private static let unreadMax = 64 * 1024

  init(
    _ client: SimulatedEndpoint, _ server: SimulatedEndpoint, _ method: MethodDescriptor,
    deadline: Uptime?, identity: Identity, traceParent: String?, metadata: Metadata
  ) {
    self.client = client
    self.server = server
    self.method = method
    self.deadline = deadline
    self.identity = identity
    self.traceParent = traceParent
    self.metadata = metadata
    network = client.network
    number = network.nextCall()
  }

  func start(whole: [UInt8]?) {
    client.made[number] = self
    // From the first packet on: who dies before it arrives is missed as well.
    server.served[number] = self
    if let deadline {
      alarm = network.scheduler.schedule(on: client.loop, at: deadline) { [self] in
        endClient(RPCError(.deadlineExceeded, "the deadline has passed"), tellingServer: true)
      }
    }
    sendToServer { call in call.serve(whole: whole) }
    guard let whole, method.isIdempotent, network.doubles() else { return }
    // A repetition by whatever stands between: its answer goes nowhere.
    let again = SimulatedCall(
      client, server, method, deadline: deadline, identity: identity, traceParent: traceParent,
      metadata: metadata)
    again.clientIsOver = true
    server.served[again.number] = again
    again.sendToServer { call in call.serve(whole: whole) }
  }

  // MARK: Packets

  private func sendToServer(_ body: @escaping (SimulatedCall) -> Void) {
    if isBroken.toServer { return }
    switch network.fate(from: client.name, to: server.name, after: toServer) {
    case .arrives(let moment):
      toServer = moment
      network.scheduler.schedule(on: server.loop, at: moment) { [self] in
        if server.isAlive { body(self) } else { breakClient() }
      }
    case .breaks(let moment):
      isBroken.toServer = true
      breakBoth(at: moment)
    }
  }

  private func sendToClient(_ body: @escaping (SimulatedCall) -> Void) {
    if isBroken.toClient { return }
    switch network.fate(from: server.name, to: client.name, after: toClient) {
    case .arrives(let moment):
      toClient = moment
      network.scheduler.schedule(on: client.loop, at: moment) { [self] in body(self) }
    case .breaks(let moment):
      isBroken.toClient = true
      breakBoth(at: moment)
    }
  }

  private static let broken = RPCError(.unavailable, "the connection was lost")

  private func breakBoth(at moment: Uptime) {
    network.scheduler.schedule(on: client.loop, at: moment) { [self] in
      endClient(Self.broken, tellingServer: false)
    }
    network.scheduler.schedule(on: server.loop, at: moment) { [self] in endServer(Self.broken) }
  }

  private func breakClient() {
    network.scheduler.schedule(on: client.loop, at: network.scheduler.uptime) { [self] in
      endClient(Self.broken, tellingServer: false)
    }
  }

  /// The process at the other end is gone: its kernel says so.
  func serverDied() {
    serverIsOver = true
    sendToClient { $0.endClient(Self.broken, tellingServer: false) }
  }

  func clientDied() {
    clientIsOver = true
    sendToServer { $0.endServer(Self.broken) }
  }

  // MARK: The server's end

  private func serve(whole: [UInt8]?) {
    guard !serverIsOver else { return }
    guard let served = server.methods[method.path] else {
      finishServer()
      return sendToClient {
        $0.endClient(
          RPCError(.unimplemented, "there is no method \($0.method.path)"), tellingServer: false)
      }
    }
    if let whole {
      requests.offer(CallMessage(whole))
      requests.finish()
    }
    var trace = TraceIdentity(server.loop)
    let context = ServerContext(
      method: served.descriptor, metadata: metadata, deadline: deadline, identity: identity,
      trace: trace.hop(continuing: traceParent ?? ""), acceptsGzip: false)
    let task = server.loop.spawn { [self] in await run(served, context) }
    if serverIsOver { task.cancel() } else { handler = task }
  }

  private func run(_ served: ServerMethod, _ context: ServerContext) async {
    var failure: RPCError?
    do {
      switch served.handler {
      case .unary(let handler):
        guard let request = try await requests.next() else {
          throw RPCError(.internalError, "a unary call without a message")
        }
        let response = try await handler(request.bytes, context)
        sendToClient { $0.responses.offer(CallMessage(response)) }
      case .streaming(let handler):
        let ends = ServerEnds(call: self)
        try await handler(ends, ends, context)
      }
    } catch let error as RPCError {
      failure = error
    } catch is CancellationError {
      failure = RPCError(.cancelled, "the call was cancelled")
    } catch {
      failure = RPCError(.internalError, "the service failed: \(error)")
    }
    guard !serverIsOver else { return }
    finishServer()
    sendToClient { [failure] in $0.endClient(failure, tellingServer: false) }
  }

  private func finishServer() {
    serverIsOver = true
    handler = nil
    server.served[number] = nil
    letSendersGo()
  }

  private func endServer(_ error: RPCError) {
    guard !serverIsOver else { return }
    let task = handler
    finishServer()
    requests.fail(error, keepingQueued: false)
    task?.cancel()
  }

  private func letSendersGo() {
    let waiting = senders
    senders = []
    for sender in waiting { sender.resume() }
  }

  private func respond(_ message: [UInt8]) async throws(RPCError) {
    guard !serverIsOver else { throw RPCError(.cancelled, "the call has ended") }
    unread += message.count + MessagePipe.overhead
    sendToClient { $0.responses.offer(CallMessage(message)) }
    if unread > Self.unreadMax { await withUnsafeContinuation { senders.append($0) } }
  }

  private struct ServerEnds: MessageSource, MessageSink {
    let call: SimulatedCall

    func next() async throws(RPCError) -> [UInt8]? { try await call.requests.next()?.bytes }
    func send(_ message: [UInt8]) async throws(RPCError) { try await call.respond(message) }
    func sendUncompressed(_ message: [UInt8]) async throws(RPCError) {
      try await call.respond(message)
    }
  }

  // MARK: The client's end

  private func endClient(_ error: RPCError?, tellingServer: Bool) {
    guard !clientIsOver else { return }
    clientIsOver = true
    client.made[number] = nil
    if let alarm { network.scheduler.cancel(alarm) }
    alarm = nil
    if let error {
      responses.fail(error, keepingQueued: !tellingServer)
    } else {
      responses.finish()
    }
    if tellingServer { sendToServer { $0.endServer(RPCError(.cancelled, "the call has ended")) } }
  }

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
    unread -= message.bytes.count + MessagePipe.overhead
    if !senders.isEmpty, unread <= Self.unreadMax / 2 { sendToServer { $0.letSendersGo() } }
    return message.bytes
  }

  func send(_ message: [UInt8]) async throws(RPCError) {
    guard !clientIsOver else { throw Self.broken }
    sendToServer { $0.requests.offer(CallMessage(message)) }
  }

  func sendUncompressed(_ message: [UInt8]) async throws(RPCError) { try await send(message) }
  func finishSending() async throws(RPCError) { sendToServer { $0.requests.finish() } }

  func cancel() {
    endClient(RPCError(.cancelled, "the call was cancelled"), tellingServer: true)
  }

  var responseWasCompressed: Bool { false }
  var initialMetadata: Metadata { Metadata() }
  var trailingMetadata: Metadata { Metadata() }
}
