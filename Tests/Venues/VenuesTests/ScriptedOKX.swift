import Bytes
import Chrono
import JSON
import Loop
import Security
import Synchronization
import Telemetry
import TestKit
import Transport
import Venue

@testable import Venues

/// A server on a loopback port that answers as OKX would, from a list of answers, and checks each
/// signature.
final class ScriptedOKX: Sendable {
  static let key = "key-of-bob"
  static let secret = "secret-of-bob"
  static let passphrase = "phrase-of-bob"

  struct Request: Sendable {
    var line: String
    var body: String
    var headers: [HTTPHeader]
  }

  private struct State {
    var requests: [Request] = []
    var answers: [String: [(status: Int, body: String)]] = [:]
    var sockets: [String: WebSocket] = [:]
    var heard: [String: [String]] = [:]
    /// The venue's clock minus ours.
    var isSilent = false
    var held: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  private let server: Mutex<Server?> = Mutex(nil)
  let market = Heard<MarketEvent>()
  let account = Heard<PrivateEvent>()
  let session: any VenueSession

  init(_ loop: EventLoop, timeout: Duration = .seconds(30), orderRateMax: Int? = nil) async throws {
    let mesh = TestMesh.shared
    let responder = Responder()
    var configuration = ServerConfiguration(
      address: .tcp(host: "127.0.0.1", port: 0),
      tls: try .server(mesh.credentials("okx"), clients: .notAsked, alpn: .http11),
      responder: responder)
    configuration.plaintextPolicy = .everything
    let server = Server(configuration, loop: loop)
    guard case .tcp(_, let port) = try await server.start() else { throw TransportError("no port") }
    var settings = VenueSettings(
      restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port,
      trust: .authorities(mesh.authority.certificate), apiKey: Self.key,
      secret: Array(Self.secret.utf8), symbols: ["BTCUSDT"])
    settings.passphrase = Self.passphrase
    settings.requestTimeout = timeout
    settings.orderRateMax = orderRateMax
    settings.reconnectMin = .milliseconds(20)
    session = try KnownVenue.okx.session(
      settings, loop: loop, time: SystemTime(), log: .silent, metrics: MetricsRegistry())
    self.server.withLock { $0 = server }
    responder.venue.withLock { $0 = self }
  }

  func start() async throws -> [Instrument] {
    let found = try await session.loadInstruments()
    await session.start(
      market: { [market] in market.hear($0) }, account: { [account] in account.hear($0) })
    return found
  }

  private func hold(_ continuation: CheckedContinuation<Void, Never>) {
    state.withLock { $0.held.append(continuation) }
  }

  func stop() async {
    await session.stop()
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for continuation in held { continuation.resume() }
    await server.withLock { $0 }?.stop()
  }

  // MARK: The script

  /// The next answer to `POST /api/v5/trade/order` and the like; the last one is given again.
  func answer(_ line: String, status: Int = 200, _ body: String) {
    state.withLock { $0.answers[line, default: []].append((status, body)) }
  }

  func be(silent: Bool) { state.withLock { $0.isSilent = silent } }

  func requests(_ line: String) -> [Request] {
    state.withLock { $0.requests.filter { $0.line.hasPrefix(line) } }
  }

  /// What a socket of ours has sent.
  func sent(_ path: String) -> [String] { state.withLock { $0.heard[path] ?? [] } }

  func push(_ path: String, _ text: String) async throws {
    try await state.withLock { $0.sockets[path] }?.send(text: text)
  }

  func drop(_ path: String) { state.withLock { $0.sockets[path] }?.startClosing(.goingAway) }

  // MARK: Answering

  private final class Responder: HTTPResponder {
    let venue = Mutex<ScriptedOKX?>(nil)

    func respond(to request: HTTPRequest) async -> HTTPResponse {
      guard let venue = venue.withLock({ $0 }) else { return HTTPResponse(status: 503) }
      if request.path.hasPrefix("/ws/") {
        let path = String(request.path)
        return .webSocket { socket in await venue.serve(socket, path) }
      }
      return await venue.respond(to: request)
    }
  }

