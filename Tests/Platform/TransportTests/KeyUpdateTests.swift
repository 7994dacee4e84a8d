import COpenSSL
import Chrono
import Loop
import TestKit
import Testing
import Transport

/// A TLS client that changes its keys again and again. `@unchecked Sendable`: loop-confined.
private final class KeyChanger: ConnectionDriver, @unchecked Sendable {
  private let connection: Connection
  private let context: OpaquePointer
  private let session: OpaquePointer
  private var changesLeft: Int
  private(set) var isEstablished = false
  private(set) var isClosed = false

  init(_ connection: Connection, changes: Int) {
    self.connection = connection
    changesLeft = changes
    context = copenssl_context_new(0)!
    _ = copenssl_set_alpn(context, 0, Int32(COPENSSL_ALPN_H2))
    session = copenssl_session_new(context, 0)!
    connection.driver = self
    connection.resumeReading()
    advance()
  }

  deinit {
    SSL_free(session)
    SSL_CTX_free(context)
  }

  private func advance() {
    if SSL_do_handshake(session) == 1 {
      isEstablished = true
      while changesLeft > 0 {
        changesLeft -= 1
        SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED)
        SSL_do_handshake(session)
      }
    }
    var bytes: UnsafeRawPointer?
    let count = copenssl_spill(session, &bytes)
    connection.send(UnsafeRawBufferPointer(start: bytes, count: count))
    copenssl_spill_clear(session)
  }

  func connected() {}
  func drained() {}
  func closed(_ reason: CloseReason) { isClosed = true }
  func received(_ bytes: UnsafeRawBufferPointer) {
    copenssl_lend(session, bytes.baseAddress!, bytes.count)
    if !isEstablished { advance() }
    copenssl_take_back(session)
  }
}

@Suite struct `TLS keys under attack` {
  @Test(arguments: [(changes: 100, isCut: false), (101, true), (5_000, true)])
  func `SEC-05 a flood of key updates is cut off, a few are none`(changes: Int, isCut: Bool)
    async throws
  {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)
      let friend = try mesh.channel(on: loop)
      #expect(await friend.error(EchoService.unary) == nil)
      let connection = try await Connector.connect(
        .tcp(host: "127.0.0.1", port: mesh.port), tls: nil, loop: loop,
        deadline: loop.uptime + .seconds(10))

      let changer = KeyChanger(connection, changes: changes)

      #expect(await eventually { changer.isEstablished })
      if isCut {
        #expect(await eventually { changer.isClosed })
        #expect(mesh.observer.defended(.keyUpdates) == 1)
      } else {
        #expect(await friend.error(EchoService.unary) == nil)
        #expect(!changer.isClosed)
        connection.abort()
      }
      #expect(await friend.error(EchoService.unary) == nil)
      friend.close()
      await mesh.server.stop()
    }
  }

  @Test func `SEC-05 nobody renegotiates`() async throws {
    try await withLoop { loop in
      let tls = try TestMesh.shared.serverTLS("echo", requiresClients: false)
      let mesh = try await MeshServer.start(on: loop, tls: tls)

      let result = try await run(
        "openssl", ["s_client", "-connect", "127.0.0.1:\(mesh.port)", "-alpn", "h2"], input: "R\n")

      #expect(result.output.contains("RENEGOTIATING"))
      #expect(result.output.contains("wrong ssl version"), "\(result.output.suffix(400))")
      let channel = try mesh.channel(on: loop)
      #expect(await channel.error(EchoService.unary) == nil)
      channel.close()
      await mesh.server.stop()
    }
  }
}
