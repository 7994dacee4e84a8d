internal import Calls

/// What no handler sees.
extension ServerShared {
  /// Why a call cannot begin; nil when it can.
  func refusal(
    of head: RequestHead, _ method: ServedMethod, _ timeout: Duration?, isEncrypted: Bool
  ) -> RPCError? {
    if head.countedBytes > limits.headerBytesMax {
      return RPCError(.resourceExhausted, "more than \(limits.headerBytesMax) bytes of headers")
    }
    if !head.isPost { return RPCError(.internalError, "a call is a POST") }
    if !head.takesTrailers {
      return RPCError(
        .internalError, "a call without te: trailers came through something that drops them")
    }
    if !isEncrypted, !plaintext.admits(method.descriptor) {
      return RPCError(.unauthenticated, "calls need TLS and a client certificate of the mesh")
    }
    if head.hasTimeout {
      guard let timeout else { return RPCError(.internalError, "malformed grpc-timeout") }
      if timeout == .zero { return RPCError(.deadlineExceeded, "the deadline has passed") }
    }
    if let encoding = head.unknownEncoding {
      return RPCError(.unimplemented, "the encoding \(encoding) is not supported")
    }
    return nil
  }

  /// What a request that is no call is told when it asks for a method.
  func refusal(ofPlain head: RequestHead) -> HTTPResponse? {
    let isMethod = methods.find(head.buffer(head.path)) != nil
    if head.isPost, isMethod || (head.hasContentType && responder == nil) {
      return HTTPResponse(refusing: 415, "only gRPC is spoken here")
    }
    guard isMethod else { return nil }
    var response = HTTPResponse(refusing: 405, "a call is a POST of application/grpc")
    response.headers.append(HTTPHeader("allow", "POST"))
    return response
  }
}
