package import Chrono
package import Loop
package import Telemetry
package import Transport

/// The simulated exchanges on one port: REST and WebSocket, each in its own dialect on its own paths.
package final class VenueSimulatorServer: Sendable {
  package let administration: VenueAdministration
  private let shells: [VenueDialect: VenueShell]
  private let server: Server

  /// Reads captures and the state directory; nothing listens yet.
  package init(
    _ configuration: VenueSimulatorConfiguration, time: any TimeSource, loop: EventLoop, log: Log
  ) throws(ExchangeLogError) {
    var shells: [VenueDialect: VenueShell] = [:]
    for exchange in configuration.exchanges {
      guard shells[exchange.dialect] == nil else {
        throw ExchangeLogError("exchanges", "two speak the dialect of \(exchange.dialect)")
      }
      shells[exchange.dialect] = try VenueShell(
        exchange, configuration, time: time, loop: loop, log: log)
    }
    self.shells = shells
    administration = VenueAdministration(shells: shells)
    var settings = ServerConfiguration(
      address: configuration.address, tls: configuration.tls,
      methods: configuration.methods(administration), responder: VenueResponder(shells))
    settings.interceptors = configuration.interceptors
    settings.plaintextPolicy = .everything
    // A playback at full speed fills this before it lets others have a turn.
    settings.limits.webSocket.unsentMax = 128 << 10
    server = Server(settings, loop: loop)
  }

  /// Listens and starts the markets; the address has the port that was chosen for port 0.
  package func start() async throws(TransportError) -> Address {
    let address = try await server.start()
    for shell in shells.values { await shell.start() }
    return address
  }

  package func stop() async {
    for shell in shells.values { await shell.stop() }
    await server.stop()
  }

  /// Everything that is due by the clock happens and is told now, not at the next tick.
  package func catchUp() async {
    for shell in shells.values { await shell.inspect { _ in } }
  }

  /// Clients whose streams are open now.
  package func clientCount() async -> Int {
    var count = 0
    for shell in shells.values { count += await shell.clientCount() }
    return count
  }

  /// How often each endpoint was asked since the start, by `GET /api/v3/depth`, and each public stream
  /// subscribed, by `subscribe books BTC-USDT`.
  package func requestCounts() async -> [String: Int] {
    var counts: [String: Int] = [:]
    for shell in shells.values { counts.merge(await shell.requestCounts()) { $0 + $1 } }
    return counts
  }

  /// True when every capture has been played to its end.
  package func isReplayFinished() async -> Bool {
    for shell in shells.values where await !shell.isReplayFinished() { return false }
    return true
  }
}

/// Hands requests and sockets to the exchange whose path they ask for.
private struct VenueResponder: HTTPResponder {
  private let shells: [VenueDialect: VenueShell]

  init(_ shells: [VenueDialect: VenueShell]) { self.shells = shells }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard let dialect = VenueDialect(path: request.path), let shell = shells[dialect] else {
      return HTTPResponse(status: 404, contentType: "text/html", body: "Not Found")
    }
    guard request.method == "GET", dialect.isStream(request.path) else {
      return await shell.answer(request)
    }
    guard shell.acceptsStreams else {
      return HTTPResponse(status: 503, contentType: "text/plain", body: "maintenance")
    }
    return .webSocket { socket in await shell.serve(socket, request) }
  }
}
