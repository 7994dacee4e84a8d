/// A whole response, or the change of an HTTP/1.1 connection to a WebSocket.
package struct HTTPResponse: Sendable {
  package var status: Int
  package var headers: [HTTPHeader]
  package var body: [UInt8]
  /// Set by `webSocket(_:)` only.
  package private(set) var webSocketHandler: (@Sendable (WebSocket) async -> Void)?

  package init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A text body with its content type.
  package init(status: Int, contentType: String, body: String, headers: [HTTPHeader] = []) {
    self.init(
      status: status, headers: [HTTPHeader("content-type", contentType)] + headers,
      body: Array(body.utf8))
  }

  /// A JSON body.
  package init(status: Int, json: [UInt8], headers: [HTTPHeader] = []) {
    self.init(
      status: status, headers: [HTTPHeader("content-type", "application/json")] + headers,
      body: json)
  }

  /// Answers the handshake with 101 and runs `handler` on the connection's loop; the socket is
  /// closed (code 1000) when it returns. A request that is no WebSocket handshake is answered with
  /// 426 or 400.
  package static func webSocket(
    headers: [HTTPHeader] = [], _ handler: @escaping @Sendable (WebSocket) async -> Void
  ) -> HTTPResponse {
    var response = HTTPResponse(status: 101, headers: headers)
    response.webSocketHandler = handler
    return response
  }

  /// The reason phrase of the status line.
  static func reason(_ status: Int) -> String {
    reasons[status] ?? (status < 400 ? "OK" : "Error")
  }

  private static let reasons: [Int: String] = [
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted",
    204: "No Content", 301: "Moved Permanently", 302: "Found", 304: "Not Modified",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict",
    411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large",
    414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
    418: "I'm a teapot", 426: "Upgrade Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 499: "Client Closed Request",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
  ]
}
