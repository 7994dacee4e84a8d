import Chrono
import Glibc
import Security

/// `idle.resident`: `shrivenquant run discovery` of the release build, TLS and all, with nobody
/// calling. `idle.resident.server` is the echo server of these benchmarks, for scale.
enum IdleMemory {
  static func run() throws -> [Figures] {
    let echo = try Contender.ours()
    var found = [try figures("idle.resident.server", echo.child)]
    do {
      found.append(try discovery())
    } catch let skip as Skipped {
      note("  without a service of the mesh: \(skip.reason)")
    }
    return found
  }

  private static func figures(_ name: String, _ child: Child) throws -> Figures {
    guard let resident = child.residentKilobytes else { throw Broken("\(name) has ended") }
    var figures = Figures(name)
    figures.more = [("resident_kb", resident.all), ("anonymous_kb", resident.anonymous)]
    return figures
  }

  private static func discovery() throws -> Figures {
    let given = getenv("SHRIVENQUANT").map { String(cString: $0) }
    let program = given ?? "\(Workspace.root)/.build/release/shrivenquant"
    guard access(program, X_OK) == 0 else {
      throw Skipped(reason: "\(program) is not built (make build)")
    }
    let workspace = try Workspace("idle")
    try writeCertificates(workspace)
    // Above the ports that the kernel gives to clients, of which the benchmarks before have used many.
    let offset = 11_000
    let child = try Child(
      [
        program, "run", "discovery", "--state", workspace.path, "--port-offset", String(offset),
        "--ports", "\(Workspace.root)/ports.toml",
      ], core: nil, silent: true)
    defer { child.stop() }
    let start = SystemTime().uptime
    try waitForListener(50_066 + offset, child)
    let ready = Double((SystemTime().uptime.nanoseconds - start.nanoseconds) / 1_000_000)
    try pause(.seconds(1))
    let atStart = child.residentKilobytes?.all ?? 0
    // Five seconds after its start a service lets go of the pages of code that only the start needed.
    try pause(.seconds(9))
    var figures = try figures("idle.resident", child)
    figures.more.append(("resident_after_1_s_kb", atStart))
    figures.more.append(("listening_after_ms", ready))
    return figures
  }

  /// `pki/` as `up` makes it, for discovery alone.
  private static func writeCertificates(_ workspace: Workspace) throws {
    let now = SystemTime().now
    let authority = try CertificateAuthority.create(now: now)
    let credentials = try authority.issue(service: "discovery", now: now)
    try workspace.write(Array(authority.certificate.utf8), to: "pki/ca.crt")
    try workspace.write(Array(credentials.certificate.utf8), to: "pki/discovery.crt")
    try workspace.write(Array(credentials.key.utf8), to: "pki/discovery.key")
    chmod("\(workspace.path)/pki/discovery.key", 0o600)
  }
}
