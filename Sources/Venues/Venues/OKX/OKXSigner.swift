internal import Bytes
package import Chrono
internal import JSON
internal import Security
package import Transport

/// Signs requests of one key: base64 of HMAC-SHA256 over time, method, path with query, and body.
///
/// (okx.com/docs-v5, "Signature" and "WebSocket: Login".)
package struct OKXSigner: Sendable {
  private let apiKey: String
  private let key: MessageSigner
  private let passphrase: String

  package init(apiKey: String, secret: [UInt8], passphrase: String) {
    self.apiKey = apiKey
    key = MessageSigner(key: secret)
    self.passphrase = passphrase
  }

  package func signature(
    _ timestamp: String, _ method: String, _ target: String, _ body: [UInt8] = []
  ) -> String {
    let message = Array((timestamp + method + target).utf8) + body
    return Base64.standard.encode(key.tag(message))
  }

  /// `now` is on the venue's clock; it refuses a time that is 30 s off.
  package func headers(
    _ method: String, _ target: String, _ body: [UInt8], at now: Instant
  ) -> [HTTPHeader] {
    let timestamp = Self.timestamp(now)
    return [
      HTTPHeader("ok-access-key", apiKey),
      HTTPHeader("ok-access-sign", signature(timestamp, method, target, body)),
      HTTPHeader("ok-access-timestamp", timestamp),
      HTTPHeader("ok-access-passphrase", passphrase),
    ]
  }

  /// The login request of a WebSocket.
  package func login(at now: Instant) -> [UInt8] {
    let timestamp = String(now.seconds)
    var json = JSONWriter()
    json.object { json in
      json.member("op", "login")
      json.name("args")
      json.array { json in
        json.object { json in
          json.member("apiKey", apiKey)
          json.member("passphrase", passphrase)
          json.member("timestamp", timestamp)
          json.member("sign", signature(timestamp, "GET", "/users/self/verify"))
        }
      }
    }
    return json.finished()
  }

  /// `2020-12-08T09:08:57.715Z`: always three digits after the point.
  package static func timestamp(_ now: Instant) -> String { "\(now.rfc3339.prefix(23))Z" }
}
