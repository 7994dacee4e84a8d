import Chrono
import Loop
import Security
import TestKit
import Testing

@testable import Transport

private func echo(_ request: HTTPRequest) -> HTTPResponse {
  .webSocket { socket in
    do {
      while let message = try await socket.receive() {
        switch message.kind {
        case .text: try await socket.send(text: message.bytes)
        case .binary: try await socket.send(binary: message.bytes)
        }
      }
    } catch {}
  }
}

private func connect(
  _ server: EdgeServer, limits: WebSocketLimits = .standard
) async throws -> WebSocket {
  try await WebSocketClient.connect(
    host: "127.0.0.1", port: server.port, target: "/ws", tls: nil, loop: server.loop, limits: limits
  )
}

/// A frame as a client sends it, masked with zeros.
private func frame(_ first: UInt8, _ payload: [UInt8], masked: Bool = true) -> [UInt8] {
  precondition(payload.count < 126)
  return [first, UInt8(payload.count) | (masked ? 0x80 : 0)] + (masked ? [0, 0, 0, 0] : [])
    + payload
}

private let handshake = Array(
  """
  GET /ws HTTP/1.1\r
  Host: x\r
  Upgrade: websocket\r
  Connection: keep-alive, Upgrade\r
  Sec-WebSocket-Version: 13\r
  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
  \r

  """.utf8)

