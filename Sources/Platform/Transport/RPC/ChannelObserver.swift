package import Calls

/// The state of one connection of a channel, as gRPC names them.
package enum ConnectionState: String, Sendable, CaseIterable {
  case idle
  /// Also: connected, and its server has not yet said how it is.
  case connecting
  case ready
  /// Nobody answers there, or its server says that it does not serve.
  case transientFailure
}

/// Told what happens to a channel's calls and connections, on the channel's loop: metrics hang here.
package protocol ChannelObserver: Sendable {
  func callStarted(_ method: MethodDescriptor)
  /// Once a call, over all its attempts.
  func callFinished(_ method: MethodDescriptor, _ code: StatusCode, latency: Duration)
  /// `isTransparent`: no server has looked at the attempt before.
  func callRetried(_ method: MethodDescriptor, isTransparent: Bool)
  /// The retry budget was used up, so a call that might have been tried again was not.
  func retryThrottled(_ method: MethodDescriptor)
  func instanceEjected(_ address: Address)
  func instanceRestored(_ address: Address)
  func circuitChanged(_ state: CircuitState)
  /// Called when one of them changes.
  func connectionsChanged(_ counts: [ConnectionState: Int])
}

extension ChannelObserver {
  package func callStarted(_ method: MethodDescriptor) {}
  package func callFinished(_ method: MethodDescriptor, _ code: StatusCode, latency: Duration) {}
  package func callRetried(_ method: MethodDescriptor, isTransparent: Bool) {}
  package func retryThrottled(_ method: MethodDescriptor) {}
  package func instanceEjected(_ address: Address) {}
  package func instanceRestored(_ address: Address) {}
  package func circuitChanged(_ state: CircuitState) {}
  package func connectionsChanged(_ counts: [ConnectionState: Int]) {}
}
