package import Telemetry

/// Where the database is, and the limits of its use.
package struct DatabaseSettings: Sendable {
  /// A libpq URL: `postgresql:///name?host=/socket/folder`. It may hold a password.
  package var url: Secret<String>
  /// Schema that unqualified names mean; nil leaves the server's default.
  package var schema: String?
  package var connectionsMax: Int
  /// Requests that wait for a connection; one more is refused with `tooManyWaiting`.
  package var waitingMax = 1024
  /// A request that waited this long for a connection fails with `unavailable`.
  package var waitMax: Duration = .seconds(5)
  /// The server cancels longer statements (57014).
  package var statementMax: Duration = .seconds(30)
  /// A connection attempt is given up after this.
  package var connectMax: Duration = .seconds(5)
  /// Pauses between failed connection attempts double from the first to the last.
  package var reconnectPauses: ClosedRange<Duration> = .milliseconds(50)...(.seconds(5))
  /// Shown in `pg_stat_activity`.
  package var applicationName = "shrivenquant"
  package var log = Log.silent
  package var metrics: MetricsRegistry?

  package init(url: String, connectionsMax: Int) {
    precondition(connectionsMax > 0, "a pool of \(connectionsMax) connections answers nothing")
    self.url = Secret(url)
    self.connectionsMax = connectionsMax
  }
}
