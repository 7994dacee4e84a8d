internal import Calls
private import Glibc

/// The header fields of a response, and its trailers, as a gRPC client reads them.
struct ResponseHead {
  private(set) var status = 0
  private(set) var isGRPC = false
  private(set) var metadata = Metadata()
  /// What the server says about trying again.
  private(set) var pushback = RetryPushback.none
  private var code: Int?
  private var message = ""
  private var details: [UInt8]?
  private var contentType = ""
  private var encoding = ""
  private var bytes = 0
  private var bytesMax = Int.max

  mutating func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, max: Int
  ) {
    bytes += name.count + value.count + 32
    guard bytes <= max else {
      bytesMax = max
      return
    }
    // What an answer that went well consists of, without making text of it.
    if equals(name, ":status"), value.count == 3 {
      status = value.reduce(0) { 10 * $0 + Int($1) - 0x30 }
      return
    }
    if equals(name, "grpc-status"), value.count == 1 {
      code = Int(value[0]) - 0x30
      return
    }
    if equals(name, "content-type"), equals(value, "application/grpc") {
      isGRPC = true
      return
    }
    let key = String(decoding: name, as: UTF8.self)
    let text = String(decoding: value, as: UTF8.self)
    switch key {
    case ":status": status = Int(text) ?? 0
    case "content-type": (contentType, isGRPC) = (text, Self.isGRPC(text))
    case "grpc-encoding": encoding = text
    case "grpc-status": code = Int(text) ?? -1
    case "grpc-message": message = StatusText.decode(text)
    case "grpc-status-details-bin": details = MetadataCodec.decode(Array(value))
    default:
      if key == "grpc-retry-pushback-ms" { pushback = RetryPushback(text) }
      if !MetadataCodec.isReserved(key) { MetadataCodec.add(key, text, to: &metadata) }
    }
  }

  private func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
    bytes.count == text.utf8CodeUnitCount
      && memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0
  }

  /// `application/grpc`, with `+proto` or the like after it.
  private static func isGRPC(_ contentType: String) -> Bool {
    let name = "application/grpc"
    guard contentType.hasPrefix(name) else { return false }
    let next = contentType.utf8.dropFirst(name.utf8.count).first
    return next == nil || next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  var isGzip: Bool { encoding == "gzip" }

  /// Why no messages can follow this head; nil when they can.
  var refusal: RPCError? {
    if let tooLarge { return tooLarge }
    guard status == 200, isGRPC else {
      // Whoever sets a status knew what a call is, whatever HTTP calls it.
      if case .failure(let error)? = stated { return error }
      return httpError
    }
    guard encoding.isEmpty || isGzip || encoding == "identity" else {
      return RPCError(
        .internalError, "the server answers in \(encoding), not in identity or gzip")
    }
    return nil
  }

  private var tooLarge: RPCError? {
    guard bytesMax < .max else { return nil }
    return RPCError(.resourceExhausted, "more than \(bytesMax) bytes of headers in the answer")
  }

  /// What these fields, being the last of the answer, say about the call.
  var outcome: Result<Void, RPCError> {
    if let tooLarge { return .failure(tooLarge) }
    if let stated { return stated }
    // Trailers have no HTTP status; a head that is the whole answer has.
    if status == 0 || (status == 200 && isGRPC) {
      return .failure(RPCError(.unknown, "the server ended the call without a status"))
    }
    return .failure(httpError)
  }

  /// The status these fields carry: nil for none, else success or the error.
  private var stated: Result<Void, RPCError>? {
    guard let code else { return nil }
    guard let known = UInt8(exactly: code).flatMap(StatusCode.init) else {
      return .failure(RPCError(.unknown, message.isEmpty ? "grpc-status \(code)" : message))
    }
    if known == .ok { return .success(()) }
    return .failure(
      RPCError(known, message, details: details.flatMap(StatusDetails.decode) ?? []))
  }

  /// What an answer without grpc-status means (gRPC's http-grpc-status-mapping.md).
  private var httpError: RPCError {
    let code: StatusCode =
      switch status {
      case 400, 431: .internalError
      case 401: .unauthenticated
      case 403: .permissionDenied
      case 404: .unimplemented
      case 429, 502, 503, 504: .unavailable
      default: .unknown
      }
    let kind = contentType.isEmpty || isGRPC ? "" : " with \(contentType)"
    return RPCError(code, "the answer is no gRPC: HTTP status \(status)\(kind)")
  }

  /// What a stream reset with this code means (gRPC over HTTP/2, "Errors").
  static func error(resetBy code: UInt32) -> RPCError {
    switch code {
    case HTTP2Code.refusedStream: RPCError(.unavailable, "the server refused the stream")
    case HTTP2Code.cancel: RPCError(.cancelled, "the server cancelled the call")
    case HTTP2Code.enhanceYourCalm:
      RPCError(.resourceExhausted, "the server was asked too much: bandwidth is exhausted")
    case HTTP2Code.inadequateSecurity:
      RPCError(.permissionDenied, "the connection is not secure enough for the call")
    default: RPCError(.internalError, "the stream was reset with code \(code)")
    }
  }
}
