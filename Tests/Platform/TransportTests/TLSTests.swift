import Calls
import Chrono
import Loop
import Security
import Synchronization
import TestKit
import Testing
import Transport

@Suite struct `TLS` {
  @Test func `SEC-09 of a thousand reconnects all but the first are resumed, and known`()
    async throws
  {
    try await withLoop { loop in
      let serverTLS = try TestMesh.shared.serverTLS("echo")
      let mesh = try await MeshServer.start(on: loop, tls: serverTLS)
      let clientTLS = try TestMesh.shared.clientTLS("risk-manager")

      for _ in 0..<1_000 { _ = try await Hello.say(to: mesh.address, clientTLS, loop) }

      let seen = serverTLS.handshakes
      #expect(seen.full + seen.resumed == 1_000)
      #expect(seen.resumed > 950, "\(seen)")
      #expect(clientTLS.handshakes == seen)

      let channel = try mesh.channel(on: loop) { $0.tls = clientTLS }
      _ = try await channel.unary(EchoService.unary, [1], CallOptions())
      #expect(mesh.service.seen.withLock { $0.identity } == Identity(service: "risk-manager"))
      #expect(serverTLS.handshakes.full == seen.full)
      channel.close()
      await mesh.server.stop()
    }
  }

  @Test func `SEC-09 a ticket dies with the certificates it was given under`() async throws {
    try await withLoop { loop in
      let authority = TestMesh.shared.authority.certificate
      let serverTLS = try TestMesh.shared.serverTLS("echo")
      let mesh = try await MeshServer.start(on: loop, tls: serverTLS)
      let clientTLS = try TestMesh.shared.clientTLS("gateway")
      for _ in 0..<2 { _ = try await Hello.say(to: mesh.address, clientTLS, loop) }
      #expect(serverTLS.handshakes == TLSHandshakes(full: 1, resumed: 1))

      // The same trust, but a new context: the ticket is worth nothing, the certificate is.
      try serverTLS.reload(
        .server(
          TestMesh.shared.credentials("echo"), clients: .required(authorities: authority)))
      _ = try await Hello.say(to: mesh.address, clientTLS, loop)
      #expect(serverTLS.handshakes == TLSHandshakes(full: 2, resumed: 1))

      // Other clients only: this one has a ticket of before and no such certificate.
      let others = try TestMesh().authority.certificate
      try serverTLS.reload(
        .server(TestMesh.shared.credentials("echo"), clients: .required(authorities: others)))
      await #expect(throws: TransportError.self) {
        _ = try await Hello.say(to: mesh.address, clientTLS, loop)
      }
      #expect(serverTLS.handshakes == TLSHandshakes(full: 2, resumed: 1))
      await mesh.server.stop()
    }
  }

  @Test func `SEC-09 a client's own reload forgets its tickets`() async throws {
    try await withLoop { loop in
      let serverTLS = try TestMesh.shared.serverTLS("echo")
      let mesh = try await MeshServer.start(on: loop, tls: serverTLS)
      let clientTLS = try TestMesh.shared.clientTLS("gateway")
      _ = try await Hello.say(to: mesh.address, clientTLS, loop)

      let others = try TestMesh().authority.certificate
      try clientTLS.reload(
        .client(TestMesh.shared.credentials("gateway"), trust: .authorities(others)))

      await #expect(throws: TransportError.self) {
        _ = try await Hello.say(to: mesh.address, clientTLS, loop)
      }
      #expect(clientTLS.handshakes == TLSHandshakes(full: 1, resumed: 0))
      await mesh.server.stop()
    }
  }

  // A second long: certificates are exact to the second.
  @Test func `SEC-09 a ticket does not outlive its certificate`() async throws {
    try await withLoop { loop in
      let serverTLS = try TestMesh.shared.serverTLS("echo")
      let mesh = try await MeshServer.start(on: loop, tls: serverTLS)
      let authority = TestMesh.shared.authority
      let soon = try authority.issue(
        service: "gateway", now: SystemTime().now, lifetime: .seconds(2))
      let clientTLS = try TLSContext.client(
        soon, trust: .authorities(authority.certificate), alpn: .h2)

      let isRefused = await eventually {
        do {
          _ = try await Hello.say(to: mesh.address, clientTLS, loop)
          return false
        } catch {
          return true
        }
      }

      #expect(isRefused)
      #expect(serverTLS.handshakes.full == 1 && serverTLS.handshakes.resumed > 0)
      await mesh.server.stop()
    }
  }

  @Test func `SEC-09 DEP-03 a ticket vouches for nobody else`() async throws {
    try await withLoop { loop in
      let mesh = try await MeshServer.start(on: loop)
      let clientTLS = try TestMesh.shared.clientTLS("gateway")

      _ = try await Hello.say(to: mesh.address, clientTLS, loop)
      await #expect(throws: TransportError("the peer is echo, not oms")) {
        _ = try await Hello.say(to: mesh.address, clientTLS, loop, expecting: .service("oms"))
      }
      #expect(clientTLS.handshakes == TLSHandshakes(full: 1, resumed: 0))
      await mesh.server.stop()
    }
  }

  static let refusals: [(options: [String], input: String, words: String)] = [
    (["-tls1_2", "-alpn", "h2"], "", "protocol version"),
    (["-alpn", "spdy/3"], "", "no application protocol"),
    (["-ciphersuites", "TLS_AES_128_CCM_SHA256", "-alpn", "h2"], "", "handshake failure"),
    (["-groups", "ffdhe2048", "-alpn", "h2"], "", "handshake failure"),
    // The command for a renegotiation, which TLS 1.3 does not have.
    (["-alpn", "h2"], "R\n", "wrong ssl version"),
  ]

  @Test(arguments: refusals) func `SEC-05 what is not TLS 1.3 as we speak it is refused`(
    _ options: [String], _ input: String, _ words: String
  ) async throws {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)

      let said = try await run(
        "openssl", ["s_client", "-connect", "127.0.0.1:\(mesh.port)"] + options, input: input)

      #expect(said.output.contains(words), "\(said.output)")
      await mesh.server.stop()
    }
  }

  @Test func `SEC-05 the cipher suite is the cheapest of three, and there is no 0-RTT`()
    async throws
  {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)
      let folder = try TemporaryFolder()
      let (ticket, early) = (folder.path + "/ticket", try folder.write("early", "PRI"))
      let target = ["s_client", "-connect", "127.0.0.1:\(mesh.port)", "-alpn", "h2"]

      // Tickets come behind the handshake: this one stays until the server has enough of it.
      let first = try await run(
        "openssl", target + ["-ign_eof", "-sess_out", ticket],
        input: "PRI * HTTP/2.0\r\n\r\nno preface")
      let second = try await run("openssl", target + ["-sess_in", ticket, "-early_data", early])

      #expect(first.output.contains("Cipher is TLS_AES_128_GCM_SHA256"), "\(first.output)")
      #expect(second.output.contains("Reused, TLSv1.3"), "\(second.output)")
      #expect(!second.output.contains("Early data was accepted"), "\(second.output)")
      #expect(await eventually { tls.handshakes.resumed == 1 })
      await mesh.server.stop()
    }
  }
}

