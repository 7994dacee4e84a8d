internal import COpenSSL

/// One TLS 1.3 connection without a socket: ciphertext is read where it was received and written to
/// where it is sent from. Confined to its connection's loop.
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
  private let context: TLSContext
  private let handle: TLSContext.Handle
  private let expectation: PeerExpectation?
  /// Under which name tickets are kept; nil when they are not.
  private let ticketName: String?
  private let updates = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  package private(set) var isEstablished = false
  /// `h2`, `http/1.1`, or nil when none was agreed on. Valid once established.
  package private(set) var alpn: String?
  /// The peer came back with a ticket. Valid once established.
  package private(set) var isResumed = false
  /// The name in the peer certificate's URI `spiffe://shrivenquant/<name>`. Valid once established.
  package private(set) var peerService: String?

  /// What all services' certificate URIs begin with.
  package static let identityPrefix = "spiffe://shrivenquant/"

  /// Plaintext of one `seal`, and the room for its three records.
  package static let sealedAtOnceMax = 3 * 16_384
  package static let sealedSpace = sealedAtOnceMax + 3 * 256

  /// `place`: where the server is. A client that says it comes back to the same place with a ticket.
  package init(
    _ context: TLSContext, expecting expectation: PeerExpectation?, at place: String? = nil
  ) throws(TLSError) {
    self.context = context
    handle = context.current
    self.expectation = expectation
    // Whom a ticket stands for was checked when it was given, so it is good for the same demand only.
    ticketName = context.isServer ? nil : place.map { "\($0) \(expectation.map { "\($0)" } ?? "")" }
    guard let session = copenssl_session_new(handle.pointer, context.isServer ? 1 : 0) else {
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
    guard let ticketName else { return }
    SSL_set_ex_data(session, 0, Unmanaged.passUnretained(self).toOpaque())
    if let ticket = handle.tickets.take(of: ticketName) { SSL_set_session(session, ticket.pointer) }
  }

  deinit {
    SSL_free(session)
    updates.deallocate()
  }

  /// How often the peer has changed its keys. Each costs it a record of a few bytes, and us the
  /// derivation of new ones.
  package var keyUpdates: Int { Int(updates.pointee) }

  /// OpenSSL's session has received a ticket. A copy is kept: OpenSSL spoils its own when a connection
  /// ends without a goodbye.
  static func keep(_ ticket: OpaquePointer, of session: OpaquePointer) {
    guard let owner = SSL_get_ex_data(session, 0), let copy = SSL_SESSION_dup(ticket) else {
      return
    }
    let own = Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue()
    let kept = TLSTickets.Ticket(copy)
    if let name = own.ticketName { own.handle.tickets.keep(kept, of: name) }
  }

  /// Bytes from the socket, which are read until `takeBack`.
  package func lend(_ ciphertext: UnsafeRawBufferPointer) throws(TLSError) {
    guard let start = ciphertext.baseAddress else { return }
    guard copenssl_lend(session, start, ciphertext.count) == 1 else {
      throw TLSError("out of memory")
    }
  }

  /// The bytes are about to be gone; what was not read of them is kept here.
  package func takeBack() throws(TLSError) {
    guard copenssl_take_back(session) == 1 else { throw TLSError("out of memory") }
  }

  /// There is ciphertext that was not decrypted.
  package var hasInput: Bool { copenssl_has_input(session) != 0 }

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
    isResumed = SSL_session_reused(session) == 1
    guard !isResumed || copenssl_peer_is_current(session) == 1 else {
      throw TLSError("the certificate behind the ticket has expired")
    }
    peerService = serviceOfPeer()
    if case .service(let expected) = expectation, peerService != expected {
      throw TLSError("the peer is \(peerService ?? "nobody of the mesh"), not \(expected)")
    }
    isEstablished = true
    context.finished(isResumed: isResumed)
    return true
  }

  private func serviceOfPeer() -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let length = copenssl_peer_uri(session, Self.identityPrefix, &buffer, Int32(buffer.count))
    guard length > 0 else { return nil }
    return buffer.withUnsafeBytes { String(decoding: $0.prefix(Int(length)), as: UTF8.self) }
  }

  /// Decrypts into the buffer; call again while there is input.
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

  /// Encrypts at most `sealedAtOnceMax` bytes into a buffer of `sealedSpace`; what was written of it.
  package func seal(
    _ plaintext: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TLSError) -> UnsafeRawBufferPointer {
    precondition(plaintext.count <= Self.sealedAtOnceMax && buffer.count >= Self.sealedSpace)
    var count = 0
    let code = copenssl_seal(
      session, plaintext.baseAddress!, plaintext.count, buffer.baseAddress!, buffer.count, &count)
    guard code == 1 else { throw TLSError.last("TLS failed") }
    return UnsafeRawBufferPointer(rebasing: buffer[..<count])
  }

  /// Gives back 33 KB that the next record takes again.
  package func releaseBuffers() { copenssl_release_buffers(session) }

  /// What the session itself has to say (its handshake, alerts), for the socket, before anything
  /// that is sealed later; it is all taken by this call.
  package func takeOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
    var bytes: UnsafeRawPointer?
    let count = copenssl_spill(session, &bytes)
    guard count > 0 else { return }
    body(UnsafeRawBufferPointer(start: bytes, count: count))
    copenssl_spill_clear(session)
  }

  package var hasOutput: Bool {
    var bytes: UnsafeRawPointer?
    return copenssl_spill(session, &bytes) > 0
  }

  /// Queues the goodbye that tells the peer nothing was cut off.
  package func shutdown() {
    if isEstablished { SSL_shutdown(session) }
    ERR_clear_error()
  }
}
