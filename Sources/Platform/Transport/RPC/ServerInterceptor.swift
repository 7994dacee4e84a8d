package import Calls

/// Something around every call of a server: it may refuse by throwing, add to the context, and
/// watch.
package protocol ServerInterceptor: Sendable {
  /// Calls `next` once to go on, or throws to refuse. What `next` throws is the call's error.
  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws
}

/// The interceptors of a server, in order, and then the handler.
package struct InterceptorChain: Sendable {
  private let interceptors: [any ServerInterceptor]

  package var isEmpty: Bool { interceptors.isEmpty }

  package init(_ interceptors: [any ServerInterceptor]) { self.interceptors = interceptors }

  package func run(_ context: ServerContext, _ body: () async throws -> Void) async throws {
    if interceptors.isEmpty {
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
