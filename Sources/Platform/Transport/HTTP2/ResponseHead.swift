internal import Calls
private import Glibc

/// The header fields of a response, and its trailers, as a gRPC client reads them.
struct ResponseHead {
  private(set) var status = 0
  private(set) var isGRPC = false
  private(set) var encoding = ""
  private(set) var metadata = Metadata()
  private var code: Int?
  private var message = ""
  private var details: [UInt8]?
  private var bytes = 0
  /// More than the client takes: what was beyond is lost.
  private(set) var isTooLong = false

  mutating func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, max: Int
  ) {
    bytes += name.count + value.count + 32
    guard bytes <= max else {
      isTooLong = true
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
    case "content-type": isGRPC = text.hasPrefix("application/grpc")
    case "grpc-encoding": encoding = text
    case "grpc-status": code = Int(text) ?? -1
    case "grpc-message": message = StatusText.decode(text)
    case "grpc-status-details-bin": details = MetadataCodec.decode(Array(value))
    default:
      if !MetadataCodec.isReserved(key) { MetadataCodec.add(key, text, to: &metadata) }
    }
  }

  private func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
    bytes.count == text.utf8CodeUnitCount
      && memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0
  }

  /// The status these fields carry: nil for none, else success or the error.
  var outcome: Result<Void, RPCError>? {
    guard let code else { return nil }
    guard let known = UInt8(exactly: code).flatMap(StatusCode.init) else {
      return .failure(RPCError(.unknown, message.isEmpty ? "grpc-status \(code)" : message))
    }
    if known == .ok { return .success(()) }
    return .failure(
      RPCError(known, message, details: details.flatMap(StatusDetails.decode) ?? []))
  }

  /// What an answer without grpc-status means (gRPC's http-grpc-status-mapping.md).
  var httpError: RPCError {
    let code: StatusCode =
      switch status {
      case 400: .internalError
      case 401: .unauthenticated
      case 403: .permissionDenied
      case 404: .unimplemented
      case 429, 502, 503, 504: .unavailable
      default: .unknown
      }
    return RPCError(code, "HTTP status \(status)")
  }

  /// What a stream reset with this code means (gRPC over HTTP/2, "Errors").
  static func error(resetBy code: UInt32) -> RPCError {
    switch code {
    case HTTP2Code.refusedStream: RPCError(.unavailable, "the server refused the stream")
    case HTTP2Code.cancel: RPCError(.cancelled, "the server cancelled the call")
    case HTTP2Code.enhanceYourCalm:
      RPCError(.resourceExhausted, "the server was asked too much")
    case HTTP2Code.inadequateSecurity:
      RPCError(.permissionDenied, "the server wants more security")
    default: RPCError(.internalError, "the stream was reset with code \(code)")
    }
  }
}
