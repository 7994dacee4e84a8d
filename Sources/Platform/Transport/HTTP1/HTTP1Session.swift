internal import Calls
internal import Chrono
internal import Loop

/// The server's side of one HTTP/1.1 connection: requests are answered one after the other, in
/// order, each by a task on the connection's loop.
///
/// `@unchecked Sendable`: confined to the connection's loop, which the requests' tasks run on too.
package final class HTTP1Session: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private let responder: any HTTPResponder
  private let limits: HTTP1Limits
  private let webSocketLimits: WebSocketLimits
  private let ended: () -> Void
  private var parser: HTTP1Parser
  private var task: Task<Void, Never>?
  /// The request being answered; nil when none is.
  private var current: Exchange?
  private var isAdvancing = false
  private var isDraining = false
  private var isFinished = false
  private var deadline: Uptime?
  private var timer: TimerToken?
  private var awaited = Awaited.nothing
  private var webSocket: WebSocket?

  private struct Exchange {
    let method: String
    let version: HTTPVersion
    let headers: [HTTPHeader]
    let keepsAlive: Bool
  }

  /// The peer of a refused request may still be sending; reading on for so long lets it see why.
  private static let lingerMax = Duration.milliseconds(500)
  /// How often a timeout is looked at, at most: exact to this.
  private static let lookInterval = Duration.seconds(1)

  /// Make it the connection's `driver`, then call `connected()` unless the connection will.
  package init(
    _ connection: Connection, responder: any HTTPResponder, limits: HTTP1Limits = .standard,
    webSocketLimits: WebSocketLimits = .standard, ended: @escaping () -> Void = {}
  ) {
    self.connection = connection
    self.responder = responder
    self.limits = limits
    self.webSocketLimits = webSocketLimits
    self.ended = ended
    self.parser = HTTP1Parser(limits: limits)
  }

  // MARK: Connection

  package func connected() { watch() }

  package func received(_ bytes: UnsafeRawBufferPointer) {
    guard !isFinished else { return }
    parser.feed(bytes)
    advance()
  }

  package func drained() { advance() }

  package func closed(_ reason: CloseReason) {
    isFinished = true
    task?.cancel()
    task = nil
    webSocket = nil
    stopTimer()
    ended()
  }

  /// Answers what is being answered, then closes. A WebSocket is told that the server goes away.
  package func drain() {
    isDraining = true
    if let webSocket {
      webSocket.goAway()
    } else if current == nil, parser.phase == .betweenRequests {
      finish()
    }
  }

  private func finish() {
    isFinished = true
    stopTimer()
    connection.closeAfterFlush()
  }

  // MARK: Requests

  private func advance() {
    guard !isAdvancing else { return }
    isAdvancing = true
    defer { isAdvancing = false }
    while current == nil, !isFinished, webSocket == nil, connection.unsent <= limits.unsentMax,
      let event = parser.next()
    {
      switch event {
      case .continueExpected: connection.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
      case .request(let request, let keepsAlive): begin(request, keepsAlive: keepsAlive)
      case .refused(let refusal): refuse(refusal)
      }
    }
    guard !isFinished, webSocket == nil else { return }
    // Draining ends a connection only where no request is cut in two.
    if isDraining, current == nil, parser.phase == .betweenRequests {
      finish()
      return
    }
    if parser.buffered > limits.pipelinedMax, current != nil {
      connection.pauseReading()
    } else {
      connection.resumeReading()
    }
    watch()
  }

  private func begin(_ request: HTTPRequest, keepsAlive: Bool) {
    var request = request
    request.identity = Identity(service: connection.peer.serviceName)
    request.peerAddress = connection.peer.address
    current = Exchange(
      method: request.method, version: request.version, headers: request.headers,
      keepsAlive: keepsAlive)
    let complete = request
    // Runs at once to its first suspension; many answers are ready by then.
    let task = connection.loop.spawn { [self] in
      answer(await responder.respond(to: complete))
    }
    if current != nil { self.task = task }
  }

  private func answer(_ response: HTTPResponse) {
    connection.loop.assertInLoop()
    task = nil
    guard let exchange = current, !isFinished else { return }
    current = nil
    if let handler = response.webSocketHandler {
      upgrade(exchange, response.headers, handler)
      return
    }
    let closes =
      !exchange.keepsAlive || isDraining || response.headers.list("connection", contains: "close")
    connection.send(
      response.http1Bytes(
        forHead: exchange.method == "HEAD", version: exchange.version, closes: closes))
    if closes { finish() } else { advance() }
  }

  private func refuse(_ refusal: HTTP1Refusal) {
    let response = HTTPResponse(refusing: refusal.status, refusal.problem)
    connection.send(response.http1Bytes(forHead: false, version: .http11, closes: true))
    isFinished = true
    stopTimer()
    let connection = self.connection
    guard [413, 414, 431].contains(refusal.status) else {
      connection.closeAfterFlush()
      return
    }
    // Closing with unread bytes would reset the connection and lose the answer on its way.
    connection.loop.schedule(after: Self.lingerMax) { connection.closeAfterFlush() }
  }

  private func upgrade(
    _ exchange: Exchange, _ headers: [HTTPHeader],
    _ handler: @escaping @Sendable (WebSocket) async -> Void
  ) {
    do throws(HTTP1Refusal) {
      let key = try WebSocketHandshake.key(
        method: exchange.method, version: exchange.version, headers: exchange.headers)
      connection.send(WebSocketHandshake.acceptance(of: key, headers))
    } catch {
      var response = HTTPResponse(refusing: error.status, error.problem)
      if error.status == 426 { response.headers += WebSocketHandshake.upgradeRequired }
      connection.send(
        response.http1Bytes(
          forHead: exchange.method == "HEAD", version: exchange.version, closes: true))
      finish()
      return
    }
    stopTimer()
    let socket = WebSocket(
      connection, role: .server, limits: webSocketLimits, ended: { [self] in closed(.local) })
    webSocket = socket
    connection.resumeReading()
    socket.begin(received: parser.takeRest())
    if isDraining { socket.goAway() }
    connection.loop.spawn {
      await handler(socket)
      await socket.close(.normal)
    }
  }

  // MARK: Time

  /// What the peer has time for now.
  private enum Awaited: Equatable {
    case nothing
    /// That the peer reads some of these unsent bytes.
    case reading(unsent: Int)
    case request(HTTP1Parser.Phase)
  }

  private func watch() {
    if connection.unsent > 0 {
      awaited = .reading(unsent: connection.unsent)
      expect(limits.stallMax)
      return
    }
    if current != nil {
      awaited = .nothing
      deadline = nil
      return
    }
    let phase = parser.phase
    // A deadline that runs is not moved by each byte that trickles in.
    if awaited == .request(phase), phase != .betweenRequests { return }
    awaited = .request(phase)
    switch phase {
    case .betweenRequests: expect(limits.idleMax)
    case .head: expect(limits.headMax)
    case .body: expect(limits.bodyTimeMax)
    case .refused: deadline = nil
    }
  }

  private func expect(_ time: Duration) {
    deadline = connection.loop.uptime + time
    if timer == nil { look(after: min(time, Self.lookInterval)) }
  }

  private func look(after delay: Duration) {
    timer = connection.loop.schedule(after: delay) { [weak self] in self?.timeIsUp() }
  }

  private func timeIsUp() {
    timer = nil
    guard !isFinished, let deadline else { return }
    let left = deadline - connection.loop.uptime
    if left > .zero {
      look(after: min(left, Self.lookInterval))
      return
    }
    switch awaited {
    case .nothing: break
    case .reading(let unsent) where connection.unsent >= unsent:
      connection.abort(.failed("the peer does not read its response"))
    case .reading: watch()
    case .request(.betweenRequests): finish()
    case .request: refuse(HTTP1Refusal(408, "the request did not arrive in time"))
    }
  }

  private func stopTimer() {
    if let timer { connection.loop.cancel(timer) }
    timer = nil
    deadline = nil
  }
}
