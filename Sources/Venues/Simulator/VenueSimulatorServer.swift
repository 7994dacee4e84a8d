package import Chrono
package import Loop
package import Telemetry
package import Transport

/// The simulated exchange on a port: REST and WebSocket, in Binance's dialect.
package final class VenueSimulatorServer: Sendable {
  private let shell: VenueShell
  private let server: Server

  /// Reads captures and the state directory; nothing listens yet.
  package init(
    _ configuration: VenueSimulatorConfiguration, time: any TimeSource, loop: EventLoop, log: Log
  ) throws(ExchangeLogError) {
    shell = try VenueShell(configuration, time: time, loop: loop, log: log)
    var settings = ServerConfiguration(
      address: configuration.address, tls: configuration.tls, responder: VenueResponder(shell))
    settings.plaintextPolicy = .everything
    // A playback at full speed fills this before it lets others have a turn.
    settings.limits.webSocket.unsentMax = 128 << 10
    server = Server(settings, loop: loop)
  }

  /// Listens and starts the market; the address has the port that was chosen for port 0.
  package func start() async throws(TransportError) -> Address {
    let address = try await server.start()
    await shell.start()
    return address
  }

  package func stop() async {
    await shell.stop()
    await server.stop()
  }

  /// How often each endpoint was asked since the start, by `GET /api/v3/depth`.
  package func requestCounts() async -> [String: Int] { await shell.requestCounts() }

  /// True when every capture has been played to its end.
  package func isReplayFinished() async -> Bool { await shell.isReplayFinished() }
}

/// Hands requests and sockets to the shell.
private struct VenueResponder: HTTPResponder {
  private let shell: VenueShell

  init(_ shell: VenueShell) { self.shell = shell }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let path = request.path
    guard request.method == "GET" else { return await shell.answer(request) }
    if path == "/stream" {
      let names = request.queryItems?.first { $0.name == "streams" }?.value ?? ""
      return upgrade(names, isCombined: true)
    }
    if path == "/ws" { return upgrade("", isCombined: false) }
    if path.hasPrefix("/ws/") {
      return upgrade(percentDecoded(path.dropFirst(4)) ?? "", isCombined: false)
    }
    return await shell.answer(request)
  }

  private func upgrade(_ names: String, isCombined: Bool) -> HTTPResponse {
    let names = names.split(separator: "/").map(String.init)
    return .webSocket { socket in
      await shell.serve(socket, names: names, isCombined: isCombined)
    }
  }
}
