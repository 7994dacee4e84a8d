internal import COpenSSL
package import Chrono

/// A development certificate authority: EC P-256, made by `up` for one mesh. The caller keeps the
/// keys in files of mode 0600.
package struct CertificateAuthority: Sendable {
  /// The authority's own certificate and key, PEM.
  package let credentials: Credentials

  package var certificate: String { credentials.certificate }

  /// An authority that exists already.
  package init(credentials: Credentials) { self.credentials = credentials }

  package static func create(
    name: String = "ShrivenQuant development CA", now: Instant,
    lifetime: Duration = .seconds(3650 * 86_400)
  ) throws(TLSError) -> CertificateAuthority {
    CertificateAuthority(
      credentials: try make(
        commonName: name, alternativeNames: nil, issuer: nil, isAuthority: true, now: now,
        lifetime: lifetime))
  }

  /// A certificate for a service, good as server and as client. `uri` defaults to
  /// `spiffe://shrivenquant/<service>`.
  package func issue(
    service: String, dnsNames: [String] = ["localhost"],
    ipAddresses: [String] = ["127.0.0.1", "::1"],
    uri: String? = nil, now: Instant, lifetime: Duration = .seconds(365 * 86_400)
  ) throws(TLSError) -> Credentials {
    let names =
      dnsNames.map { "DNS:\($0)" } + ipAddresses.map { "IP:\($0)" }
      + ["URI:\(uri ?? TLSSession.identityPrefix + service)"]
    for name in names where name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x2c || $0 >= 0x7f }) {
      throw TLSError("\(name) cannot be in a certificate")
    }
    return try Self.make(
      commonName: service, alternativeNames: names.joined(separator: ","), issuer: credentials,
      isAuthority: false, now: now, lifetime: lifetime)
  }

  /// When a PEM certificate expires.
  package static func expiry(ofCertificate pem: String) throws(TLSError) -> Instant {
    var pem = pem
    let seconds = pem.withUTF8Characters { copenssl_expiry($0, $1) }
    guard seconds >= 0 else { throw TLSError.last("not a certificate") }
    return Instant(nanoseconds: seconds * 1_000_000_000)
  }

  private static func make(
    commonName: String, alternativeNames: String?, issuer: Credentials?, isAuthority: Bool,
    now: Instant, lifetime: Duration
  ) throws(TLSError) -> Credentials {
    guard let certificate = BIO_new(BIO_s_mem()), let key = BIO_new(BIO_s_mem()) else {
      throw TLSError.last("out of memory")
    }
    defer {
      BIO_free(certificate)
      BIO_free(key)
    }
    // Five minutes back, for clocks that disagree a little.
    let (start, end) = (now.seconds - 300, (now + lifetime).seconds)
    let code = withCStrings(commonName, alternativeNames, issuer?.certificate, issuer?.key) {
      name, names, issuerCertificate, issuerKey in
      var request = copenssl_certificate_request(
        common_name: name!, alternative_names: names, issuer_certificate: issuerCertificate,
        issuer_key: issuerKey, is_authority: isAuthority ? 1 : 0, not_before: start, not_after: end)
      return copenssl_make_certificate(&request, certificate, key)
    }
    guard code == 1 else { throw TLSError.last("no certificate for \(commonName)") }
    return Credentials(certificate: text(of: certificate), key: text(of: key))
  }
}

/// What was written to a memory BIO.
func text(of bio: OpaquePointer) -> String {
  var bytes: UnsafeMutablePointer<CChar>?
  let count = copenssl_bio_bytes(bio, &bytes)
  return String(decoding: UnsafeRawBufferPointer(start: bytes, count: max(0, count)), as: UTF8.self)
}

private func withCStrings<R>(
  _ first: String?, _ second: String?, _ third: String?, _ fourth: String?,
  _ body: (
    UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?
  ) -> R
) -> R {
  withCString(first) { first in
    withCString(second) { second in
      withCString(third) { third in
        withCString(fourth) { fourth in body(first, second, third, fourth) }
      }
    }
  }
}

private func withCString<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
  guard let text else { return body(nil) }
  return text.withCString { body($0) }
}
