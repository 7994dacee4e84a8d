internal import Calls
private import Synchronization
internal import Transport

/// Lets calls in once the service has started; before, callers are told UNAVAILABLE, which makes them
/// try again. Health and reflection always answer. A draining server refuses by itself, with GOAWAY.
final class AdmissionGate: ServerInterceptor {
  private let isOpen = Atomic<Bool>(false)

  func open() { isOpen.store(true, ordering: .releasing) }

  func intercept(_ context: ServerContext, _ next: () async throws -> Void) async throws {
    if !isOpen.load(ordering: .acquiring), !context.method.service.hasPrefix("grpc.") {
      throw RPCError(.unavailable, "the service is starting")
    }
    try await next()
  }
}
