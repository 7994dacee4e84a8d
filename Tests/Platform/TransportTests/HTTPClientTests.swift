import Bytes
import Chrono
import Loop
import Security
import Synchronization
import TestKit
import Testing
import Transport

@Suite struct `HTTP client` {
  @Test func `every method arrives with its headers and body`() async throws {
    let server = try await EdgeServer { request in
      let names = request.headers.map(\.name).filter { $0 != "host" && $0 != "accept-encoding" }
      return HTTPResponse(
        status: 201,
        headers: [
          HTTPHeader(
            "X-Seen".lowercased(), "\(request.method) \(request.target) \(names.sorted())"),
          HTTPHeader("x-key", request.header("x-key") ?? "none"),
        ], body: request.body.reversed())
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)

    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"] {
      let body = method == "GET" || method == "HEAD" ? [] : Array("abc".utf8)
      let response = try await client.send(
        HTTPClientRequest(
          method: method, url: "http://127.0.0.1:\(server.port)/a?b=c",
          headers: [HTTPHeader("x-key", "v")], body: body))

      #expect(response.status == 201)
      #expect(response.header("x-key") == "v")
      #expect(response.body == body.reversed())
      let length = body.isEmpty ? "" : "\"content-length\", "
      #expect(
        response.header("x-seen")
          == "\(method) /a?b=c [\"accept\", \(length)\"user-agent\", \"x-key\"]")
    }
    let empty = try await client.send(
      HTTPClientRequest(method: "POST", url: "http://127.0.0.1:\(server.port)/"))
    #expect(empty.header("x-seen")?.hasPrefix("POST / ") == true)
  }

  @Test func `requests after each other share a connection, those at once do not`() async throws {
    let peers = Mutex<Set<String>>([])
    let server = try await EdgeServer { request in
      peers.withLock { _ = $0.insert(request.peerAddress) }
      for _ in 0..<50 { await Task.yield() }
      return HTTPResponse(status: 200)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop, connectionsMax: 3)
    let request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/")

    for _ in 0..<3 { _ = try await client.send(request) }
    #expect(peers.withLock { $0.count } == 1)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await client.send(request).status } }
      for try await status in group { #expect(status == 200) }
    }
    #expect(peers.withLock { $0.count } <= 3)
  }

  @Test func `a refused connection has certainly not carried the request`() async throws {
    let server = try await EdgeServer { _ in HTTPResponse(status: 200) }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)

    // Port 1 of the loopback, where nothing listens.
    let error = await failure(client, HTTPClientRequest(method: "POST", url: "http://127.0.0.1:1/"))

    #expect(error?.kind == .connect)
    #expect(error?.mayHaveReachedPeer == false)
  }

  @Test func `no answer in time means that the request may have been carried out`() async throws {
    let server = try await EdgeServer { _ in
      let (never, _) = AsyncStream<Void>.makeStream()
      for await _ in never { break }
      return HTTPResponse(status: 200)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)

    let error = await failure(
      client,
      HTTPClientRequest(
        method: "POST", url: "http://127.0.0.1:\(server.port)/", timeout: .milliseconds(60)))

    #expect(error?.kind == .timeout)
    #expect(error?.mayHaveReachedPeer == true)
  }

  @Test
  func `a request whose time is over while it waits for a connection of ours was only queued`()
    async throws
  {
    let asked = Mutex(0)
    let server = try await EdgeServer { _ in
      asked.withLock { $0 += 1 }
      let (never, _) = AsyncStream<Void>.makeStream()
      for await _ in never { break }
      return HTTPResponse(status: 200)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop, connectionsMax: 1)
    let url = "http://127.0.0.1:\(server.port)/"

    // It has the connection to the end of the scope, which cancels it.
    async let _ = failure(client, HTTPClientRequest(url: url))
    #expect(await eventually { asked.withLock { $0 } == 1 })
    let second = await failure(
      client, HTTPClientRequest(method: "POST", url: url, timeout: .milliseconds(60)))

    #expect(second?.kind == .queued && second?.mayHaveReachedPeer == false)
    #expect(asked.withLock { $0 } == 1)
  }

  @Test func `a request that waits for a connection is kept here by its own objection`()
    async throws
  {
    let asked = Mutex<[String]>([])
    let (goOn, letGo) = AsyncStream<Void>.makeStream()
    let server = try await EdgeServer { request in
      asked.withLock { $0.append(request.target) }
      if request.target == "/first" { for await _ in goOn { break } }
      return HTTPResponse(status: 200)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop, connectionsMax: 1)
    let url = "http://127.0.0.1:\(server.port)"
    let isHeld = Mutex(false)
    var held = HTTPClientRequest(method: "POST", url: url + "/held")
    held.objection = { isHeld.withLock { $0 } ? "not now" : nil }

    async let first = client.send(HTTPClientRequest(url: url + "/first"))
    #expect(await eventually { asked.withLock { $0 } == ["/first"] })
    // It waits behind the first one, and the objection comes while it does.
    async let second = failure(client, held)
    isHeld.withLock { $0 = true }
    letGo.yield()

    let (status, error) = (try await first.status, await second)
    #expect(status == 200)
    #expect(error?.kind == .withheld && error?.mayHaveReachedPeer == false)
    #expect(error?.description == "not now")
    isHeld.withLock { $0 = false }
    let later = try await client.send(held)
    #expect(later.status == 200)
    #expect(asked.withLock { $0 } == ["/first", "/held"])
  }

  @Test func `a TLS handshake that never ends has carried nothing`() async throws {
    let peer = try await ScriptedPeer()
    defer { peer.stop() }
    let client = HTTPClient(loop: peer.loop)

    let error = await failure(
      client,
      HTTPClientRequest(
        method: "POST", url: "https://127.0.0.1:\(peer.port)/", timeout: .milliseconds(60)))

    #expect(error?.kind == .timeout)
    #expect(error?.mayHaveReachedPeer == false)
  }

  @Test func `a connection that dies under a POST is never tried again`() async throws {
    let peer = try await ScriptedPeer()
    defer { peer.stop() }
    let client = HTTPClient(loop: peer.loop)
    let base = "http://127.0.0.1:\(peer.port)"

    _ = try await client.send(HTTPClientRequest(url: base + "/ok"))
    let post = await failure(client, HTTPClientRequest(method: "POST", url: base + "/die"))
    #expect(post?.kind == .broken)
    #expect(post?.mayHaveReachedPeer == true)
    #expect(peer.deaths == 1)

    _ = try await client.send(HTTPClientRequest(url: base + "/ok"))
    let get = await failure(client, HTTPClientRequest(url: base + "/die"))
    #expect(get?.kind == .broken)
    #expect(peer.deaths == 3)
  }

  @Test func `only the given authority is trusted`() async throws {
    let mesh = TestMesh.shared
    let server = try await EdgeServer(
      tls: try .server(mesh.credentials("market-connector"), clients: .notAsked, alpn: .http11)
    ) { HTTPResponse(status: 200, contentType: "text/plain", body: $0.target) }
    defer { server.stop() }
    let other = try CertificateAuthority.create(now: SystemTime().now)
    let request = HTTPClientRequest(method: "POST", url: "https://localhost:\(server.port)/secret")

    let trusting = HTTPClient(loop: server.loop, trust: .authorities(mesh.authority.certificate))
    let wary = HTTPClient(loop: server.loop, trust: .authorities(other.certificate))
    let response = try await trusting.send(request)
    let error = await failure(wary, request)

    #expect(String(decoding: response.body, as: UTF8.self) == "/secret")
    #expect(error?.kind == .tls)
    #expect(error?.mayHaveReachedPeer == false)
  }

  @Test func `a body over the limit is refused, a packed one is unpacked`() async throws {
    let large = [UInt8](repeating: 0x61, count: 50_000)
    let server = try await EdgeServer { request in
      request.target == "/packed"
        ? HTTPResponse(
          status: 200, headers: [HTTPHeader("content-encoding", "gzip")], body: Gzip.compress(large)
        )
        : HTTPResponse(status: 200, body: large)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)
    let base = "http://127.0.0.1:\(server.port)"

    let packed = try await client.send(HTTPClientRequest(url: base + "/packed"))
    #expect(packed.body == large)
    for path in ["/packed", "/plain"] {
      let error = await failure(client, HTTPClientRequest(url: base + path, bodyMax: 40_000))
      #expect(error?.kind == .bodyTooLarge)
    }
  }

  @Test func `a cancelled task gives its request up`() async throws {
    let (begun, signal) = AsyncStream<Void>.makeStream()
    let server = try await EdgeServer { _ in
      signal.yield()
      let (never, _) = AsyncStream<Void>.makeStream()
      for await _ in never { break }
      return HTTPResponse(status: 200)
    }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)
    let url = "http://127.0.0.1:\(server.port)/"

    let task = Task { await failure(client, HTTPClientRequest(method: "POST", url: url)) }
    for await _ in begun { break }
    task.cancel()
    let late = Task { await failure(client, HTTPClientRequest(url: url)) }
    late.cancel()

    let error = await task.value
    #expect(error?.kind == .cancelled && error?.mayHaveReachedPeer == true)
    #expect(await late.value?.kind == .cancelled)
  }

  @Test func `what would break out of its line is not sent`() async throws {
    let server = try await EdgeServer { _ in HTTPResponse(status: 200) }
    defer { server.stop() }
    let client = HTTPClient(loop: server.loop)
    let url = "http://127.0.0.1:\(server.port)/"

    for request in [
      HTTPClientRequest(url: url, headers: [HTTPHeader("a", "b\r\nc: d")]),
      HTTPClientRequest(url: url, headers: [HTTPHeader("a b", "c")]),
      HTTPClientRequest(method: "GET / HTTP/1.1\r\n", url: url),
      HTTPClientRequest(url: url + "a b"),
      HTTPClientRequest(url: "file:///etc/passwd"),
    ] {
      let error = await failure(client, request)
      #expect(error?.kind == .invalidRequest && error?.mayHaveReachedPeer == false)
    }
  }
}

