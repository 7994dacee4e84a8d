package import Chrono
package import Wire

/// How a call is made. A call without a deadline gets the channel's default; one whose answers stream
/// may then last for ever.
package struct CallOptions: Sendable {
  package var deadline: Uptime?
  package var metadata = Metadata()
  /// W3C traceparent to pass on; a new trace is begun when nil.
  package var traceParent: String?
  /// Wait for a connection until the deadline instead of failing at once with UNAVAILABLE. What a
  /// server answers is not changed by it.
  package var waitsForReady = false
  /// How requests are packed. Only what is asked for is compressed: it costs the sender far more than
  /// a send on a fast network saves.
  package var requestEncoding = MessageEncoding.identity

  package init(deadline: Uptime? = nil, traceParent: String? = nil) {
    self.deadline = deadline
    self.traceParent = traceParent
  }
}

/// A way to reach a service: a network channel, or the in-process twin.
package protocol Channel: Sendable {
  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> [UInt8]

  func open(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws(RPCError) -> any ClientStream
}

/// An open streaming call on the client's side. Dropping it without reading to the end: call `cancel`.
package protocol ClientStream: MessageSource, MessageSink {
  /// No more requests.
  func finishSending() async throws(RPCError)
  /// Ends the call; the server sees a cancellation.
  func cancel()
  /// The response that was read last came compressed.
  var responseWasCompressed: Bool { get }
  /// Valid after the first message or the end.
  var initialMetadata: Metadata { get }
  /// Valid after the end.
  var trailingMetadata: Metadata { get }
}

extension Channel {
  package func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, _ options: CallOptions, as: Response.Type
  ) async throws(RPCError) -> Response {
    try await decodeMessage(unary(method, request.encoded(), options))
  }
}
