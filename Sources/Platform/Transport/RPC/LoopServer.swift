internal import Loop
internal import Security

/// A server's listener and connections on one loop. Confined to it.
final class LoopServer {
  private let loop: EventLoop
  private let shared: ServerShared
  private let tls: TLSContext?
  private var listener: Listener?
  private var http2: [ObjectIdentifier: HTTP2ServerConnection] = [:]
  private var http1: [ObjectIdentifier: (session: HTTP1Session, connection: Connection)] = [:]
  private var greeting: [ObjectIdentifier: Connection] = [:]
  private let tasks: HandlerTasks
  private var perAddress: [String: Int] = [:]
  private var handshakes = 0
  private var looks: TimerToken?
  private let lookInterval: Duration
  private var isDraining = false
  private var emptied: (() -> Void)?

  init(_ loop: EventLoop, _ shared: ServerShared, tls: TLSContext?) {
    self.loop = loop
    self.shared = shared
    self.tls = tls
    tasks = HandlerTasks(loop)
    lookInterval = shared.limits.lookInterval
  }

  var connectionCount: Int { http2.count + http1.count + greeting.count }

  func listen(_ address: Address, sharesPort: Bool) throws(TransportError) -> Address {
    let listener = try Listener(address, loop: loop, sharesPort: sharesPort) {
      [weak self] connection in
      // A server that was dropped without `stop` serves nobody.
      if let self { self.accept(connection) } else { connection.abort() }
    }
    self.listener = listener
    return listener.address
  }

  private func accept(_ connection: Connection) {
    if let limit = refusal(of: connection.peer.host) {
      shared.observer.defended(limit)
      connection.abort()
      return
    }
    shared.observer.connectionOpened()
    greeting[ObjectIdentifier(connection)] = connection
    connection.keyUpdatesMax = shared.limits.keyUpdatesMax
    connection.driver = GreetingDriver(
      connection, self, tls: tls, within: shared.limits.greetingMax)
  }

  /// The limit that a newcomer would pass. It is closed; those that are here go on.
  private func refusal(of host: String) -> TransportLimit? {
    if connectionCount >= shared.limits.connectionsMax { return .connections }
    guard let max = shared.limits.connectionsPerAddressMax else { return nil }
    let count = perAddress[host, default: 0]
    if count >= max { return .connectionsPerAddress }
    perAddress[host] = count + 1
    return nil
  }

  // MARK: Greeting

  /// False when so many are in progress that this one is not to begin.
  func beginHandshake() -> Bool {
    guard handshakes < shared.limits.handshakesMax else {
      shared.observer.defended(.handshakes)
      return false
    }
    handshakes += 1
    return true
  }

  func endHandshake() { handshakes -= 1 }

  func defended(_ limit: TransportLimit) { shared.observer.defended(limit) }

  func greeted(
    _ connection: Connection, _ tongue: GreetingDriver.Tongue, _ bytes: UnsafeRawBufferPointer
  ) {
    greeting[ObjectIdentifier(connection)] = nil
    serve(connection, tongue, bytes)
  }

  func leftGreeting(_ connection: Connection) {
    greeting[ObjectIdentifier(connection)] = nil
    closedOne(connection)
  }

  private func serve(
    _ connection: Connection, _ tongue: GreetingDriver.Tongue, _ bytes: UnsafeRawBufferPointer
  ) {
    let key = ObjectIdentifier(connection)
    let driver: any ConnectionDriver
    switch tongue {
    case .http2:
      let made = HTTP2ServerConnection(connection, shared, tasks) { [weak self] made in
        self?.http2[key] = nil
        self?.closedOne(made.connection)
      }
      http2[key] = made
      lookLater()
      driver = made
    case .http1:
      let made = HTTP1Session(
        connection, responder: PolicedResponder(shared: shared, peer: connection.peer),
        limits: shared.limits.http1, webSocketLimits: shared.limits.webSocket
      ) { [weak self] in
        guard let self, let ended = self.http1.removeValue(forKey: key) else { return }
        self.closedOne(ended.connection)
      }
      http1[key] = (made, connection)
      driver = made
    }
    connection.driver = driver
    driver.connected()
    if !bytes.isEmpty { driver.received(bytes) }
    if isDraining { drainAll() }
  }

  /// One timer for all connections, while there are any.
  private func lookLater() {
    guard looks == nil else { return }
    looks = loop.schedule(after: lookInterval) { [weak self] in
      guard let self else { return }
      self.looks = nil
      let now = self.loop.uptime
      for connection in self.http2.values { connection.look(now) }
      if !self.http2.isEmpty { self.lookLater() }
    }
  }

  private func closedOne(_ connection: Connection) {
    shared.observer.connectionClosed()
    if let limit = connection.passed { shared.observer.defended(limit) }
    if shared.limits.connectionsPerAddressMax != nil {
      let left = perAddress[connection.peer.host, default: 1] - 1
      perAddress[connection.peer.host] = left > 0 ? left : nil
    }
    if isDraining, connectionCount == 0 {
      emptied?()
      emptied = nil
    }
  }

  /// No new connections; those that exist finish what they have begun. `emptied` when all are gone.
  func drain(_ emptied: @escaping () -> Void) {
    isDraining = true
    listener?.close()
    listener = nil
    for connection in greeting.values { connection.abort() }
    self.emptied = emptied
    drainAll()
    if connectionCount == 0 {
      self.emptied?()
      self.emptied = nil
    }
  }

  private func drainAll() {
    for connection in http2.values { connection.drain() }
    for entry in http1.values { entry.session.drain() }
  }

  /// Closes everything now.
  func stop() {
    isDraining = true
    listener?.close()
    listener = nil
    for connection in greeting.values { connection.abort() }
    for connection in http2.values { connection.connection.abort() }
    for entry in http1.values { entry.connection.abort() }
  }
}
