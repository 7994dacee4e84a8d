import Loop
import Security
import Synchronization
import TestKit
import Transport

/// Stands between an adapter and the REST of its exchange: holds answers back and changes their text.
final class VenueRelay: Sendable {
  private struct State {
    var target = ""
    var isHeld: @Sendable (String) -> Bool = { _ in false }
    var change: @Sendable (String) -> String = { $0 }
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  let url: String
  private let server: Server
  private let responder: Responder

  init(_ loop: EventLoop) async throws {
    let mesh = TestMesh.shared
    let client = HTTPClient(loop: loop, trust: .authorities(mesh.authority.certificate))
    responder = Responder(client: client)
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("venue-sim"), clients: .notAsked, alpn: .http11),
      responder: responder)
    configuration.plaintextPolicy = .everything
    server = Server(configuration, loop: loop)
    guard case .tcp(_, let port) = try await server.start() else {
      throw TransportError("no port")
    }
    url = "https://127.0.0.1:\(port)"
  }

  /// Everything is asked of `target`; returns where to ask instead.
  func standFor(_ target: String) -> String {
    responder.state.withLock { $0.target = target }
    return url
  }

  /// Answers to such targets wait from now on, with what they say already.
  func holds(_ isHeld: @escaping @Sendable (String) -> Bool) {
    responder.state.withLock { $0.isHeld = isHeld }
  }

  var heldCount: Int { responder.state.withLock { $0.waiting.count } }

  /// What waits goes out, and nothing waits any more.
  func release() {
    let waiting = responder.state.withLock { state in
      state.isHeld = { _ in false }
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func changes(_ change: @escaping @Sendable (String) -> String) {
    responder.state.withLock { $0.change = change }
  }

  func stop() async {
    release()
    await server.stop()
  }

  private final class Responder: HTTPResponder {
    let state = Mutex(State())
    private let client: HTTPClient

    init(client: HTTPClient) { self.client = client }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
      let (target, change) = state.withLock { ($0.target, $0.change) }
      var question = HTTPClientRequest(
        method: request.method, url: target + request.target, timeout: .seconds(30))
      question.body = request.body
      question.headers = request.headers.filter {
        !["host", "content-length", "connection"].contains($0.name)
      }
      do {
        let answer = try await client.send(question)
        await waitIfHeld(request.target)
        let text = change(String(decoding: answer.body, as: UTF8.self))
        return HTTPResponse(status: answer.status, json: Array(text.utf8))
      } catch {
        return HTTPResponse(status: 502)
      }
    }

    private func waitIfHeld(_ target: String) async {
      guard state.withLock({ $0.isHeld(target) }) else { return }
      await withCheckedContinuation { continuation in
        state.withLock { $0.waiting.append(continuation) }
      }
    }
  }
}
