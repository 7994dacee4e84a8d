package import Calls
internal import Postgres
internal import Transport

/// A database that is away is UNAVAILABLE to the caller, not a fault of the service. What the server
/// refused stays a fault: its text is for our log, not for strangers.
package struct StorageFailures: ServerInterceptor {
  package init() {}

  package func intercept(
    _ context: ServerContext, _ next: () async throws -> Void
  ) async throws {
    do {
      try await next()
    } catch let error as SQLError {
      switch error.kind {
      case .connectionLost, .unavailable, .tooManyWaiting, .closed:
        throw RPCError(
          .unavailable, "the database is away; try again",
          details: [.retryInfo(delay: .seconds(1))])
      case .refused, .mismatch, .migration: throw error
      }
    }
  }
}
