package import Calls
internal import Chrono
package import Loop

/// A channel to the instances of one service over HTTP/2 on one loop, balanced as its options say. It
/// connects with its first call. Close it when it is no longer needed.
package final class NetworkChannel: Channel {
  private let core: ChannelCore
  private let loop: EventLoop
  private let options: ChannelOptions

  /// `target` names the service: to the resolver, in `:authority`, and, with TLS, in the
  /// certificate.
  package init(
    to target: String, resolver: any NameResolver, options: ChannelOptions, loop: EventLoop
  ) {
    self.loop = loop
    self.options = options
    core = ChannelCore(target, resolver, options, loop)
  }

  package convenience init(
    to target: String, at addresses: [Address], options: ChannelOptions, loop: EventLoop
  ) {
    self.init(to: target, resolver: FixedResolver(addresses), options: options, loop: loop)
  }

  package func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let call = makeCall(method, options)
    try call.sendWhole(request)
    loop.onLoop { call.start() }
    return try await call.onlyResponse()
  }

  package func open(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws(RPCError) -> any ClientStream {
    let call = makeCall(method, options)
    loop.onLoop { call.start() }
    return call
  }

  private func makeCall(_ method: MethodDescriptor, _ callOptions: CallOptions) -> ClientCall {
    var deadline = callOptions.deadline
    if deadline == nil, !method.shape.responsesStream {
      deadline = loop.uptime + options.defaultTimeout
    }
    return ClientCall(method, callOptions, deadline: deadline, core)
  }

  /// Connections that take calls now.
  package func readyConnections() async -> Int {
    await withCheckedContinuation { continuation in
      loop.onLoop { continuation.resume(returning: self.core.readyCount) }
    }
  }

  /// No new calls; those that run are finished.
  package func close() { loop.onLoop { self.core.close() } }
}
