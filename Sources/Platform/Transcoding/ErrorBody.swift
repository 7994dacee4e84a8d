package import Calls
internal import Contracts
internal import JSON
internal import Wire

/// The JSON of an error as Google's APIs send it, and its HTTP status:
/// `{"error": {"code": 400, "message": "...", "status": "INVALID_ARGUMENT", "details": [...]}}`.
package enum ErrorBody {
  package static func json(_ error: RPCError) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.name("error")
    writer.beginObject()
    writer.member("code", httpStatus(of: error.code))
    writer.member("message", error.message)
    writer.member("status", error.code.name)
    writer.name("details")
    writer.beginArray()
    for detail in error.details { write(detail, to: &writer) }
    writer.endArray()
    writer.endObject()
    writer.endObject()
    return writer.finished()
  }

  /// As google/rpc/code.proto maps them.
  package static func httpStatus(of code: StatusCode) -> Int {
    switch code {
    case .ok: 200
    case .invalidArgument, .failedPrecondition, .outOfRange: 400
    case .unauthenticated: 401
    case .permissionDenied: 403
    case .notFound: 404
    case .alreadyExists, .aborted: 409
    case .resourceExhausted: 429
    case .cancelled: 499
    case .unknown, .internalError, .dataLoss: 500
    case .unimplemented: 501
    case .unavailable: 503
    case .deadlineExceeded: 504
    }
  }

  private static func write(_ detail: ErrorDetail, to writer: inout JSONWriter) {
    let (url, bytes) = packed(detail)
    var any = DynamicMessage(Schema.contracts.message(named: WellKnown.any.rawValue)!)
    (any[0], any[1]) = (.text(url), .bytes(bytes))
    var own = JSONWriter()
    do throws(RPCError) {
      try JSONOutput.write(any, to: &own)
      writer.raw(own.finished())
    } catch {
      // A peer's detail that does not decode says at least its type.
      writer.object { $0.member("@type", url) }
    }
  }

  private static func packed(_ detail: ErrorDetail) -> (url: String, bytes: [UInt8]) {
    switch detail {
    case .badRequest(let violations):
      let request = GoogleRpc.BadRequest.with { request in
        request.fieldViolations = violations.map { violation in
          .with {
            $0.field = violation.field
            $0.description = violation.problem
          }
        }
      }
      return (url(request), request.encoded())
    case .errorInfo(let reason, let domain, let metadata):
      let info = GoogleRpc.ErrorInfo.with {
        $0.reason = reason
        $0.domain = domain
        $0.metadata = metadata
      }
      return (url(info), info.encoded())
    case .retryInfo(let delay):
      let info = GoogleRpc.RetryInfo.with { $0.retryDelay = GoogleProtobuf.Duration(delay) }
      return (url(info), info.encoded())
    case .other(let typeURL, let value): return (typeURL, value)
    }
  }

  private static func url<M: Message>(_: M) -> String { "type.googleapis.com/\(M.typeName)" }
}