  private func respond(to request: HTTPRequest) async -> HTTPResponse {
    let line = "\(request.method) \(request.path)"
    state.withLock {
      $0.requests.append(
        Request(
          line: "\(request.method) \(request.target)",
          body: String(decoding: request.body, as: UTF8.self), headers: request.headers))
    }
    if line == "GET /api/v5/public/time" {
      let now = SystemTime().now.milliseconds
      return Self.json(200, #"{"code":"0","msg":"","data":[{"ts":"\#(now)"}]}"#)
    }
    if line == "GET /api/v5/public/instruments" { return Self.json(200, Self.listing) }
    if let refusal = refusal(request) { return Self.json(401, refusal) }
    // Silence lasts until the server stops.
    if state.withLock({ $0.isSilent }) { await withCheckedContinuation(hold) }
    let answer = state.withLock { state in
      let answers = state.answers[line] ?? []
      if answers.count > 1 { state.answers[line]?.removeFirst() }
      return answers.first
    }
    return Self.json(
      answer?.status ?? 404, answer?.body ?? #"{"code":"50404","msg":"no answer","data":[]}"#)
  }

  private static func json(_ status: Int, _ text: String) -> HTTPResponse {
    HTTPResponse(status: status, json: Array(text.utf8))
  }

  /// What the venue says of a request that is not signed well, or not of this minute.
  private func refusal(_ request: HTTPRequest) -> String? {
    let headers = request.headers
    guard let stamp = headers.first("ok-access-timestamp"), let sent = Instant(rfc3339: stamp)
    else {
      return #"{"code":"50112","msg":"Invalid OK-ACCESS-TIMESTAMP","data":[]}"#
    }
    let now = SystemTime().now
    let age = now - sent
    if age > .seconds(30) || age < .seconds(-30) {
      return #"{"code":"50102","msg":"Timestamp request expired","data":[]}"#
    }
    let text = Array("\(stamp)\(request.method)\(request.target)".utf8) + request.body
    let tag = Base64.standard.encode(Digest.hmacSHA256(text, key: Array(Self.secret.utf8)))
    let isGood =
      headers.first("ok-access-sign") == tag && headers.first("ok-access-key") == Self.key
      && headers.first("ok-access-passphrase") == Self.passphrase
    return isGood ? nil : #"{"code":"50113","msg":"Invalid Sign","data":[]}"#
  }

  /// Acknowledges logins and subscriptions.
  private func serve(_ socket: WebSocket, _ path: String) async {
    state.withLock { $0.sockets[path] = socket }
    do {
      while let message = try await socket.receive() {
        let text = String(decoding: message.bytes, as: UTF8.self)
        state.withLock { $0.heard[path, default: []].append(text) }
        for answer in try Self.answers(text) { try await socket.send(text: answer) }
      }
    } catch {}
  }

  private static func answers(_ text: String) throws -> [String] {
    if text == "ping" { return ["pong"] }
    let json = try JSONDocument(parsing: text).root
    let args = try json.array("args")
    switch try json.string("op") {
    case "login":
      guard let arg = args.first else { return [] }
      let tag = Base64.standard.encode(
        Digest.hmacSHA256(
          Array("\(try arg.string("timestamp"))GET/users/self/verify".utf8),
          key: Array(secret.utf8)))
      return try arg.string("sign") == tag
        ? [#"{"event":"login","code":"0","msg":"","connId":"1"}"#]
        : [#"{"event":"error","code":"60007","msg":"Invalid sign","connId":"1"}"#]
    case "subscribe":
      return args.map { #"{"event":"subscribe","arg":\#($0),"connId":"1"}"# }
    default: return args.map { #"{"event":"unsubscribe","arg":\#($0),"connId":"1"}"# }
    }
  }

  static let listing = #"""
    {"code":"0","msg":"","data":[{"instType":"SPOT","instId":"ETH-USDT","baseCcy":"ETH",
    "quoteCcy":"USDT","tickSz":"0.01","lotSz":"0.000001","minSz":"0.001","maxLmtSz":"999999999999",
    "state":"live","ctVal":"","ctMult":"","uly":""},{"instType":"SPOT","instId":"BTC-USDT",
    "baseCcy":"BTC","quoteCcy":"USDT","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001",
    "maxLmtSz":"9999999999","state":"live","ctVal":"","ctMult":"","uly":""},{"instType":"SPOT",
    "instId":"NEW-USDT","baseCcy":"NEW","quoteCcy":"USDT","tickSz":"","lotSz":"","minSz":"",
    "maxLmtSz":"","state":"preopen","ctVal":"","ctMult":"","uly":""}]}
    """#
}
