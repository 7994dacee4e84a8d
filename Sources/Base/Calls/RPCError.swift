/// Why a call failed, as its peer is told: a gRPC status. The only error that crosses a process.
///
/// `details` are rendered by the transport into `grpc-status-details-bin` (google.rpc.Status) and by
/// the gateway into the JSON error body.
package struct RPCError: Error, Sendable, Equatable {
  package var code: StatusCode
  package var message: String
  package var details: [ErrorDetail]

  package init(_ code: StatusCode, _ message: String, details: [ErrorDetail] = []) {
    self.code = code
    self.message = message
    self.details = details
  }

  /// INVALID_ARGUMENT naming one field and what is wrong with its value.
  package static func invalid(_ field: String, _ problem: String) -> RPCError {
    RPCError(
      .invalidArgument, "\(field) \(problem)",
      details: [.badRequest([FieldViolation(field: field, problem: problem)])])
  }
}

/// The details of google.rpc's error_details.proto that we send and understand.
package enum ErrorDetail: Sendable, Equatable {
  case badRequest([FieldViolation])
  /// `reason` is a constant in UPPER_SNAKE_CASE, `domain` names who decided (`risk.shrivenquant`).
  case errorInfo(reason: String, domain: String, metadata: [String: String])
  case retryInfo(delay: Duration)
  /// A detail of a type that is not known here: its type URL and bytes, passed on as they came.
  case other(typeURL: String, value: [UInt8])
}

package struct FieldViolation: Sendable, Equatable {
  /// The path of the field as in JSON: `order.price`.
  package var field: String
  package var problem: String

  package init(field: String, problem: String) {
    self.field = field
    self.problem = problem
  }
}
