package import Contracts
package import Orders

/// The record that people query: written from the journal, in its order, and read when an order has
/// left memory.
package protocol OrderStore: Sendable {
  /// Makes the schema what this program expects.
  func prepare() async throws
  /// The newest sequence that is recorded; 0 for none.
  func recorded() async throws -> UInt64
  /// Records events and how far the journal was read, all or nothing. Recording twice is harmless.
  func record(_ events: [OmsV1.OrderEvent], through sequence: UInt64) async throws

  func order(_ id: OrderID) async throws -> OmsV1.Order?
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order]
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent]
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution]
}
