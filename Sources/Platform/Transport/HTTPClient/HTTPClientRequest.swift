/// One request to an outside server.
package struct HTTPClientRequest: Sendable {
  package var method: String
  /// `https://host:port/path?query`
  package var url: String
  package var headers: [HTTPHeader]
  package var body: [UInt8]
  /// For the whole exchange, waiting for a free connection included.
  package var timeout: Duration
  /// When a kept connection dies just as the request is sent, it is sent again on a new one. Never
  /// set this for a request that must not be carried out twice. Set for GET and HEAD.
  package var maySendTwice: Bool
  /// Bytes of the response's body, decompressed.
  package var bodyMax: Int
  /// Asked at the last moment, with a connection at hand and not a byte sent; a reason keeps the
  /// request here. On the client's loop.
  package var objection: (@Sendable () -> String?)?

  package init(
    method: String = "GET", url: String, headers: [HTTPHeader] = [], body: [UInt8] = [],
    timeout: Duration = .seconds(10), bodyMax: Int = 32 << 20
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.maySendTwice = method == "GET" || method == "HEAD"
    self.bodyMax = bodyMax
  }
}
