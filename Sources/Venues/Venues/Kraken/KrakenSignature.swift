internal import Bytes
internal import Security

/// The `API-Sign` header of a private request: HMAC-SHA512, under the secret, over the path and the
/// SHA-256 of nonce and body; in Base64 (docs.kraken.com/api/docs/guides/spot-rest-auth).
package struct KrakenSignature: Sendable {
  private let signer: MessageSigner

  /// `secret`: decoded from the Base64 that Kraken gives out.
  package init(secret: [UInt8]) { signer = MessageSigner(key: secret, .sha512) }

  /// `path` as in the URL from `/0/private` on; `body` as it is sent, the nonce in it too.
  package func sign(path: String, nonce: UInt64, body: [UInt8]) -> String {
    let digest = Digest.sha256(Array(String(nonce).utf8) + body)
    return Base64.standard.encode(signer.tag(Array(path.utf8) + digest))
  }
}
