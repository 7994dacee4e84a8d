import Chrono
import Security

/// PEM files of a server on the loopback, and of who vouches for it.
struct ServerFiles {
  let authority: String
  let certificate: String
  let key: String

  init(in workspace: Workspace) throws {
    let now = SystemTime().now
    let authority = try CertificateAuthority.create(now: now)
    let credentials = try authority.issue(service: "benchmark", now: now)
    try workspace.write(Array(authority.certificate.utf8), to: "authority.crt")
    try workspace.write(Array(credentials.certificate.utf8), to: "server.crt")
    try workspace.write(Array(credentials.key.utf8), to: "server.key")
    self.authority = authority.certificate
    certificate = "\(workspace.path)/server.crt"
    key = "\(workspace.path)/server.key"
  }

  /// Of the server under test.
  var options: [String] { ["--tls", certificate, key] }
}
