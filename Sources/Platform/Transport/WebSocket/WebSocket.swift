internal import Chrono
internal import Loop

/// One end of a WebSocket. Its async calls may be made from any task; one task at a time receives.
/// Whoever has a client's socket ends it with `close`; a server's is closed when its handler
/// returns.
///
/// `@unchecked Sendable`: its state is touched on the connection's loop only.
package final class WebSocket: ConnectionDriver, @unchecked Sendable {
  private typealias Receiver = CheckedContinuation<Result<WebSocketMessage?, WebSocketError>, Never>
  private typealias Sender = CheckedContinuation<Result<Void, WebSocketError>, Never>

  /// Address of the peer, as text.
  package let peerAddress: String

  private let connection: Connection
  private let loop: EventLoop
  private let limits: WebSocketLimits
  private let framing: WebSocketFraming
  private var ended: () -> Void

  private var receiver: Receiver?
  private var currentWait: ReceiveWait?
  private var senders: [Sender] = []
  private var closers: [CheckedContinuation<Void, Never>] = []
  /// Set once: how it ended; nil error for an orderly end.
  private var outcome: Outcome?
  private var isClosing = false
  private var isGone = false
  private var heardSinceLook = false
  private var pingsUnanswered = 0
  private var pingTimer: TimerToken?
  private var closeTimer: TimerToken?
  /// Sent since the last flush: TLS output does not count as unsent before it.
  private var sentInTick = 0

  private struct Outcome {
    let error: WebSocketError?
  }

  init(
    _ connection: Connection, role: WebSocketRole, limits: WebSocketLimits,
    ended: @escaping () -> Void = {}
  ) {
    self.connection = connection
    self.loop = connection.loop
    self.peerAddress = connection.peer.address
    self.limits = limits
    self.framing = WebSocketFraming(
      role, messageMax: limits.messageMax, inboxMax: limits.inboxMax)
    self.ended = ended
  }

  /// Takes the connection over from the handshake, with what came behind it.
  func begin(received rest: [UInt8]) {
    connection.driver = self
    schedulePing()
    rest.withUnsafeBytes { received($0) }
  }

  // MARK: Receiving

  /// The next message; nil after an orderly end (codes 1000 and 1001, none, or our own `close`).
  package func receive() async throws(WebSocketError) -> WebSocketMessage? {
    let wait = ReceiveWait()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (receiver: Receiver) in
        loop.onLoop { self.begin(wait, receiver) }
      }
    } onCancel: {
      loop.execute { self.cancel(wait) }
    }
    return try result.get()
  }

  private func begin(_ wait: ReceiveWait, _ receiver: Receiver) {
    precondition(self.receiver == nil, "two tasks receive from one WebSocket")
    self.receiver = receiver
    currentWait = wait
    deliver()
    if wait.isCancelled { cancel(wait) }
  }

  private func cancel(_ wait: ReceiveWait) {
    wait.isCancelled = true
    if currentWait === wait { answer(.failure(.lost("receiving was cancelled"))) }
  }

  private func deliver() {
    guard receiver != nil else { return }
    if let message = framing.popMessage() {
      answer(.success(message))
      if !isGone { refill() }
    } else if let outcome {
      answer(outcome.error.map { .failure($0) } ?? .success(nil))
    }
  }

  private func answer(_ result: Result<WebSocketMessage?, WebSocketError>) {
    receiver?.resume(returning: result)
    receiver = nil
    currentWait = nil
  }

  /// A place in the inbox is free: go on where a full one stopped.
  private func refill() {
    guard connection.isPaused else { return }
    framing.process()
    settle()
  }

  // MARK: Sending

  package func send(text: String) async throws(WebSocketError) {
    try await send(.text, Array(text.utf8))
  }

  /// Text that is UTF-8 already, as `JSONWriter` makes it.
  package func send(text bytes: [UInt8]) async throws(WebSocketError) {
    try await send(.text, bytes)
  }

  package func send(binary bytes: [UInt8]) async throws(WebSocketError) {
    try await send(.binary, bytes)
  }

  /// Sends, then waits while the peer is more than `unsentMax` bytes behind.
  private func send(
    _ kind: WebSocketMessage.Kind, _ bytes: [UInt8]
  ) async throws(WebSocketError) {
    let result = await withCheckedContinuation { (sender: Sender) in
      loop.onLoop { self.write(kind, bytes, sender) }
    }
    try result.get()
  }

  private func write(_ kind: WebSocketMessage.Kind, _ bytes: [UInt8], _ sender: Sender) {
    guard outcome == nil, !isClosing, framing.queue(kind, bytes) else {
      sender.resume(returning: .failure(outcome?.error ?? .alreadyClosed))
      return
    }
    flush()
    if outcome == nil, isBehind(limits.unsentMax) {
      senders.append(sender)
    } else {
      sender.resume(returning: .success(()))
    }
  }

  /// On the loop: sends unless the peer is more than `unsentMax` bytes behind (nil: that of the
  /// limits) or the socket is closed; then false, and the message is dropped. For feeds where a slow
  /// consumer is cut off, not waited for.
  package func trySend(
    _ kind: WebSocketMessage.Kind, _ bytes: [UInt8], unsentMax: Int? = nil
  ) -> Bool {
    loop.assertInLoop()
    guard outcome == nil, !isClosing, !isBehind(unsentMax ?? limits.unsentMax),
      framing.queue(kind, bytes)
    else { return false }
    flush()
    return outcome == nil
  }

  private func isBehind(_ unsentMax: Int) -> Bool {
    if sentInTick > limits.unsentMax {
      sentInTick = 0
      connection.flush()
    }
    return connection.unsent > unsentMax
  }

  private func flush() {
    let output = framing.takeOutput()
    guard !output.isEmpty else { return }
    if sentInTick == 0 { loop.atTickEnd { [weak self] in self?.sentInTick = 0 } }
    sentInTick += output.count
    connection.send(output)
  }

  // MARK: Closing

  package var isClosed: Bool {
    loop.assertInLoop()
    return outcome != nil
  }

  /// Says goodbye and waits until the peer has answered, at most `closeMax`. Calling it again is
  /// fine.
  package func close(_ close: WebSocketClose = .normal) async {
    await withCheckedContinuation { continuation in
      loop.onLoop {
        guard !self.isGone else {
          continuation.resume()
          return
        }
        self.closers.append(continuation)
        self.startClosing(close)
      }
    }
  }

  /// On the loop: begins to close, without waiting. For a feed that found its consumer too slow.
  package func startClosing(_ close: WebSocketClose) {
    loop.assertInLoop()
    guard !isGone, !isClosing else { return }
    isClosing = true
    if outcome == nil { framing.queueClose(close) }
    // Messages that nobody will receive must not hold the peer's close frame back.
    connection.resumeReading()
    closeTimer = loop.schedule(after: limits.closeMax) { [weak self] in
      self?.connection.abort(.failed("the peer did not close in time"))
    }
    settle()
  }

  /// The server ends: the peer is told with 1001.
  func goAway() { startClosing(.goingAway) }

  private func finish(_ error: WebSocketError?) {
    guard outcome == nil else { return }
    outcome = Outcome(error: error)
    for sender in senders { sender.resume(returning: .failure(error ?? .alreadyClosed)) }
    senders = []
    deliver()
  }

  // MARK: Connection

  package func connected() {}

  package func received(_ bytes: UnsafeRawBufferPointer) {
    guard !isGone else { return }
    heardSinceLook = true
    pingsUnanswered = 0
    framing.feed(bytes)
    framing.process()
    settle()
  }

  /// Sends what is queued, hands out what came, and notices the end.
  private func settle() {
    flush()
    if isClosing {
      // Whoever closes does not wait for more messages; the peer's close frame is behind them.
      while framing.isHeldBack {
        _ = framing.popMessage()
        framing.process()
      }
      flush()
    }
    deliver()
    if let close = framing.peerClose {
      let isOrderly = isClosing || [1000, 1001, 1005].contains(close.code)
      finish(isOrderly ? nil : .closed(close))
      connection.closeAfterFlush()
    } else if let failure = framing.failure, !isClosing {
      finish(.closed(failure))
      connection.closeAfterFlush()
    } else if framing.isHeldBack, !isClosing {
      connection.pauseReading()
    } else {
      connection.resumeReading()
    }
  }

  package func drained() {
    guard !senders.isEmpty else { return }
    let waiting = senders
    senders = []
    for sender in waiting { sender.resume(returning: .success(())) }
  }

  package func closed(_ reason: CloseReason) {
    isGone = true
    for timer in [pingTimer, closeTimer].compactMap({ $0 }) { loop.cancel(timer) }
    finish(isClosing ? nil : .lost(reason.description))
    for closer in closers { closer.resume() }
    closers = []
    ended()
    ended = {}
  }

  // MARK: Keeping alive

  private func schedulePing() {
    pingTimer = loop.schedule(after: limits.pingInterval) { [weak self] in self?.lookForLife() }
  }

  private func lookForLife() {
    guard !isGone else { return }
    // While our own consumer holds reading back, silence says nothing about the peer.
    if heardSinceLook || connection.isPaused {
      heardSinceLook = false
    } else if pingsUnanswered > 0 {
      connection.abort(.failed("the peer does not answer pings"))
      return
    } else {
      pingsUnanswered += 1
      framing.queuePing()
      flush()
    }
    schedulePing()
  }
}

/// One call of `receive`, so that its cancellation may come before, while or after it waits.
/// `@unchecked Sendable`: touched on the loop only.
private final class ReceiveWait: @unchecked Sendable {
  var isCancelled = false
}
