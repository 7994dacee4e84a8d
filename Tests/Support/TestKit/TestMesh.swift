internal import Chrono
package import Security

/// A mesh's certificates, made for the tests of one process.
package struct TestMesh: Sendable {
  package static let shared = try! TestMesh()

  package let authority: CertificateAuthority

  package init() throws {
    authority = try CertificateAuthority.create(now: SystemTime().now)
  }

  package func credentials(_ service: String) throws -> Credentials {
    try authority.issue(service: service, now: SystemTime().now)
  }

  /// A server of the mesh that demands client certificates, or asks for them.
  package func serverTLS(_ service: String, requiresClients: Bool = true) throws -> TLSContext {
    try .server(
      credentials(service),
      clients: requiresClients
        ? .required(authorities: authority.certificate)
        : .asked(authorities: authority.certificate),
      alpn: .h2OrHTTP11)
  }

  package func clientTLS(_ service: String) throws -> TLSContext {
    try .client(credentials(service), trust: .authorities(authority.certificate), alpn: .h2)
  }
}
