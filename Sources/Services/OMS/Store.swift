package import Contracts
package import Orders
package import Postgres
package import ServiceKit

/// How far the journal is recorded.
package struct RecordProgress: Sendable, Hashable {
  /// How many times the recording has begun at the journal's first record. Rows carry it; those of an
  /// earlier one that are not written again are of a history that the journal does not have.
  package var generation: Int64
  package var position: LogPosition
  /// Where the journal ended when this generation began: up to there rows may exist already.
  package var againUntil: UInt64

  package init(generation: Int64, position: LogPosition, againUntil: UInt64) {
    self.generation = generation
    self.position = position
    self.againUntil = againUntil
  }

  /// Rows of an earlier generation may be met.
  package var isAgain: Bool { position.sequence < againUntil }
  /// All of them have been met that the journal has.
  package var endsAgain: Bool { againUntil > 0 && !isAgain }
}

/// The record that people query: written from the journal, in its order, and read when an order has
/// left memory.
package protocol OrderStore: Sendable {
  /// Makes the schema what this program expects.
  func prepare() async throws
  func progress() async throws -> RecordProgress
  /// The journal is another one than was recorded: from here on it is recorded from its beginning.
  func beginAgain(_ reason: String, until sequence: UInt64) async throws -> RecordProgress
  /// Records events and how far the journal was read, all or nothing; recording twice is harmless. When
  /// that ends a recording from the beginning, rows of earlier generations that are left are put away.
  /// Events that the database does not take are set aside, and returned.
  func record(
    _ events: [OmsV1.OrderEvent], through progress: RecordProgress
  ) async throws -> [RefusedItem<OmsV1.OrderEvent>]
  /// How many events are set aside.
  func setAsideCount() async throws -> Int

  func order(_ id: OrderID) async throws -> OmsV1.Order?
  func orders(_ query: OrderQuery) async throws -> [OmsV1.Order]
  func events(_ id: OrderID) async throws -> [OmsV1.OrderEvent]
  func executions(_ query: ExecutionQuery) async throws -> [OmsV1.Execution]
}
