package import Postgres

extension ServiceContext {
  /// The mesh's PostgreSQL, with this service's connections; nothing connects before the first query.
  /// Throws when the mesh was given none.
  package func database() throws(SettingsError) -> Database {
    guard !mesh.databaseURL.isEmpty else {
      throw SettingsError(
        "[mesh] database_url is empty: set SHRIVENQUANT_DATABASE_URL, or start the mesh with `up`, "
          + "which makes a database of its own")
    }
    var settings = DatabaseSettings(
      url: mesh.databaseURL, connectionsMax: mesh.databaseConnectionsMax)
    // A database on this machine is back within a second of its death.
    settings.reconnectPauses = .milliseconds(50)...(.seconds(1))
    settings.applicationName = "shrivenquant \(name)"
    settings.log = log
    settings.metrics = metrics
    return Database(settings, loop: loop)
  }
}
