internal import Chrono
internal import Security
internal import ServiceKit

/// Makes what a mesh needs in its state folder, and leaves alone what is there.
enum MeshFolder {
  /// Certificates of people's tools (`call`, `token`) and of the venue, beside those of services.
  static let tools = ["operator", "venue-sim"]
  private static let renewedBefore = Duration.seconds(30 * 86_400)

  static func prepare(
    _ plan: MeshPlan, services: [ServiceName], say: (String) -> Void
  ) throws {
    let state = plan.options.state
    if plan.isFresh {
      say("starting over: removing the old state in \(state.path), its PostgreSQL included")
      try MeshDatabase.stopLeftover(state, say: say)
      try removeState(state, say: say)
    }
    for folder in [state.path, state.postgres, state.log, state.run] { try makeFolder(folder) }
    try makeFolder(state.bootstrap, mode: 0o700)
    try makeFolder(state.pki)
    let made = try certificates(state, names: services.map(\.text) + tools)
    if made > 0 { say("made \(made) certificates of the development authority") }
    if !fileExists(state.credentials) {
      try BootstrapUsers.make().write(state)
      say("made the first users, admin, trader and viewer: \(state.credentials)")
    }
    if !fileExists(state.simulatorKey) { try SimulatorKey.make().write(state) }
  }

  /// Makes the authority and what is missing, was made by another authority, or expires soon.
  static func certificates(_ state: StateFolder, names: [String]) throws -> Int {
    let now = SystemTime().now
    var made = 0
    var isNew = false
    let authority: CertificateAuthority
    if fileExists(state.authority), fileExists(state.authorityKey) {
      authority = CertificateAuthority(
        credentials: Credentials(
          certificate: try readText(state.authority), key: try readText(state.authorityKey)))
    } else {
      authority = try CertificateAuthority.create(now: now)
      try writeFile(state.authorityKey, authority.credentials.key, mode: 0o600)
      try writeFile(state.authority, authority.certificate, mode: 0o644)
      isNew = true
    }
    for name in names where try isNew || isDue(state.certificate(of: name), now) {
      let credentials = try authority.issue(service: name, now: now)
      try writeFile(state.key(of: name), credentials.key, mode: 0o600)
      try writeFile(state.certificate(of: name), credentials.certificate, mode: 0o644)
      made += 1
    }
    return made
  }

  private static func isDue(_ path: String, _ now: Instant) throws -> Bool {
    guard fileExists(path) else { return true }
    return try CertificateAuthority.expiry(ofCertificate: readText(path)) < now + renewedBefore
  }
}
