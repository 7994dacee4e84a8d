internal import Loop
private import Synchronization

/// Statements that take effect together; see `Database.transaction`.
package final class Transaction: Sendable {
  let leased: LeasedConnection
  private let loop: EventLoop
  private let hasBegun = Atomic<Bool>(false)

  init(_ leased: LeasedConnection, _ loop: EventLoop) {
    self.leased = leased
    self.loop = loop
  }

  @discardableResult
  package func query(
    _ sql: String, _ parameters: [SQLValue] = []
  ) async throws(SQLError) -> Rows {
    try await pipeline([Statement(sql, parameters)])[0]
  }

  /// Many statements in one round trip.
  @discardableResult
  package func pipeline(_ statements: [Statement]) async throws(SQLError) -> [Rows] {
    // BEGIN travels with the first statement: one round trip less.
    if hasBegun.exchange(true, ordering: .relaxed) { return try await run(statements) }
    return Array(try await run([Statement("BEGIN")] + statements).dropFirst())
  }

  /// Several commands in one text, without parameters.
  func script(_ sql: String) async throws(SQLError) {
    let answer: DatabaseConnection.Answer = await withUnsafeContinuation { continuation in
      loop.onLoop { [leased] in
        leased.connection.runScript(sql) { continuation.resume(returning: $0) }
      }
    }
    _ = try answer.get()
  }

  func commit() async throws(SQLError) {
    guard hasBegun.load(ordering: .relaxed) else { return }
    let rows = try await run([Statement("COMMIT")])
    // After a failed statement the server answers COMMIT with ROLLBACK, and no error.
    guard rows.first?.command == "COMMIT" else {
      throw SQLError(.refused, "the transaction had failed and was rolled back", sqlstate: "25P02")
    }
  }

  /// A connection that cannot roll back is closed by the pool, which rolls back as well.
  func rollBack() async {
    guard hasBegun.load(ordering: .relaxed) else { return }
    do throws(SQLError) { _ = try await run([Statement("ROLLBACK")]) } catch {}
  }

  private func run(_ statements: [Statement]) async throws(SQLError) -> [Rows] {
    let answer: DatabaseConnection.Answer = await withUnsafeContinuation { continuation in
      loop.onLoop { [leased] in
        leased.connection.run(statements) { continuation.resume(returning: $0) }
      }
    }
    return try answer.get()
  }
}
