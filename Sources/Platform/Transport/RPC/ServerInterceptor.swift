package import Calls
package import Loop

/// Something around every call of a server: it may refuse by throwing, add to the context, and
/// watch.
package protocol ServerInterceptor: Sendable {
  /// Calls `next` once to go on, or throws to refuse. What `next` throws is the call's error.
  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws
}

/// The interceptors of a server, in order, and then the handler; all of it on the loop that handlers
/// run on, if there is one.
package struct InterceptorChain: Sendable {
  private let interceptors: [any ServerInterceptor]
  private let home: EventLoop?

  /// Nothing is between a call and its handler.
  package var isEmpty: Bool { interceptors.isEmpty && home == nil }

  /// `home`: nil runs everything where the call came in.
  package init(_ interceptors: [any ServerInterceptor], home: EventLoop? = nil) {
    self.interceptors = interceptors
    self.home = home
  }

  package func run(_ context: ServerContext, _ body: () async throws -> Void) async throws {
    if let home, !home.isCurrent {
      try await withTaskExecutorPreference(home) { try await run(from: 0, context, body) }
    } else if interceptors.isEmpty {
      try await body()
    } else {
      try await run(from: 0, context, body)
    }
  }

  private func run(
    from index: Int, _ context: ServerContext, _ body: () async throws -> Void
  ) async throws {
    guard index < interceptors.count else {
      try await body()
      return
    }
    try await interceptors[index].intercept(context) {
      try await run(from: index + 1, context, body)
    }
  }
}
