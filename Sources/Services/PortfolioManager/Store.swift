package import Contracts
package import Postgres

/// Positions as people query them with SQL.
package protocol PositionStore: Sendable {
  func prepare() async throws
  /// Writes positions and the oms event up to which they are complete, all or nothing. `isWhole`: they
  /// are all that there are, and what else is stored goes. Positions that the database does not take
  /// are set aside, and returned.
  func record(
    _ changes: PositionChanges, isWhole: Bool
  ) async throws -> [RefusedItem<PortfolioV1.Position>]
}
