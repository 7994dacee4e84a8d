internal import Calls
private import Synchronization
internal import Transport

/// Lets calls in once the service has started, and keeps them out while an operator has paused or
/// drained it: callers are told UNAVAILABLE, which makes them try again or elsewhere. Health and
/// reflection always answer. A server that ends refuses by itself, with GOAWAY.
final class AdmissionGate: ServerInterceptor {
  private static let started: UInt8 = 1
  private static let paused: UInt8 = 2
  private static let drained: UInt8 = 4

  /// One load decides in the usual case.
  private let bits = Atomic<UInt8>(0)

  func open() { set(Self.started) }
  func pause() { set(Self.paused) }
  func resume() { bits.bitwiseAnd(~Self.paused, ordering: .acquiringAndReleasing) }
  func drain() { set(Self.drained) }

  private func set(_ bit: UInt8) { bits.bitwiseOr(bit, ordering: .acquiringAndReleasing) }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    let bits = bits.load(ordering: .acquiring)
    if bits != Self.started, !context.method.service.hasPrefix("grpc.") {
      throw RPCError(.unavailable, Self.reason(bits))
    }
    try await next()
  }

  private static func reason(_ bits: UInt8) -> String {
    if bits & drained != 0 { return "the service is drained" }
    if bits & paused != 0 { return "the service is paused by an operator" }
    return "the service is starting"
  }
}
