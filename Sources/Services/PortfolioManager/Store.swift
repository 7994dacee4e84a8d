package import Contracts

/// Positions as people query them with SQL.
package protocol PositionStore: Sendable {
  func prepare() async throws
  /// Writes positions and the oms event up to which they are complete, all or nothing.
  func record(_ positions: [PortfolioV1.Position], through sequence: UInt64) async throws
}
