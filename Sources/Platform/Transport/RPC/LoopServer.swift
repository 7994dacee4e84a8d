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
  private var isDraining = false
  private var emptied: (() -> Void)?

  init(_ loop: EventLoop, _ shared: ServerShared, tls: TLSContext?) {
    self.loop = loop
    self.shared = shared
    self.tls = tls
    tasks = HandlerTasks(loop)
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
    guard connectionCount < shared.limits.connectionsMax else {
      connection.abort()
      return
    }
    shared.observer.connectionOpened()
    let key = ObjectIdentifier(connection)
    greeting[key] = connection
    connection.driver = GreetingDriver(
      connection, tls: tls, within: shared.limits.greetingMax,
      chosen: { [weak self, unowned connection] tongue, bytes in
        guard let self else {
          connection.abort()
          return
        }
        self.greeting[key] = nil
        self.serve(connection, tongue, bytes)
      },
      gone: { [weak self] in
        self?.greeting[key] = nil
        self?.closedOne()
      })
  }

  private func serve(
    _ connection: Connection, _ tongue: GreetingDriver.Tongue, _ bytes: UnsafeRawBufferPointer
  ) {
    let key = ObjectIdentifier(connection)
    let driver: any ConnectionDriver
    switch tongue {
    case .http2:
      let made = HTTP2ServerConnection(connection, shared, tasks) { [weak self] _ in
        self?.http2[key] = nil
        self?.closedOne()
      }
      http2[key] = made
      driver = made
    case .http1:
      let made = HTTP1Session(
        connection, responder: PolicedResponder(shared: shared, peer: connection.peer),
        limits: shared.limits.http1, webSocketLimits: shared.limits.webSocket
      ) { [weak self] in
        self?.http1[key] = nil
        self?.closedOne()
      }
      http1[key] = (made, connection)
      driver = made
    }
    connection.driver = driver
    driver.connected()
    if !bytes.isEmpty { driver.received(bytes) }
    if isDraining { drainAll() }
  }

  private func closedOne() {
    shared.observer.connectionClosed()
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
