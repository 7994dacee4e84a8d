/// What every service of a mesh is told in the same way: section `[mesh]`.
package struct MeshSettings: ServiceSettings {
  package static let section = "mesh"

  /// The names of Telemetry's levels.
  package enum Verbosity: String, CaseIterable, Sendable {
    case trace, debug, info, warning, error
  }

  /// The address to listen on; 127.0.0.1 unless somebody decides to let the network in.
  package let listenHost: String
  /// What other services are told to connect to.
  package let advertiseHost: String
  package let databaseURL: String
  package let databaseConnectionsMax: Int
  package let logLevel: Verbosity
  package let drainTimeMax: Duration
  package let drainNotice: Duration
  package let callTimeMax: Duration
  package let loops: Int
  package let lease: Duration
  package let tokenIssuer: String
  package let keysRefresh: Duration
  package let tokensSeenMax: Int
  package let certificatesCheck: Duration
  package let upstream: UpstreamSettings
  package let port: PortSettings

  package init(_ settings: SettingsReader) {
    listenHost = settings.string(
      "listen_host", default: "127.0.0.1", "The address to listen on; anything wider is a decision."
    )
    advertiseHost = settings.string(
      "advertise_host", default: "127.0.0.1", "The address that discovery gives to other services.")
    databaseURL = settings.string(
      "database_url", default: "", alias: "SHRIVENQUANT_DATABASE_URL", isSecret: true,
      "PostgreSQL; `up` makes a private cluster and sets this when it is empty.")
    databaseConnectionsMax = settings.int(
      "database_connections_max", in: 1...64, default: 4, unit: "connections",
      "Connections of one service to PostgreSQL.")
    logLevel = settings.choice("log_level", default: .info, "What is logged: this and worse.")
    drainTimeMax = settings.duration(
      "drain_time_max", in: .milliseconds(10)...(.seconds(300)), default: .seconds(10),
      "How long calls in flight may take after SIGTERM; then they are cancelled.")
    drainNotice = settings.duration(
      "drain_notice", in: .milliseconds(1)...(.seconds(60)), default: .milliseconds(100),
      "Between saying NOT_SERVING and closing connections: callers turn to other instances.")
    callTimeMax = settings.duration(
      "call_time_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(30),
      "Deadline of a unary call whose caller set none or a later one; streams have none.")
    loops = settings.int(
      "loops", in: 1...64, default: 1, unit: "threads",
      "Threads that a service's connections are spread over; its handlers stay on the first.")
    lease = settings.duration(
      "lease", in: .milliseconds(500)...(.seconds(300)), default: .seconds(5),
      "A service that does not renew within this is forgotten by discovery.")
    tokenIssuer = settings.string(
      "token_issuer", default: "shrivenquant", "The issuer that a bearer token must name.")
    keysRefresh = settings.duration(
      "keys_refresh", in: .seconds(1)...(.seconds(86_400)), default: .seconds(300),
      "How often auth's public keys are fetched again; an unknown key id fetches at once.")
    tokensSeenMax = settings.int(
      "tokens_seen_max", in: 1...1_000_000, default: 10_000, unit: "tokens",
      "Tokens found good that need no second check of their signature; beyond it all are checked again."
    )
    certificatesCheck = settings.duration(
      "certificates_check", in: .milliseconds(10)...(.seconds(86_400)), default: .seconds(10),
      "How often the files of the certificates are looked at; new ones are read at once by SIGHUP.")
    upstream = UpstreamSettings(settings)
    port = PortSettings(settings)
  }
}
