package import Calls
package import Wire

/// How generated code turns a typed handler into one on bytes.
extension ServerMethod {
  package static func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (Request, ServerContext) async throws -> Response
  ) -> ServerMethod {
    ServerMethod(
      method,
      .unary { bytes, context in try await body(decodeRequest(bytes), context).encoded() })
  }

  package static func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (Request, Outgoing<Response>, ServerContext) async throws -> Void
  ) -> ServerMethod {
    ServerMethod(
      method,
      .streaming { source, sink, context in
        guard let request = try await Incoming<Request>(source, decodeRequest).next() else {
          throw RPCError(.internalError, "\(method.path) was called without a request")
        }
        try await body(request, Outgoing(sink), context)
      })
  }

  package static func clientStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (Incoming<Request>, ServerContext) async throws -> Response
  ) -> ServerMethod {
    ServerMethod(
      method,
      .streaming { source, sink, context in
        try await sink.send(body(Incoming(source, decodeRequest), context).encoded())
      })
  }

  package static func bidirectionalStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body:
      @escaping @Sendable (
        Incoming<Request>, Outgoing<Response>, ServerContext
      ) async throws -> Void
  ) -> ServerMethod {
    ServerMethod(
      method,
      .streaming { source, sink, context in
        try await body(Incoming(source, decodeRequest), Outgoing(sink), context)
      })
  }
}
