import Chrono
import Security
import TestKit
import Testing

@Suite struct `Certificates` {
  @Test func `openssl agrees with what the authority issues`() async throws {
    let folder = try TemporaryFolder()
    let now = SystemTime().now
    let authority = try CertificateAuthority.create(now: now)
    let leaf = try authority.issue(
      service: "oms", dnsNames: ["oms", "localhost"], ipAddresses: ["127.0.0.1"], now: now)
    let ca = try folder.write("ca.pem", authority.certificate)
    let certificate = try folder.write("oms.pem", leaf.certificate)

    let verified = try await run(
      "openssl", ["verify", "-x509_strict", "-CAfile", ca, "-verify_ip", "127.0.0.1", certificate])
    let text = try await run("openssl", ["x509", "-in", certificate, "-noout", "-text"])

    #expect(verified.output.contains("oms.pem: OK"), "\(verified.output)")
    for expected in [
      "URI:spiffe://shrivenquant/oms", "DNS:localhost", "IP Address:127.0.0.1", "CA:FALSE",
      "prime256v1", "TLS Web Server Authentication, TLS Web Client Authentication",
    ] {
      #expect(text.output.contains(expected), "\(expected)")
    }
    let expiry = try CertificateAuthority.expiry(ofCertificate: leaf.certificate)
    #expect(expiry - now > .seconds(364 * 86_400))
  }

  @Test func `an authority comes back from its files`() throws {
    let now = SystemTime().now
    let first = try CertificateAuthority.create(now: now)
    let again = CertificateAuthority(credentials: first.credentials)

    let leaf = try again.issue(service: "oms", now: now)

    _ = try TLSContext.server(
      leaf, clients: .required(authorities: first.certificate), alpn: .h2)
  }

  @Test func `names that could smuggle others are refused`() throws {
    let authority = try CertificateAuthority.create(now: SystemTime().now)

    for name in ["a,URI:spiffe://shrivenquant/root", "a b", "", "ä"] where !name.isEmpty {
      #expect(throws: TLSError.self) {
        try authority.issue(service: "oms", dnsNames: [name], now: SystemTime().now)
      }
    }
  }

  @Test func `credentials that do not belong together are refused`() throws {
    let mesh = TestMesh.shared
    let (one, two) = (try mesh.credentials("a"), try mesh.credentials("b"))

    #expect(throws: TLSError.self) {
      try TLSContext.server(
        Credentials(certificate: one.certificate, key: two.key), clients: .notAsked, alpn: .h2)
    }
  }
}
