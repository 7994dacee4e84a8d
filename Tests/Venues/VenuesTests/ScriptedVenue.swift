import Chrono
import Loop
import Security
import Synchronization
import TestKit
import Transport
import Venue

@testable import Venues

/// A venue on a loopback port whose answers and sockets a test writes itself.
final class ScriptedVenue: Sendable {
  typealias Answer = @Sendable (HTTPRequest) async -> HTTPResponse
  typealias Talk = @Sendable (WebSocket, _ connection: Int) async throws -> Void

  let settings: VenueSettings
  let tls: TLSContext
  private let server: Server

  init(_ loop: EventLoop, answer: @escaping Answer = { _ in .notFound }, talk: @escaping Talk)
    async throws
  {
    let mesh = TestMesh.shared
    let trust = Trust.authorities(mesh.authority.certificate)
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("venue-sim"), clients: .notAsked, alpn: .http11),
      responder: Script(answer: answer, talk: talk))
    configuration.plaintextPolicy = .everything
    server = Server(configuration, loop: loop)
    guard case .tcp(_, let port) = try await server.start() else {
      throw TransportError("no port")
    }
    var settings = VenueSettings(
      restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port,
      trust: trust, apiKey: "key", secret: Array("secret".utf8), symbols: ["BTCUSDT"])
    settings.reconnectMin = .milliseconds(10)
    self.settings = settings
    tls = try .client(nil, trust: trust, alpn: .http11)
  }

  func stop() async { await server.stop() }

  private final class Script: HTTPResponder {
    private let answer: Answer
    private let talk: Talk
    private let connections = Mutex(0)

    init(answer: @escaping Answer, talk: @escaping Talk) {
      self.answer = answer
      self.talk = talk
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
      guard request.path == "/stream" else { return await answer(request) }
      let number = connections.withLock { count in
        count += 1
        return count
      }
      return .webSocket { [talk] socket in
        do { try await talk(socket, number) } catch {}
      }
    }
  }
}

extension HTTPResponse {
  static let notFound = HTTPResponse(status: 404)
}
