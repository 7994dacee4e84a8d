internal import COpenSSL
private import Synchronization

/// Which protocols a TLS endpoint speaks, told during the handshake (RFC 7301).
package enum ALPN: Sendable, Hashable {
  case h2
  case http11
  case h2OrHTTP11

  var code: Int32 {
    switch self {
    case .h2: Int32(COPENSSL_ALPN_H2)
    case .http11: Int32(COPENSSL_ALPN_HTTP11)
    case .h2OrHTTP11: Int32(COPENSSL_ALPN_BOTH)
    }
  }
}

/// A certificate chain and its private key, as PEM text.
package struct Credentials: Sendable {
  package let certificate: String
  package let key: String

  package init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}

/// Whom a client trusts.
package enum Trust: Sendable {
  /// Certificates of these authorities (PEM), as in the mesh.
  case authorities(String)
  /// The machine's certificate store, as for the public Internet.
  case system
}

/// What a client demands of the server's certificate beyond a trusted issuer.
package enum PeerExpectation: Sendable, Hashable {
  /// The URI `spiffe://shrivenquant/<name>`.
  case service(String)
  /// A host name or an IP address among the certificate's names.
  case host(String)
}

/// Whether a server asks its clients for certificates.
package enum ClientCertificates: Sendable, Hashable {
  case notAsked
  /// Verified when given.
  case asked(authorities: String)
  /// No certificate, no connection.
  case required(authorities: String)
}

package struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }

  /// OpenSSL's own words for what just failed on this thread.
  static func last(_ what: String) -> TLSError {
    var text = [CChar](repeating: 0, count: 256)
    copenssl_error(&text, text.count)
    let reason = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return TLSError(reason.isEmpty ? what : "\(what): \(reason)")
  }
}

/// Handshakes that an endpoint has finished.
package struct TLSHandshakes: Sendable, Hashable {
  /// With certificates and signatures.
  package var full = 0
  /// With a ticket of an earlier one.
  package var resumed = 0

  package init(full: Int = 0, resumed: Int = 0) {
    self.full = full
    self.resumed = resumed
  }
}

/// What a TLS 1.3 endpoint is configured with. Sessions begun after `reload` use the new
/// certificate; those that exist go on.
///
/// A server gives its clients tickets that spare the next handshake its signatures, for an hour at
/// most. Their keys are made with each context and never leave it: after `reload` or a restart all
/// handshakes are full again. 0-RTT is off.
package final class TLSContext: Sendable {
  package enum Role: Sendable {
    case server(Credentials, clients: ClientCertificates)
    case client(Credentials?, trust: Trust)
  }

  package let isServer: Bool
  package let alpn: ALPN
  private let handle: Mutex<Handle>
  private let counts = Mutex(TLSHandshakes())

  package init(_ role: Role, alpn: ALPN) throws(TLSError) {
    if case .server = role { isServer = true } else { isServer = false }
    self.alpn = alpn
    self.handle = Mutex(try Handle(role, alpn))
  }

  package static func server(
    _ credentials: Credentials, clients: ClientCertificates, alpn: ALPN
  ) throws(TLSError) -> TLSContext {
    try TLSContext(.server(credentials, clients: clients), alpn: alpn)
  }

  package static func client(
    _ credentials: Credentials?, trust: Trust, alpn: ALPN
  ) throws(TLSError) -> TLSContext {
    try TLSContext(.client(credentials, trust: trust), alpn: alpn)
  }

  /// Takes new certificates for connections to come. When it throws, the old ones stay.
  package func reload(_ role: Role) throws(TLSError) {
    let fresh = try Handle(role, alpn)
    handle.withLock { $0 = fresh }
  }

  var current: Handle { handle.withLock { $0 } }

  package var handshakes: TLSHandshakes { counts.withLock { $0 } }

  func finished(isResumed: Bool) {
    counts.withLock { counts in
      if isResumed { counts.resumed += 1 } else { counts.full += 1 }
    }
  }

  /// Owns an SSL_CTX. `@unchecked Sendable`: the pointer is immutable and OpenSSL's contexts may be
  /// shared between threads once they are configured, which is done before `init` returns.
  final class Handle: @unchecked Sendable {
    let pointer: OpaquePointer
    let tickets = TLSTickets()

    init(_ role: Role, _ alpn: ALPN) throws(TLSError) {
      let isServer = if case .server = role { true } else { false }
      guard let context = copenssl_context_new(isServer ? 1 : 0) else {
        throw TLSError.last("no TLS context")
      }
      pointer = context
      copenssl_set_alpn(context, isServer ? 1 : 0, alpn.code)
      switch role {
      case .server(let credentials, let clients):
        try use(credentials)
        switch clients {
        case .notAsked: copenssl_verify_clients(context, 0)
        case .asked(let authorities):
          try trust(authorities, nameToClients: true)
          copenssl_verify_clients(context, 1)
        case .required(let authorities):
          try trust(authorities, nameToClients: true)
          copenssl_verify_clients(context, 2)
        }
      case .client(let credentials, let whom):
        if let credentials { try use(credentials) }
        switch whom {
        case .authorities(let authorities): try trust(authorities, nameToClients: false)
        case .system: SSL_CTX_set_default_verify_paths(context)
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_sess_set_new_cb(context) { session, ticket in
          TLSSession.keep(ticket!, of: session!)
          return 0
        }
      }
    }

    deinit { SSL_CTX_free(pointer) }

    private func use(_ credentials: Credentials) throws(TLSError) {
      var (certificate, key) = (credentials.certificate, credentials.key)
      let chainTaken = certificate.withUTF8Characters { copenssl_use_chain(pointer, $0, $1) }
      guard chainTaken == 1 else { throw TLSError.last("the certificate cannot be used") }
      let keyTaken = key.withUTF8Characters { copenssl_use_key(pointer, $0, $1) }
      guard keyTaken == 1 else { throw TLSError.last("the private key cannot be used") }
    }

    private func trust(_ authorities: String, nameToClients: Bool) throws(TLSError) {
      var authorities = authorities
      let taken = authorities.withUTF8Characters {
        copenssl_trust(pointer, $0, $1, nameToClients ? 1 : 0)
      }
      guard taken == 1 else { throw TLSError.last("no certificate among the authorities") }
    }
  }
}

extension String {
  /// The text as C characters with their count, for C functions that take a length.
  mutating func withUTF8Characters<R>(_ body: (UnsafePointer<CChar>, Int32) -> R) -> R {
    withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return body("", 0) }
      return base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
        body($0, Int32(bytes.count))
      }
    }
  }
}
