internal import Calls
internal import JSON

extension HTTPResponse {
  /// A request that the transport refuses before any responder sees it, in the words that REST
  /// callers know from Google's APIs: `{"error": {"code", "message", "status", "details"}}`.
  init(refusing status: Int, _ problem: String) {
    var json = JSONWriter()
    json.object { json in
      json.name("error")
      json.object { json in
        json.member("code", status)
        json.member("message", problem)
        json.member("status", Self.code(status).name)
        json.member("details", array: { _ in })
      }
    }
    self.init(status: status, json: json.finished())
  }

  /// The gRPC status whose name goes with an HTTP status.
  private static func code(_ status: Int) -> StatusCode {
    switch status {
    case 408: .deadlineExceeded
    case 501, 505: .unimplemented
    default: .invalidArgument
    }
  }
}