/// A connection that is closed when the server has said something; a refused one throws.
private final class Hello: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private var waiter: CheckedContinuation<CloseReason?, Never>?

  private init(_ connection: Connection) { self.connection = connection }

  static func say(
    to address: Address, _ tls: TLSContext, _ loop: EventLoop,
    expecting expectation: PeerExpectation = .service("echo")
  ) async throws(TransportError) -> Peer {
    let connection = try await Connector.connect(
      address, tls: tls, expecting: expectation, loop: loop, deadline: loop.uptime + .seconds(20))
    // A server that refuses our certificate says so after our side of the handshake is done.
    if connection.isClosed { throw TransportError("closed at once") }
    let hello = Hello(connection)
    connection.driver = hello
    let peer = connection.peer
    let reason = await withCheckedContinuation { continuation in
      hello.waiter = continuation
      connection.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
      connection.resumeReading()
    }
    if let reason { throw TransportError(reason.description) }
    connection.abort()
    return peer
  }

  func connected() {}
  func drained() {}
  func received(_ bytes: UnsafeRawBufferPointer) { settle(nil) }
  func closed(_ reason: CloseReason) { settle(reason) }

  private func settle(_ reason: CloseReason?) {
    waiter?.resume(returning: reason)
    waiter = nil
  }
}
