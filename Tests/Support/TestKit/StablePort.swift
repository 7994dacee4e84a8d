internal import Glibc
private import Synchronization
internal import Transport

/// Ports under the range that the kernel gives out by itself: nobody takes one while the server that
/// a test restarts is away.
package enum StablePort {
  private static let range = 20_000..<32_000
  private static let last = Atomic(Int(getpid()) * 97)

  /// Runs `start` with a port until one is free.
  package static func use<R>(_ start: (Int) async throws -> R) async throws -> R {
    var why = TransportError("no port was tried")
    for _ in 0..<50 {
      let number = last.wrappingAdd(1, ordering: .relaxed).newValue
      do {
        return try await start(range.lowerBound + number % range.count)
      } catch let error as TransportError {
        why = error
      }
    }
    throw why
  }
}
