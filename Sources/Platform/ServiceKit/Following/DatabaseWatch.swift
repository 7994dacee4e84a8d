internal import Loop
package import Postgres
private import Synchronization

/// Asks PostgreSQL again and again whether it answers, so that its absence is known before anybody
/// needs it, and its return without anybody's help.
package final class DatabaseWatch: Sendable {
  private let database: Database
  private let context: ServiceContext
  private let state = Mutex<String?>("PostgreSQL has not answered yet")

  private static let period = Duration.milliseconds(500)
  /// A server that is stopped rather than dead refuses nothing: it is silent.
  private static let answerTimeMax = Duration.seconds(1)

  package init(_ database: Database, _ context: ServiceContext) {
    self.database = database
    self.context = context
  }

  /// Why it cannot be used; nil when it answers.
  package var trouble: String? { state.withLock { $0 } }

  /// Asks until the task is cancelled, and tells `heard` after every answer and every silence.
  package func run(_ heard: @escaping @Sendable (String?) -> Void = { _ in }) async throws {
    while !Task.isCancelled {
      let timer = context.loop.schedule(after: Self.answerTimeMax) { [self] in
        conclude("PostgreSQL does not answer", heard)
      }
      do {
        _ = try await database.query("SELECT 1")
        context.loop.cancel(timer)
        conclude(nil, heard)
      } catch {
        context.loop.cancel(timer)
        if Task.isCancelled { return }
        conclude("PostgreSQL is away: \(error.message)", heard)
      }
      await context.loop.sleep(for: Self.period)
    }
  }

  private func conclude(_ trouble: String?, _ heard: (String?) -> Void) {
    state.withLock { $0 = trouble }
    heard(trouble)
  }
}

extension ServiceContext {
  /// A condition that holds while PostgreSQL answers: for a service whose work needs it.
  package func requireDatabase(_ database: Database, weight: ReadinessBoard.Weight = .health) {
    let condition = readiness.require(
      "database", reason: "PostgreSQL has not answered yet", weight: weight)
    let watch = DatabaseWatch(database, self)
    spawn("watch the database") {
      try await watch.run { trouble in
        if let trouble { condition.fail(trouble) } else { condition.hold() }
      }
    }
  }
}
