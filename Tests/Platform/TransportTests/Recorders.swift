import Calls
import Synchronization
import Transport

final class Counter: Sendable {
  private let count = Mutex(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}

final class Trail: Sendable {
  private let list = Mutex<[String]>([])
  func add(_ word: String) { list.withLock { $0.append(word) } }
  var words: [String] { list.withLock { $0 } }
}

struct Recording: ServerInterceptor {
  let name: String
  let trail: Trail

  init(_ name: String, _ trail: Trail) {
    self.name = name
    self.trail = trail
  }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    trail.add("\(name) in")
    try await next()
    trail.add("\(name) out")
  }
}

/// Refuses calls that ask for it.
struct Refusing: ServerInterceptor {
  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    if context.metadata.text("x-refuse") != nil {
      throw RPCError(.permissionDenied, "as you wish")
    }
    try await next()
  }
}
