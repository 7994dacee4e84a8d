package import Calls

/// Told what happens to a server's calls, on the server's loop: metrics and logs hang here.
package protocol ServerObserver: Sendable {
  func callStarted(_ method: MethodDescriptor)
  /// `isCancelled`: the caller went away before the answer (`rpc_cancelled_total`).
  func callFinished(
    _ method: MethodDescriptor, _ code: StatusCode, latency: Duration, isCancelled: Bool)
  /// A call that no handler has seen; `method` is nil when there is no such method.
  func callRefused(_ method: MethodDescriptor?, path: String, _ code: StatusCode)
  /// A handler threw something other than an `RPCError`; the caller is told INTERNAL and no more.
  func handlerFailed(_ context: ServerContext, _ error: any Error)
  func connectionOpened()
  func connectionClosed()
  /// A peer ran into this limit.
  func defended(_ limit: TransportLimit)
}

extension ServerObserver {
  package func callStarted(_ method: MethodDescriptor) {}
  package func callFinished(
    _ method: MethodDescriptor, _ code: StatusCode, latency: Duration, isCancelled: Bool
  ) {}
  package func callRefused(_ method: MethodDescriptor?, path: String, _ code: StatusCode) {}
  package func handlerFailed(_ context: ServerContext, _ error: any Error) {}
  package func connectionOpened() {}
  package func connectionClosed() {}
  package func defended(_ limit: TransportLimit) {}
}

/// An observer that looks away.
package struct SilentObserver: ServerObserver {
  package init() {}
}