private func failure(_ client: HTTPClient, _ request: HTTPClientRequest) async -> HTTPClientError? {
  do {
    _ = try await client.send(request)
    return nil
  } catch {
    return error
  }
}

/// Answers `/ok`, cuts the connection on `/die`, and ignores everything else, TLS too.
final class ScriptedPeer: Sendable {
  let loop = EventLoop(name: "scripted")
  private let state = Mutex((deaths: 0, port: 0))
  private let thread: LoopThread

  var deaths: Int { state.withLock { $0.deaths } }
  var port: Int { state.withLock { $0.port } }

  init() async throws {
    thread = loop.start()
    let result = await withCheckedContinuation { continuation in
      loop.execute { continuation.resume(returning: Result { try self.listen() }) }
    }
    try result.get()
  }

  private func listen() throws {
    let listener = try Listener(.tcp(host: "127.0.0.1", port: 0), loop: loop) { [self] connection in
      connection.driver = Script(connection) { [self] in state.withLock { $0.deaths += 1 } }
    }
    if case .tcp(_, let port) = listener.address { state.withLock { $0.port = port } }
  }

  func stop() {
    loop.stop()
    thread.join()
  }

  private final class Script: ConnectionDriver {
    private let connection: Connection
    private let died: () -> Void

    init(_ connection: Connection, _ died: @escaping () -> Void) {
      self.connection = connection
      self.died = died
    }

    func connected() {}
    func drained() {}
    func closed(_ reason: CloseReason) {}
    func received(_ bytes: UnsafeRawBufferPointer) {
      let text = String(decoding: bytes, as: UTF8.self)
      if text.contains(" /ok ") {
        connection.send(Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8))
      } else if text.contains(" /die ") {
        died()
        connection.abort()
      }
    }
  }
}
