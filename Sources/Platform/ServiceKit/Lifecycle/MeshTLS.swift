package import Security
package import Telemetry

/// A service's proof of who it is, from `pki/` in the state folder, and whom it believes.
package struct MeshTLS: Sendable {
  package let server: TLSContext
  package let client: TLSContext
  private let state: StateFolder
  private let name: String
  private let facesPeople: Bool

  /// `facesPeople`: callers without a certificate may connect, tokens say who they are.
  package init(_ state: StateFolder, name: String, facesPeople: Bool) throws {
    self.state = state
    self.name = name
    self.facesPeople = facesPeople
    let roles = try Self.roles(state, name, facesPeople)
    server = try TLSContext(roles.server, alpn: .h2OrHTTP11)
    client = try TLSContext(roles.client, alpn: .h2)
  }

  /// Reads the files again; connections that exist go on as they are.
  package func reload() throws {
    let roles = try Self.roles(state, name, facesPeople)
    try server.reload(roles.server)
    try client.reload(roles.client)
  }

  /// The files that it was read from.
  package var files: [String] {
    [state.authority, state.certificate(of: name), state.key(of: name)]
  }

  /// What became of the handshakes of both sides.
  package func register(in metrics: MetricsRegistry) {
    metrics.counters(
      "tls_handshakes_total", help: "TLS handshakes finished; resumed ones with a ticket.",
      labels: ["side", "resumed"]
    ) { [server, client] in
      [("server", server.handshakes), ("client", client.handshakes)].flatMap { side, counts in
        [
          (values: [side, "false"], count: Double(counts.full)),
          (values: [side, "true"], count: Double(counts.resumed)),
        ]
      }
    }
  }

  private static func roles(
    _ state: StateFolder, _ name: String, _ facesPeople: Bool
  ) throws -> (server: TLSContext.Role, client: TLSContext.Role) {
    guard fileExists(state.certificate(of: name)) else {
      throw SettingsError(
        "\(state.pki) has no certificate of \(name): `shrivenquant up` makes them, and --state says "
          + "where they are")
    }
    let authority = try readText(state.authority)
    let credentials = Credentials(
      certificate: try readText(state.certificate(of: name)), key: try readText(state.key(of: name))
    )
    let clients: ClientCertificates =
      facesPeople ? .asked(authorities: authority) : .required(authorities: authority)
    return (
      .server(credentials, clients: clients), .client(credentials, trust: .authorities(authority))
    )
  }
}
