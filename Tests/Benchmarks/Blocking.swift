import Loop
import Synchronization

/// Runs `body` on a loop on the calling thread, to its end.
func onLoop<Value: Sendable>(
  spin: Duration = .zero, _ body: @escaping @Sendable (EventLoop) async throws -> Value
) throws -> Value {
  let loop = EventLoop(name: "benchmark", spin: spin)
  let outcome = Outcome<Value>()
  loop.spawn {
    do {
      outcome.set(.success(try await body(loop)))
    } catch {
      outcome.set(.failure(error))
    }
    loop.stop()
  }
  loop.run()
  return try outcome.get()
}

/// Lets other processes go on for a while; nothing here waits for an event in this one.
func pause(_ duration: Duration) throws {
  try onLoop { loop in await loop.sleep(for: duration) }
}

private final class Outcome<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)

  func set(_ value: Result<Value, any Error>) { result.withLock { $0 = value } }

  func get() throws -> Value {
    guard let result = result.withLock({ $0 }) else { throw Broken("the loop ended first") }
    return try result.get()
  }
}