@Suite struct `WebSockets` {
  @Test func `the handshake's answer is that of the specification`() {
    #expect(WebSocketHandshake.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test func `messages of every size come back`() async throws {
    var limits = WebSocketLimits()
    limits.messageMax = 4 << 20
    let server = try await EdgeServer(webSocketLimits: limits) { echo($0) }
    defer { server.stop() }
    let socket = try await connect(server, limits: limits)

    for size in [0, 1, 125, 126, 4096, 65_535, 65_536, 3_000_000] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      try await socket.send(binary: bytes)
      #expect(try await socket.receive() == WebSocketMessage(.binary, bytes))
    }
    try await socket.send(text: "é😀")
    #expect(try await socket.receive()?.text == "é😀")
    await socket.close()
    #expect(try await socket.receive() == nil)
    await #expect(throws: WebSocketError.alreadyClosed) { try await socket.send(text: "late") }
  }

  @Test func `a request that is no handshake is told so`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let plain = try await server.exchange("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
    let old = try await server.exchange(
      String(decoding: handshake, as: UTF8.self).replacing("Version: 13", with: "Version: 8"))
    let keyless = try await server.exchange(
      String(decoding: handshake, as: UTF8.self).replacing("dGhl", with: ""))

    #expect(plain.hasPrefix("HTTP/1.1 426 "))
    #expect(old.hasPrefix("HTTP/1.1 426 ") && old.contains("sec-websocket-version: 13"))
    #expect(keyless.hasPrefix("HTTP/1.1 400 "))
  }

  @Test func `a server without WebSockets is no WebSocket`() async throws {
    let server = try await EdgeServer { _ in HTTPResponse(status: 404) }
    defer { server.stop() }

    await #expect(throws: WebSocketError.notConnected("the server answered with status 404")) {
      try await connect(server)
    }
  }

  @Test func `fragments are joined and pings answered between them`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let answer = try await RawClient.bytes(
      handshake + frame(0x01, Array("he".utf8)) + frame(0x89, Array("p".utf8))
        + frame(0x80, Array("llo".utf8)),
      port: server.port, loop: server.loop, until: "hello")

    let text = String(decoding: answer, as: UTF8.self)
    #expect(text.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    let head = try #require(answer.firstRange(of: Array("\r\n\r\n".utf8)), "\(text)")
    let frames = answer[head.upperBound...]
    #expect(
      Array(frames) == frame(0x8a, Array("p".utf8), masked: false)
        + frame(0x81, Array("hello".utf8), masked: false))
  }

  @Test(arguments: [
    ("an unmasked frame", frame(0x81, [0x61], masked: false), 1002),
    ("a reserved bit", frame(0xc1, [0x61]), 1002),
    ("an unknown opcode", frame(0x83, [0x61]), 1002),
    ("a fragmented ping", frame(0x09, [0x61]), 1002),
    ("a continuation of nothing", frame(0x80, [0x61]), 1002),
    ("text that is not UTF-8", frame(0x81, [0xff]), 1007),
    ("a message that is too big", frame(0x82, [UInt8](repeating: 0, count: 100)), 1009),
    (
      "fragments that are too big",
      frame(0x02, [UInt8](repeating: 0, count: 40)) + frame(0x80, [UInt8](repeating: 0, count: 40)),
      1009
    ),
  ])
  func `what breaks the rules is answered with its code`(
    _ what: String, _ bytes: [UInt8], _ code: Int
  ) async throws {
    var limits = WebSocketLimits()
    limits.messageMax = 64
    let ends = Ends()
    let server = try await EdgeServer(webSocketLimits: limits) { _ in
      .webSocket { socket in
        do {
          while try await socket.receive() != nil {}
          ends.add("orderly")
        } catch {
          ends.add("\(error)")
        }
      }
    }
    defer { server.stop() }

    let answer = try await RawClient.bytes(handshake + bytes, port: server.port, loop: server.loop)

    let head = try #require(answer.firstRange(of: Array("\r\n\r\n".utf8)), "\(answer)")
    let frames = Array(answer[head.upperBound...])
    #expect(frames.count >= 4 && frames[0] == 0x88, "\(what): \(frames)")
    #expect(Int(frames[2]) << 8 | Int(frames[3]) == code)
    #expect(await ends.first.hasPrefix("WebSocket closed with \(code)"))
  }

  @Test func `each side learns the other's code`() async throws {
    let ends = Ends()
    let server = try await EdgeServer { _ in
      .webSocket { socket in
        do {
          while try await socket.receive() != nil {}
        } catch {
          ends.add("\(error)")
        }
      }
    }
    defer { server.stop() }
    let socket = try await connect(server)

    await socket.close(.policy("too slow"))

    #expect(await ends.first == "WebSocket closed with 1008 too slow")
  }

  @Test func `a connection that breaks is lost, not closed`() async throws {
    let server = try await EdgeServer { _ in .webSocket { _ = try? await $0.receive() } }
    let ends = Ends()
    let other = try await EdgeServer { _ in
      .webSocket { socket in
        do { while try await socket.receive() != nil {} } catch { ends.add("\(error)") }
      }
    }
    defer {
      other.stop()
      server.stop()
    }

    _ = try await RawClient.bytes(
      handshake, port: other.port, loop: server.loop, until: "\r\n\r\n")

    #expect(await ends.first == "WebSocket lost: closed by the peer")
  }

  @Test func `over TLS everything is the same, and only the given authority is trusted`()
    async throws
  {
    let mesh = TestMesh.shared
    let server = try await EdgeServer(
      tls: try .server(mesh.credentials("market-connector"), clients: .notAsked, alpn: .http11)
    ) { echo($0) }
    defer { server.stop() }
    let other = try CertificateAuthority.create(now: SystemTime().now)
    func open(_ authority: CertificateAuthority) async throws -> WebSocket {
      try await WebSocketClient.connect(
        host: "127.0.0.1", port: server.port, target: "/ws",
        tls: try .client(nil, trust: .authorities(authority.certificate), alpn: .http11),
        loop: server.loop)
    }

    let socket = try await open(mesh.authority)
    let bytes = [UInt8](repeating: 7, count: 900_000)
    try await socket.send(binary: bytes)

    #expect(try await socket.receive()?.bytes == bytes)
    await socket.close()
    await #expect(throws: WebSocketError.self) { try await open(other) }
  }

  @Test func `a draining server says that it goes away`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }
    let socket = try await connect(server)
    try await socket.send(text: "a")
    _ = try await socket.receive()

    await server.drain()

    #expect(try await socket.receive() == nil)
  }

  @Test func `a full inbox holds the peer back and loses nothing`() async throws {
    let count = 3_000
    let server = try await EdgeServer { _ in
      .webSocket { socket in
        do {
          for index in 0..<count {
            try await socket.send(text: "\(index) " + String(repeating: "x", count: 1_000))
          }
        } catch {}
      }
    }
    defer { server.stop() }
    var limits = WebSocketLimits()
    limits.inboxMax = 4
    let socket = try await connect(server, limits: limits)
    // Long enough for everything to arrive, were it not held back.
    for _ in 0..<200 { await Task.yield() }

    var seen = 0
    while let message = try await socket.receive() {
      #expect(message.text.hasPrefix("\(seen) "))
      seen += 1
    }

    #expect(seen == count)
  }

  @Test func `a feed learns that its consumer is too slow`() async throws {
    var limits = WebSocketLimits()
    limits.unsentMax = 100_000
    let ends = Ends()
    let server = try await EdgeServer(webSocketLimits: limits) { _ in
      .webSocket { socket in
        let payload = [UInt8](repeating: 0x78, count: 10_000)
        var sent = 0
        while socket.trySend(.text, payload) {
          sent += 1
          await Task.yield()
        }
        ends.add("\(sent)")
        socket.startClosing(.policy("too slow"))
      }
    }
    defer { server.stop() }

    let deaf = try await RawClient.deaf(handshake, port: server.port, loop: server.loop)

    #expect(Int(await ends.first)! > 10)
    deaf.close()
  }

  @Test func `a peer that answers no pings is dead`() async throws {
    var limits = WebSocketLimits()
    limits.pingInterval = .milliseconds(20)
    let ends = Ends()
    let server = try await EdgeServer(webSocketLimits: limits) { _ in
      .webSocket { socket in
        do { _ = try await socket.receive() } catch { ends.add("\(error)") }
      }
    }
    defer { server.stop() }

    let answer = try await RawClient.bytes(handshake, port: server.port, loop: server.loop)

    #expect(answer.suffix(2) == [0x89, 0x00])
    #expect(await ends.first == "WebSocket lost: the peer does not answer pings")
  }

  @Test func `a peer that answers pings lives on`() async throws {
    var limits = WebSocketLimits()
    limits.pingInterval = .milliseconds(200)
    let server = try await EdgeServer(webSocketLimits: limits) { echo($0) }
    defer { server.stop() }
    let socket = try await connect(server)
    let loop = server.loop
    await loop.sleep(for: .milliseconds(450))

    try await socket.send(text: "still here")
    #expect(try await socket.receive()?.text == "still here")
    await socket.close()
  }

  @Test func `a receiver that is cancelled goes on`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }
    let socket = try await connect(server)
    let task = Task { () -> Bool in
      do {
        _ = try await socket.receive()
        return false
      } catch {
        return true
      }
    }

    task.cancel()

    #expect(await task.value)
    try await socket.send(text: "a")
    #expect(try await socket.receive()?.text == "a")
    await socket.close()
  }

  @Test func `frames at random never crash`() {
    var generator = SeededBytes(state: 5)
    for _ in 0..<3_000 {
      let framing = WebSocketFraming(.server, messageMax: 1_000, inboxMax: 3)
      for _ in 0..<6 {
        var bytes = frame(
          [0x81, 0x82, 0x01, 0x80, 0x00, 0x88, 0x89, 0x8a].randomElement(using: &generator)!,
          (0..<Int.random(in: 0...20, using: &generator)).map { _ in
            .random(in: 0...255, using: &generator)
          })
        if Int.random(in: 0..<4, using: &generator) == 0 {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
            in: 0...255, using: &generator)
        }
        bytes.withUnsafeBytes { framing.feed($0) }
        framing.process()
        _ = framing.popMessage()
        _ = framing.takeOutput()
      }
    }
  }

  @Test(
    .enabled("SKIPPED: Python's websockets package is not installed, no foreign client was tried") {
      try await PythonWebSockets.isInstalled()
    })
  func `Python's websockets and we understand each other`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let result = try await PythonWebSockets.run(port: server.port)

    #expect(result.output == "é 200000 1000\n")
  }
}

enum PythonWebSockets {
  static func run(port: Int) async throws -> ProgramResult {
    let script = """
      import asyncio, websockets
      async def main():
        async with websockets.connect("ws://127.0.0.1:\(port)/ws") as ws:
          await ws.send("é")
          text = await ws.recv()
          await ws.send(b"x" * 200000)
          binary = await ws.recv()
          await ws.send(["frag", "ments"])
          assert await ws.recv() == "fragments"
          await (await ws.ping())
        print(text, len(binary), ws.close_code)
      asyncio.run(main())
      """
    return try await TestKit.run(python, ["-c", script])
  }

  static func isInstalled() async throws -> Bool {
    try await TestKit.run(python, ["-c", "import websockets"]).status == 0
  }
}

/// How handlers ended, in order.
final class Ends: Sendable {
  private let stream: AsyncStream<String>
  private let continuation: AsyncStream<String>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  func add(_ text: String) { continuation.yield(text) }

  var first: String {
    get async {
      for await text in stream { return text }
      return ""
    }
  }
}
