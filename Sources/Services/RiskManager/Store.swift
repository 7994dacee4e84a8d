package import Risk

/// The record of the limits and the kill switch in PostgreSQL.
package protocol LimitStore: Sendable {
  func prepare() async throws
  /// What an earlier version stored there; nil when there is nothing. `standard` fills what it lacks.
  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: KillSwitchChange?, version: UInt64)?
  /// Returns when the database answers.
  func probe() async throws
  /// Makes the record equal to this, in one transaction.
  func record(_ register: RiskRegister) async throws
}
