package import Loop
private import Telemetry

/// A PostgreSQL database, used from any task; its connections live on one event loop.
package final class Database: Sendable {
  package let loop: EventLoop
  private let pool: ConnectionPool
  private let settings: DatabaseSettings

  /// Connects when the first request comes.
  package init(_ settings: DatabaseSettings, loop: EventLoop) {
    self.settings = settings
    self.loop = loop
    self.pool = ConnectionPool(settings, loop)
  }

  deinit { loop.onLoop { [pool] in pool.close() } }

  /// One statement, which is a transaction of its own.
  @discardableResult
  package func query(
    _ sql: String, _ parameters: [SQLValue] = []
  ) async throws(SQLError) -> Rows {
    try await pipeline([Statement(sql, parameters)])[0]
  }

  /// Many statements in one round trip and one transaction: all or none take effect, and they share
  /// one commit (64 to 256 inserts together reach about 100,000 rows a second).
  @discardableResult
  package func pipeline(_ statements: [Statement]) async throws(SQLError) -> [Rows] {
    guard !statements.isEmpty else { return [] }
    let answer: DatabaseConnection.Answer = await withUnsafeContinuation { continuation in
      loop.onLoop { [pool] in
        pool.lease { lease in
          switch lease {
          case .failure(let error): continuation.resume(returning: .failure(error))
          case .success(let connection):
            connection.run(statements) { answer in
              pool.release(connection)
              continuation.resume(returning: answer)
            }
          }
        }
      }
    }
    return try answer.get()
  }

  /// Runs `body` with a connection of its own between BEGIN and COMMIT. When `body` throws, everything
  /// is rolled back and its error comes out.
  ///
  /// An error of COMMIT itself with `isConnectionLost` leaves it open whether the transaction took
  /// effect.
  package func transaction<Result: Sendable>(
    _ body: @Sendable (Transaction) async throws -> Result
  ) async throws -> Result {
    let transaction = Transaction(try await lease(), loop)
    do {
      let result = try await body(transaction)
      try await transaction.commit()
      release(transaction)
      return result
    } catch {
      await transaction.rollBack()
      release(transaction)
      throw error
    }
  }

  /// Ends all connections; later requests are refused. A request in flight fails with `closed`.
  package func close() async {
    await withUnsafeContinuation { (done: UnsafeContinuation<Void, Never>) in
      loop.onLoop { [pool] in
        pool.close()
        done.resume()
      }
    }
  }

  private func lease() async throws(SQLError) -> LeasedConnection {
    let lease: Result<LeasedConnection, SQLError> = await withUnsafeContinuation { continuation in
      loop.onLoop { [pool] in
        pool.lease { continuation.resume(returning: $0.map(LeasedConnection.init)) }
      }
    }
    return try lease.get()
  }

  private func release(_ transaction: Transaction) {
    loop.onLoop { [pool] in pool.release(transaction.leased.connection) }
  }
}

/// A connection on its way to a task that may be on another thread.
///
/// `@unchecked Sendable`: the connection is used inside `loop.onLoop` only.
struct LeasedConnection: @unchecked Sendable {
  let connection: DatabaseConnection
}
