internal import Bytes
internal import Security

/// The `API-Sign` header of a private request: HMAC-SHA512, under the secret, over the path and the
/// SHA-256 of nonce and body; in Base64 (docs.kraken.com/api/docs/guides/spot-rest-auth).
package enum KrakenSignature {
  /// `path` as in the URL from `/0/private` on; `body` as it is sent, the nonce in it too; `secret`
  /// decoded from the Base64 that Kraken gives out.
  package static func sign(
    path: String, nonce: UInt64, body: [UInt8], secret: [UInt8]
  ) -> String {
    let message = Array(path.utf8) + Digest.sha256(Array(String(nonce).utf8) + body)
    return Base64.standard.encode(Digest.hmacSHA512(message, key: secret))
  }
}
