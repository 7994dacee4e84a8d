internal import Contracts
internal import Risk

/// The limits and the kill switch on disk.
protocol LimitStore: Sendable {
  func prepare() async throws
  /// What is stored; a store that has nothing takes `standard` over.
  func load(
    standard: RiskLimits
  ) async throws -> (limits: RiskLimits, killSwitch: RiskV1.KillSwitch, version: UInt64)
  func save(_ limits: RiskLimits, version: UInt64) async throws
  func save(killSwitch: RiskV1.KillSwitch, version: UInt64) async throws
}
