internal import Chrono
internal import Loop
internal import Telemetry

/// The connections of one database and the requests that wait for one.
///
/// Connections are made when requests wait, up to the limit, and kept. When the server is away,
/// requests wait as long as they may while connecting is tried again and again with growing pauses.
///
/// `@unchecked Sendable`: everything is touched on the loop only, which every entry asserts.
final class ConnectionPool: @unchecked Sendable {
  typealias Lease = Result<DatabaseConnection, SQLError>

  private let settings: DatabaseSettings
  private let loop: EventLoop
  private let log: Log
  private var connections: [ObjectIdentifier: DatabaseConnection] = [:]
  private var idle: [DatabaseConnection] = []
  private var opening = 0
  private var waiting: [Waiting] = []
  private var lastTicket: UInt64 = 0
  private var pause: Duration?
  private var retry: TimerToken?
  private var lastFailure: SQLError?
  private var isClosed = false
  private let openGauge: Gauge
  private let waitingGauge: Gauge

  private struct Waiting {
    let ticket: UInt64
    let timer: TimerToken
    let completion: (Lease) -> Void
  }

  init(_ settings: DatabaseSettings, _ loop: EventLoop) {
    self.settings = settings
    self.loop = loop
    self.log = settings.log
    let metrics = settings.metrics ?? MetricsRegistry()
    openGauge = metrics.gauge("postgres_connections", help: "Open connections to PostgreSQL.")
    waitingGauge = metrics.gauge(
      "postgres_waiting_requests", help: "Requests that wait for a connection to PostgreSQL.")
  }

  // MARK: Leases

  /// Calls `completion` with a connection of its own, now or when one is free.
  func lease(_ completion: @escaping (Lease) -> Void) {
    loop.assertInLoop()
    if isClosed { return completion(.failure(SQLError(.closed, "the database is closed"))) }
    if let connection = idle.popLast() { return completion(.success(connection)) }
    guard waiting.count < settings.waitingMax else {
      return completion(
        .failure(SQLError(.tooManyWaiting, "\(waiting.count) requests wait for a connection")))
    }
    lastTicket += 1
    let ticket = lastTicket
    let timer = loop.schedule(after: settings.waitMax) { [weak self] in self?.expire(ticket) }
    waiting.append(Waiting(ticket: ticket, timer: timer, completion: completion))
    waitingGauge.set(waiting.count)
    openIfNeeded()
  }

  func release(_ connection: DatabaseConnection) {
    loop.assertInLoop()
    guard connections[ObjectIdentifier(connection)] != nil else { return }
    guard !isClosed, connection.isClean else {
      forget(connection)
      connection.close()
      openIfNeeded()
      return
    }
    give(connection)
  }

  private func give(_ connection: DatabaseConnection) {
    guard !waiting.isEmpty else {
      idle.append(connection)
      return
    }
    let first = waiting.removeFirst()
    waitingGauge.set(waiting.count)
    loop.cancel(first.timer)
    first.completion(.success(connection))
  }

  private func expire(_ ticket: UInt64) {
    guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
    let expired = waiting.remove(at: index)
    waitingGauge.set(waiting.count)
    let reason = lastFailure.map { ": \($0.message)" } ?? ""
    expired.completion(
      .failure(SQLError(.unavailable, "no connection in \(settings.waitMax)\(reason)")))
  }

  // MARK: Connections

  private func openIfNeeded() {
    guard !isClosed, retry == nil else { return }
    while opening < waiting.count, connections.count + opening < settings.connectionsMax {
      opening += 1
      let connection = DatabaseConnection(settings, loop)
      connection.open { [self] result in
        opening -= 1
        switch result {
        case .success: opened(connection)
        case .failure(let error): failed(error)
        }
      }
      if retry != nil { return }
    }
  }

  private func opened(_ connection: DatabaseConnection) {
    guard !isClosed else { return connection.close() }
    if lastFailure != nil { log.info("the database is back") }
    pause = nil
    lastFailure = nil
    connections[ObjectIdentifier(connection)] = connection
    openGauge.set(connections.count)
    connection.lost = { [weak self, weak connection] error in
      guard let self, let connection else { return }
      log.warning("a database connection was lost", ["reason": .text(error.message)])
      forget(connection)
      openIfNeeded()
    }
    give(connection)
  }

  private func failed(_ error: SQLError) {
    if lastFailure == nil {
      log.warning("the database cannot be reached", ["reason": .text(error.message)])
    }
    lastFailure = error
    guard !isClosed, retry == nil else { return }
    let next = pause.map { min($0 * 2, settings.reconnectPauses.upperBound) }
    pause = next ?? settings.reconnectPauses.lowerBound
    retry = loop.schedule(after: pause ?? .seconds(1)) { [weak self] in
      self?.retry = nil
      self?.openIfNeeded()
    }
  }

  private func forget(_ connection: DatabaseConnection) {
    connections.removeValue(forKey: ObjectIdentifier(connection))
    idle.removeAll { $0 === connection }
    openGauge.set(connections.count)
  }

  func close() {
    loop.assertInLoop()
    guard !isClosed else { return }
    isClosed = true
    if let retry { loop.cancel(retry) }
    let (refused, open) = (waiting, connections)
    waiting = []
    for request in refused {
      loop.cancel(request.timer)
      request.completion(.failure(SQLError(.closed, "the database is closed")))
    }
    for connection in open.values {
      forget(connection)
      connection.close()
    }
  }
}
