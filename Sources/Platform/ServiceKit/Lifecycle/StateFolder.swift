/// Where a mesh keeps what must outlive its processes: `--state`, by default `./var`.
package struct StateFolder: Sendable, Hashable {
  package let path: String
  /// How often the kill switch's mark is looked for here.
  package let markInterval: Duration

  package init(_ path: String, markInterval: Duration = KillMark.interval) {
    self.path = absolutePath(path)
    self.markInterval = markInterval
  }

  package var pki: String { path + "/pki" }
  package var postgres: String { path + "/postgres" }
  package var log: String { path + "/log" }
  package var run: String { path + "/run" }
  package var bootstrap: String { path + "/bootstrap" }
  package var settings: String { path + "/mesh.toml" }

  package func journal(of service: ServiceName) -> String { "\(path)/journal/\(service)" }
  package func log(of service: ServiceName) -> String { "\(log)/\(service).log" }
  package func certificate(of name: String) -> String { "\(pki)/\(name).crt" }
  package func key(of name: String) -> String { "\(pki)/\(name).key" }
  package var authority: String { pki + "/ca.crt" }
  package var authorityKey: String { pki + "/ca.key" }
  /// Names and passwords of the first users, readable by the owner only.
  package var credentials: String { bootstrap + "/credentials.json" }
  /// The API key of the simulated venue: `{"apiKey": ..., "secretKey": ...}`.
  package var simulatorKey: String { bootstrap + "/venue-sim.json" }
}
