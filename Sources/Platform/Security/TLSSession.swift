internal import COpenSSL

/// One TLS 1.3 connection without a socket: ciphertext goes in and comes out of memory, so its
/// owner reads and writes the socket once per turn. Confined to its connection's loop.
package final class TLSSession {
  package enum Progress: Sendable {
    /// More ciphertext is needed.
    case waiting
    /// So many bytes of plaintext were written to the buffer.
    case bytes(Int)
    /// The peer said goodbye properly.
    case ended
  }

  private let session: OpaquePointer
  private let context: TLSContext.Handle
  private let isServer: Bool
  private let expectation: PeerExpectation?
  private let updates = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  package private(set) var isEstablished = false
  /// `h2`, `http/1.1`, or nil when none was agreed on. Valid once established.
  package private(set) var alpn: String?
  /// The name in the peer certificate's URI `spiffe://shrivenquant/<name>`. Valid once established.
  package private(set) var peerService: String?

  /// What all services' certificate URIs begin with.
  package static let identityPrefix = "spiffe://shrivenquant/"

  package init(_ context: TLSContext, expecting expectation: PeerExpectation?) throws(TLSError) {
    self.context = context.current
    self.isServer = context.isServer
    self.expectation = expectation
    guard let session = copenssl_session_new(self.context.pointer, isServer ? 1 : 0) else {
      throw TLSError.last("no TLS session")
    }
    self.session = session
    updates.initialize(to: 0)
    copenssl_count_key_updates(session, updates)
    if case .host(let host) = expectation {
      let isAddress =
        host.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e }
        || host.utf8.contains(0x3a)
      guard copenssl_expect_host(session, host, isAddress ? 1 : 0) == 1 else {
        throw TLSError.last("\(host) cannot be verified")
      }
    }
  }

  deinit {
    SSL_free(session)
    updates.deallocate()
  }

  /// How often the peer has changed its keys. Each costs it a record of a few bytes, and us the
  /// derivation of new ones.
  package var keyUpdates: Int { Int(updates.pointee) }

  /// Takes bytes from the socket.
  package func feed(_ ciphertext: UnsafeRawBufferPointer) throws(TLSError) {
    guard !ciphertext.isEmpty else { return }
    let taken = BIO_write(SSL_get_rbio(session), ciphertext.baseAddress!, Int32(ciphertext.count))
    guard taken == Int32(ciphertext.count) else { throw TLSError.last("out of memory") }
  }

  /// Moves the handshake on; true once it is done. A client calls this once to begin.
  package func handshake() throws(TLSError) -> Bool {
    if isEstablished { return true }
    let code = SSL_do_handshake(session)
    guard code == 1 else {
      let reason = SSL_get_error(session, code)
      if reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE {
        return false
      }
      throw TLSError.last("TLS handshake failed")
    }
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(session, &name, &length)
    if let name, length > 0 {
      alpn = String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }
    peerService = serviceOfPeer()
    if case .service(let expected) = expectation, peerService != expected {
      throw TLSError("the peer is \(peerService ?? "nobody of the mesh"), not \(expected)")
    }
    isEstablished = true
    return true
  }

  private func serviceOfPeer() -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let length = copenssl_peer_uri(session, Self.identityPrefix, &buffer, Int32(buffer.count))
    guard length > 0 else { return nil }
    return buffer.withUnsafeBytes { String(decoding: $0.prefix(Int(length)), as: UTF8.self) }
  }

  /// Decrypts into the buffer; call again until `waiting`.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> Progress {
    var count = 0
    let code = SSL_read_ex(session, buffer.baseAddress!, buffer.count, &count)
    if code == 1 { return .bytes(count) }
    switch SSL_get_error(session, code) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .waiting
    case SSL_ERROR_ZERO_RETURN: return .ended
    default: throw TLSError.last("TLS failed")
    }
  }

  /// Encrypts; the result waits in `withOutput`.
  package func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
    guard !plaintext.isEmpty else { return }
    var count = 0
    guard SSL_write_ex(session, plaintext.baseAddress!, plaintext.count, &count) == 1 else {
      throw TLSError.last("TLS failed")
    }
  }

  package var hasOutput: Bool {
    var bytes: UnsafeMutablePointer<CChar>?
    return copenssl_output(session, &bytes) > 0
  }

  /// Ciphertext for the socket; it is all taken by this call.
  package func takeOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
    var bytes: UnsafeMutablePointer<CChar>?
    let count = copenssl_output(session, &bytes)
    guard count > 0 else { return }
    body(UnsafeRawBufferPointer(start: bytes, count: count))
    copenssl_output_clear(session)
  }

  /// Queues the goodbye that tells the peer nothing was cut off.
  package func shutdown() {
    if isEstablished { SSL_shutdown(session) }
    ERR_clear_error()
  }
}
