package import Calls
package import Wire

/// An open streaming call, typed. Read it to its end, or `cancel` it.
package struct ClientCall<Request: Message, Response: Message>: Sendable {
  private let stream: any ClientStream

  package init(_ stream: any ClientStream) { self.stream = stream }

  /// Opens a call of one request and many responses.
  package static func serverStreaming(
    _ channel: any Channel, _ method: MethodDescriptor, _ request: Request, _ options: CallOptions
  ) async throws(RPCError) -> ClientCall {
    let call = ClientCall(try await channel.open(method, options))
    try await call.send(request)
    try await call.finishSending()
    return call
  }

  package func send(_ request: Request) async throws(RPCError) {
    try await stream.send(request.encoded())
  }

  /// As it is, whatever the call's encoding.
  package func sendUncompressed(_ request: Request) async throws(RPCError) {
    try await stream.sendUncompressed(request.encoded())
  }

  /// No more requests; responses may still come.
  package func finishSending() async throws(RPCError) { try await stream.finishSending() }

  /// The next response; nil after the last, when the call's status is OK.
  package func next() async throws(RPCError) -> Response? {
    guard let bytes = try await stream.next() else { return nil }
    return try decodeMessage(bytes)
  }

  /// Ends sending and waits for the only response of a client-streaming call.
  package func finish() async throws(RPCError) -> Response {
    try await finishSending()
    guard let response = try await next() else {
      throw RPCError(.internalError, "the call ended without its response")
    }
    while try await next() != nil {}
    return response
  }

  /// Ends the call; the server sees a cancellation.
  package func cancel() { stream.cancel() }

  /// The response that was read last came compressed.
  package var responseWasCompressed: Bool { stream.responseWasCompressed }
  /// Valid after the first response or the end.
  package var initialMetadata: Metadata { stream.initialMetadata }
  /// Valid after the end.
  package var trailingMetadata: Metadata { stream.trailingMetadata }
}
